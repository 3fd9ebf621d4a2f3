/**
 * A limit of pods created per minute over all scalers: a token bucket that starts full. One mad metric can then
 * order no more than a minute's worth of pods before a person sees it.
 */
export interface CreationBudget {
  /** Whole creations that may be ordered now; Infinity when there is no limit. */
  left(now: number): number;
  take(count: number, now: number): void;
}

/** @param perMinute undefined means no limit. Times are monotonic milliseconds. */
export function creationBudget(perMinute: number | undefined): CreationBudget {
  if (perMinute === undefined) return { left: () => Number.POSITIVE_INFINITY, take() {} };
  let tokens = perMinute;
  let at: number | undefined;
  const refill = (now: number) => {
    if (at !== undefined) tokens = Math.min(perMinute, tokens + ((now - at) / 60_000) * perMinute);
    at = now;
  };
  return {
    left(now) {
      refill(now);
      return Math.max(0, Math.floor(tokens));
    },
    take(count, now) {
      refill(now);
      tokens -= count;
    },
  };
}
