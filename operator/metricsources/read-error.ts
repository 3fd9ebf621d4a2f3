/** Why a read gave no number. Thrown inside this room only; the registry turns it into an Unknown at the border. */
import { ForesailError, type RetryClass } from '../errors.ts';
import type { UnknownReason } from '../observation.ts';

/** Asking again changes nothing until a person changes the object or the configuration. */
const terminal: ReadonlySet<UnknownReason> = new Set(['NotAllowed', 'NotConfigured', 'BadQuery']);

export class ReadError extends ForesailError {
  readonly reason: UnknownReason;

  /** `message` is shown in status and events: it never quotes an answer, a header or a credential. */
  constructor(reason: UnknownReason, message: string, cause?: unknown) {
    const retry: RetryClass = terminal.has(reason) ? 'terminal' : 'transient';
    const code = `METRIC_${reason.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}`;
    super(code, retry, message, cause === undefined ? {} : { cause });
    this.name = 'ReadError';
    this.reason = reason;
  }
}
