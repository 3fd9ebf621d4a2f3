/** How often, and how many at a time: a pod in a loop must not cost the operator its time for scaling. */
import type { Clock } from '../clock.ts';
import { RecentMap } from '../metricsources/recent-map.ts';

export interface TurnstileOptions {
  readonly clock: Clock;
  readonly perSecond: number;
  readonly burst: number;
  /** Keys that are remembered; one that is forgotten begins with a full burst. */
  readonly keys: number;
}

/** A bucket of tokens per key. */
export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #buckets: RecentMap<{ tokens: number; at: number }>;

  constructor(options: TurnstileOptions) {
    this.#options = options;
    this.#buckets = new RecentMap(options.keys);
  }

  /** False: not now. */
  pass(key: string): boolean {
    const { clock, perSecond, burst } = this.#options;
    const now = clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    const passes = bucket.tokens >= 1;
    if (passes) bucket.tokens -= 1;
    this.#buckets.set(key, bucket);
    return passes;
  }
}

/** So many at a time, and of one key so many of them: nobody takes all the room. */
export class Seats {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor({ most, mostOfOne }: { readonly most: number; readonly mostOfOne: number }) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** @returns how to leave; undefined: there is no seat now */
  take(key: string): (() => void) | undefined {
    const own = this.#taken.get(key) ?? 0;
    if (this.#all >= this.#most || own >= this.#mostOfOne) return undefined;
    this.#all += 1;
    this.#taken.set(key, own + 1);
    return () => {
      this.#all -= 1;
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left === 0) this.#taken.delete(key);
      else this.#taken.set(key, left);
    };
  }
}
