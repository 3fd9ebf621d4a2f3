/** An inference as the wires ask for it: the engine's, with what may stand around it (cache, payload log, trace). */
import type { InferAnswer, InferRequest } from '../core/types.ts';
import type { CallSpan } from './tracing.ts';

/** What a call brings besides its tensors. */
export interface CallInfo {
  /** The caller's own name of the request. */
  readonly id?: string;
  readonly span?: CallSpan;
}

export type Infer = (request: InferRequest, call: CallInfo, signal: AbortSignal) => Promise<InferAnswer>;
