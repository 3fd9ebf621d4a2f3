/**
 * Does canary fail more often than stable pods of the same age? A sequential test of a ratio of rates, for whatever is
 * counted: errors, NaN answers, answers slower than stable's usual ones.
 *
 * Given that some request failed, it was canary's with the chance `share` that canary has of all requests, if both fail
 * alike. At a rate `ratio` times stable's the chance is ratio x share / (ratio x share + 1 - share). The likelihood
 * ratio of the two (Wald 1945) is a bet on the next failure being canary's: as with `EProcess` it may be looked at
 * after each. Only failures speak, so no rate has to be assumed for either.
 */

/** Rates that are bet on, as multiples of stable's. */
const RATIOS = [1.5, 2, 4, 8, 16] as const;

export interface Counts {
  readonly requests: number;
  readonly failures: number;
}

export interface GuardState {
  readonly logs: readonly number[];
  readonly peak: number;
  readonly stable: Counts;
  readonly canary: Counts;
}

export interface GuardOptions {
  /** Canary may fail this many times as often as stable; at least 1. */
  readonly tolerance: number;
  /** Requests that each side must have served before anything is said. */
  readonly minRequests: number;
  /** Chance of a breach where there is none. */
  readonly error: number;
}

export const GUARD_DEFAULTS: GuardOptions = { tolerance: 1.2, minRequests: 100, error: 0.005 };

export class RateGuard {
  readonly #options: GuardOptions;
  #state: GuardState;

  constructor(options: GuardOptions = GUARD_DEFAULTS, state?: GuardState) {
    this.#options = options;
    const none = { requests: 0, failures: 0 };
    this.#state = state ?? { logs: RATIOS.map(() => 0), peak: 0, stable: none, canary: none };
  }

  /** Counts of one interval; one that is unknown, or in which either side served nothing, compares nothing. */
  take(stable: Counts, canary: Counts): void {
    if (![stable, canary].every(isKnown)) return;
    if (stable.requests <= 0 || canary.requests <= 0) return;
    const { tolerance } = this.#options;
    const logs = this.#state.logs.map((log, i) => {
      const fair = shareAt(tolerance, stable.requests, canary.requests);
      const bet = shareAt(tolerance * (RATIOS[i] ?? 1), stable.requests, canary.requests);
      return (
        log + canary.failures * Math.log(bet / fair) + stable.failures * Math.log((1 - bet) / (1 - fair))
      );
    });
    this.#state = {
      logs,
      peak: Math.max(this.#state.peak, wealthOf(logs)),
      stable: sum(this.#state.stable, stable),
      canary: sum(this.#state.canary, canary),
    };
  }

  /** True once canary is shown to fail more often than it may; it stays true. */
  get breached(): boolean {
    const { minRequests, error } = this.#options;
    const { stable, canary, peak } = this.#state;
    return Math.min(stable.requests, canary.requests) >= minRequests && peak >= Math.log(1 / error);
  }

  /** For a breach, as a logarithm: 0 before anything failed, below it when what failed speaks for canary. */
  get evidence(): number {
    return wealthOf(this.#state.logs);
  }

  get state(): GuardState {
    return this.#state;
  }
}

/** Logarithm of what all bets together have made of 1. */
function wealthOf(logs: readonly number[]): number {
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((all, log) => all + Math.exp(log - most), 0) / logs.length);
}

/** A query that found nothing may say NaN, a counter that began anew may say less than 0. */
function isKnown({ requests, failures }: Counts): boolean {
  return [requests, failures].every((count) => Number.isFinite(count) && count >= 0);
}

/** Canary's share of failures when it fails `ratio` times as often as stable. */
function shareAt(ratio: number, stable: number, canary: number): number {
  return (ratio * canary) / (ratio * canary + stable);
}

function sum(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, failures: a.failures + b.failures };
}
