/** Forecasts whose time has not come yet, and what was seen when it came. */

interface Entry<T> {
  readonly targetMs: number;
  readonly payload: T;
}

export interface Settled<T> {
  readonly targetMs: number;
  readonly payload: T;
  readonly value: number;
}

/**
 * A queue per horizon, bounded in length. A target whose value stays unknown is dropped after `patienceMs` without
 * being counted: unknown is neither a hit nor a miss.
 */
export class Pending<T> {
  readonly #limit: number;
  readonly #patienceMs: number;
  #entries: Entry<T>[] = [];

  constructor(limit: number, patienceMs: number) {
    this.#limit = limit;
    this.#patienceMs = patienceMs;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Ignores a target that is not later than the newest one: one forecast per step counts. */
  add(targetMs: number, payload: T): boolean {
    const newest = this.#entries.at(-1);
    if (newest !== undefined && targetMs <= newest.targetMs) return false;
    this.#entries.push({ targetMs, payload });
    if (this.#entries.length > this.#limit) this.#entries.shift();
    return true;
  }

  /** Takes out every entry with a target up to `upToMs` whose value `read` knows (NaN = not yet). */
  settle(upToMs: number, read: (atMs: number) => number): Settled<T>[] {
    if (this.#entries.length === 0 || (this.#entries[0]?.targetMs ?? 0) > upToMs) return [];
    const settled: Settled<T>[] = [];
    this.#entries = this.#entries.filter((entry) => {
      if (entry.targetMs > upToMs) return true;
      const value = read(entry.targetMs);
      if (Number.isNaN(value)) return upToMs - entry.targetMs <= this.#patienceMs;
      settled.push({ ...entry, value });
      return false;
    });
    return settled;
  }
}
