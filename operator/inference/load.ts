/** From bytes to a session that has answered once: every check of a model file in order, the cheap ones first. */
import { createHash } from 'node:crypto';
import { describe } from './contract.ts';
import { refuse, summarise } from './onnx-file.ts';
import { type ModelSession, openSession } from './onnx-session.ts';
import { probeInputs } from './runner.ts';
import type { ModelDescriptor } from './types.ts';

export interface LoadedModel {
  readonly descriptor: ModelDescriptor;
  readonly session: ModelSession;
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws MODEL_INVALID, its subject being the QuarantineReason */
export async function loadModel(bytes: Uint8Array): Promise<LoadedModel> {
  const descriptor = describe(summarise(bytes), `sha256:${digestOf(bytes)}`, bytes.length);
  const session = await openSession(bytes, descriptor);
  try {
    const probe = probeInputs();
    const answer = await session.run(probe.context, probe.seasonal, probe.batch);
    if (!answer.every(Number.isFinite)) throw refuse('NotFinite', 'the model answers NaN or infinity');
    return { descriptor, session };
  } catch (error) {
    await session.close();
    throw error;
  }
}
