/** Waiting times that grow, with jitter so that many clients of one server do not come back in the same instant. */

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Share of the delay that is random, 0 to 1: the delay lies in [(1 - jitter) d, d]. */
  readonly jitter: number;
}

/** The delay before attempt `attempt` (0 is the first retry): `base * 2^attempt`, at most `maxMs`. */
export function backoffDelay(options: BackoffOptions, attempt: number, random: () => number): number {
  const full = Math.min(options.baseMs * 2 ** Math.min(attempt, 52), options.maxMs);
  return full * (1 - options.jitter * random());
}

/** What the server asked for, plus up to a quarter: all whom it turned away were told the same number. */
export function retryAfterDelay(retryAfterMs: number, random: () => number): number {
  return retryAfterMs * (1 + 0.25 * random());
}
