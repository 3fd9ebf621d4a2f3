/**
 * A token bucket for each caller: so many calls a second in the long run, so many at once. The table is bounded; whom it
 * forgets has been quiet longer than everybody in it and begins anew with a full bucket.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';

export interface RateLimits {
  readonly perSecond: number;
  /** Calls at once after a pause; at least 1. */
  readonly burst: number;
}

export interface RateLimiter {
  /** Takes one call. @returns 0, or, where none is left, the milliseconds until one is */
  take(caller: string): number;
  /** As `take`, without taking. */
  wait(caller: string): number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

const MOST_CALLERS = 10_000;

export function createRateLimiter({ perSecond, burst }: RateLimits, clock: Clock): RateLimiter {
  const buckets = new LRUCache<string, Bucket>({ max: MOST_CALLERS });
  const now = (caller: string): Bucket => {
    const at = clock.monotonic();
    const before = buckets.get(caller);
    if (before === undefined) return { tokens: burst, at };
    return { tokens: Math.min(burst, before.tokens + ((at - before.at) / 1_000) * perSecond), at };
  };
  const missing = ({ tokens }: Bucket): number => (tokens >= 1 ? 0 : ((1 - tokens) / perSecond) * 1_000);
  return {
    take(caller) {
      const bucket = now(caller);
      const wait = missing(bucket);
      if (wait === 0) buckets.set(caller, { ...bucket, tokens: bucket.tokens - 1 });
      return wait;
    },
    wait: (caller) => missing(now(caller)),
  };
}
