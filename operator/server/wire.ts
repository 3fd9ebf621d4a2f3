/** What both protocols are given: the engine behind them, their limits, and whether the server is on its way out. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Guard } from './access/guard.ts';
import type { Admission } from './admission.ts';
import type { Infer } from './around/infer.ts';
import type { Tracing } from './around/tracing.ts';
import type { Engine } from './core/types.ts';
import type { ServerMetrics } from './metrics.ts';
import type { Refusals } from './refusals.ts';

export interface Wire {
  readonly engine: Engine;
  /** The engine's, with what stands around it. */
  readonly infer: Infer;
  /** The engine's `refuseEarly`, where nothing in front of it could still answer. */
  readonly refuseEarly: Engine['refuseEarly'];
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  readonly admission: Admission;
  /** Every answer to a call that there is no room for goes through here. */
  readonly refusals: Refusals;
  /** Absent: everybody may call, as often as they like. */
  readonly guard?: Guard;
  readonly metrics: ServerMetrics;
  /** Largest request, after unpacking. */
  readonly maxRequestBytes: number;
  /** Whether callers may load and unload models. */
  readonly repositoryControl: boolean;
  /** True while the models of the start are being loaded by request. */
  readonly starting: () => boolean;
  /** True from the first signal on: not ready any more, still answering. */
  readonly draining: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export const SERVER_NAME = 'foresail';

/** Names of the protocol's extensions, as servers of this protocol list them. */
export const EXTENSIONS = [
  'binary_tensor_data',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'statistics',
] as const;

export function isReady({ engine, starting, draining }: Wire): boolean {
  return !starting() && !draining() && engine.ready();
}
