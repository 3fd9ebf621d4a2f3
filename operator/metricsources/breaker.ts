/**
 * Stops asking for a short while after several failures in a row. A hanging server would otherwise cost every read
 * its whole deadline, and a server that comes back would meet the full crowd at once.
 */
import type { Clock } from '../clock.ts';
import { ReadError } from './read-error.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly threshold: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

export const defaultBreakerOptions: BreakerOptions = {
  threshold: 5,
  firstPauseMs: 1000,
  longestPauseMs: 5000,
};

interface State {
  failures: number;
  pauseMs: number;
  /** Monotonic; closed while undefined. */
  openUntil: number | undefined;
  /** One read is out to see whether the server is back. */
  trying: boolean;
  last: ReadError;
}

export class Breaker {
  readonly #options: BreakerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #states = new Map<string, State>();

  constructor(options: BreakerOptions, clock: Clock, random: () => number) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
  }

  /** Throws the error that opened the breaker while it is open; lets one read through when the pause is over. */
  check(key: string): void {
    const state = this.#states.get(key);
    if (state?.openUntil === undefined) return;
    const leftMs = state.openUntil - this.#clock.monotonic();
    if (leftMs <= 0 && !state.trying) {
      state.trying = true;
      return;
    }
    throw new ReadError(
      state.last.reason,
      `${state.last.message}; asked ${state.failures} times, the next try comes within ` +
        `${Math.max(1, Math.ceil(leftMs / 1000))} s`,
      state.last,
    );
  }

  succeeded(key: string): void {
    this.#states.delete(key);
  }

  failed(key: string, error: ReadError): void {
    const state = this.#states.get(key) ?? {
      failures: 0,
      pauseMs: this.#options.firstPauseMs,
      openUntil: undefined,
      trying: false,
      last: error,
    };
    this.#states.set(key, state);
    state.failures += 1;
    state.last = error;
    state.trying = false;
    if (state.failures < this.#options.threshold) return;
    if (state.openUntil !== undefined && this.#clock.monotonic() < state.openUntil) return;
    state.openUntil = this.#clock.monotonic() + state.pauseMs * (0.75 + this.#random() / 2);
    state.pauseMs = Math.min(state.pauseMs * 2, this.#options.longestPauseMs);
  }

  /** The read ended without telling anything about the server (the caller went away). */
  abandoned(key: string): void {
    const state = this.#states.get(key);
    if (state !== undefined) state.trying = false;
  }
}
