/** Every error the engine gives to a wire, in one place: code, what a caller may do, and the words. */
import { ForesailError, isForesailError } from '../../errors.ts';
import type { QuarantineReason } from '../../inference/types.ts';

export type EngineErrorCode =
  | 'MODEL_NOT_FOUND'
  | 'MODEL_NOT_READY'
  | 'INPUT_INVALID'
  | 'OVERLOADED'
  | 'DEADLINE'
  | 'BACKEND'
  | 'MODEL_REFUSED'
  | 'LOAD_DISABLED';

/** Stable names of the checks before the first request. */
export type RefusalReason =
  | QuarantineReason
  | 'OddName'
  | 'OutsideRepository'
  | 'ColdStart'
  | 'WarmUpFailed'
  | 'GoldenInvalid'
  | 'GoldenMismatch'
  | 'QuantilesCrossed';

export function notFound(model: string, version?: string): ForesailError {
  const what = version === undefined || version === '' ? '' : ` has no version "${shown(version)}"`;
  const message = what === '' ? `there is no model "${shown(model)}"` : `model "${shown(model)}"${what}`;
  return new ForesailError('MODEL_NOT_FOUND', 'terminal', message, { subject: shown(model) });
}

export function notReady(model: string, reason: string, retryAfterMs = 1000): ForesailError {
  const why = reason === '' ? '' : `: ${reason}`;
  return new ForesailError('MODEL_NOT_READY', 'transient', `model "${shown(model)}" is not ready${why}`, {
    subject: shown(model),
    retryAfterMs,
  });
}

export function invalid(subject: string, message: string): ForesailError {
  return new ForesailError('INPUT_INVALID', 'terminal', message, { subject });
}

/** @param retryAfterMs when the queue will have gone down far enough */
export function overloaded(message: string, retryAfterMs: number): ForesailError {
  // Where it was made tells nobody anything, and in a flood of refusals the stack is a tenth of the work.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new ForesailError('OVERLOADED', 'transient', message, {
    retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)),
  });
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

export function pastDeadline(timeoutMs: number): ForesailError {
  return new ForesailError('DEADLINE', 'transient', `no answer within ${timeoutMs} ms`);
}

export function backend(message: string, cause?: unknown): ForesailError {
  return new ForesailError('BACKEND', 'transient', message, { cause });
}

/** Subject of the BACKEND error of a run that failed by its values or shapes, while the child lives on. */
export const RUN_FAILED = 'run';

export function runFailed(message: string): ForesailError {
  return new ForesailError('BACKEND', 'transient', message, { subject: RUN_FAILED });
}

export function isRunFailure(error: unknown): boolean {
  return isForesailError(error, 'BACKEND') && error.subject === RUN_FAILED;
}

export function refused(reason: RefusalReason, message: string, cause?: unknown): ForesailError {
  return new ForesailError('MODEL_REFUSED', 'terminal', message, { subject: reason, cause });
}

export function loadDisabled(): ForesailError {
  const message = 'models are loaded by the repository, not by request (modelControl is not "explicit")';
  return new ForesailError('LOAD_DISABLED', 'terminal', message, { subject: 'modelControl' });
}

/** A name from outside, safe for a message. */
export function shown(name: string): string {
  return name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
