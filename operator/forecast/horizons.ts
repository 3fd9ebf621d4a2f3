/**
 * Horizons at which errors are learned. A forecast has 64 steps; learning at a dozen of them and interpolating
 * between keeps what a scaler remembers small enough for one Kubernetes object.
 */

/** Steps ahead, increasing. */
export const ANCHORS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64] as const;

/** Where step `h` (1-based) lies among ANCHORS: indices of its neighbours and the weight of the upper one. */
export function betweenAnchors(h: number): Between {
  return BETWEEN[h] ?? between(h);
}

interface Between {
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

function between(h: number): Between {
  let high = 0;
  while (high < ANCHORS.length - 1 && (ANCHORS[high] ?? 0) < h) high++;
  const upper = ANCHORS[high] ?? h;
  if (high === 0 || upper <= h) return { low: high, high, share: 0 };
  const lower = ANCHORS[high - 1] ?? h;
  return { low: high - 1, high, share: (h - lower) / (upper - lower) };
}

/** Asked for every step of every path, so kept. */
const BETWEEN: readonly Between[] = Array.from({ length: 65 }, (_, h) => between(h));
