/**
 * One error class for the whole operator. Callers decide by `code` and `retry`, never by text, so a message
 * can be reworded for people without changing what the program does.
 */

/** What a caller may do about an error: try again later, re-read and try again, or give up until input changes. */
export type RetryClass = 'transient' | 'conflict' | 'terminal';

export interface ErrorDetails {
  /** Names the offending field, metric, file or URL (without credentials). */
  readonly subject?: string;
  /** Milliseconds that the other side asked us to wait. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class ForesailError extends Error {
  /** Stable and upper snake case, e.g. `KUBE_CONFLICT`. */
  readonly code: string;
  readonly retry: RetryClass;
  readonly subject: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, retry: RetryClass, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ForesailError';
    this.code = code;
    this.retry = retry;
    this.subject = details.subject;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export function isForesailError(error: unknown, code?: string): error is ForesailError {
  return error instanceof ForesailError && (code === undefined || error.code === code);
}

/** A text for logs and conditions from anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
