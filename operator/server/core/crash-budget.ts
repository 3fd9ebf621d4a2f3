/** How often a model may crash: each crash doubles the pause before the next start, and so many within an hour are the end. */
import type { Clock } from '../../clock.ts';

const MEMORY_MS = 3_600_000;

export class CrashBudget {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #backoffMs: number;
  #times: readonly number[] = [];

  constructor(clock: Clock, most: number, backoffMs: number) {
    this.#clock = clock;
    this.#most = most;
    this.#backoffMs = backoffMs;
  }

  /** Crashes that still count. */
  get crashes(): number {
    return this.#times.length;
  }

  /** Milliseconds to wait before the next start; undefined when it was one crash too many. */
  spend(): number | undefined {
    const now = this.#clock.monotonic();
    this.#times = [...this.#times.filter((at) => now - at < MEMORY_MS), now];
    return this.crashes >= this.#most ? undefined : this.#backoffMs * 2 ** (this.crashes - 1);
  }
}
