/**
 * Whether values stand in an order of time at all. Real load moves in small steps against its own spread; in a series
 * whose times were shuffled neighbours have nothing in common. The rank version of von Neumann's ratio (Bartels 1982)
 * measures that without minding spikes: about 1 in random order, near 0 where neighbours are alike.
 */

export interface TimeOrder {
  /** Neighbours that are both known. */
  readonly pairs: number;
  /** Mean squared step between the ranks of neighbours over that of random order. NaN where nothing varies. */
  readonly roughness: number;
  /** Standard deviations from random order. */
  readonly z: number;
}

/** Ranking more says no more. */
const MOST = 10_000;

export function timeOrder(values: Float64Array): TimeOrder {
  const part = values.subarray(Math.max(values.length - MOST, 0));
  const ranks = ranksOf(part);
  const { middle, variance } = momentsOf(ranks);
  let sum = 0;
  let pairs = 0;
  for (let i = 1; i < ranks.length; i++) {
    const step = (ranks[i] ?? Number.NaN) - (ranks[i - 1] ?? Number.NaN);
    if (Number.isNaN(step)) continue;
    sum += step ** 2;
    pairs++;
  }
  const roughness = pairs > 0 && variance > 0 && middle > 0 ? sum / pairs / (2 * variance) : Number.NaN;
  return { pairs, roughness, z: (1 - roughness) * Math.sqrt(pairs) };
}

/** Ties share their mean rank; unknown stays unknown. */
function ranksOf(values: Float64Array): Float64Array {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  return values.map((value) =>
    Number.isNaN(value) ? value : (firstFrom(sorted, value, false) + firstFrom(sorted, value, true) + 1) / 2,
  );
}

/** Index of the first that is not below `value`; with `beyond` of the first above it. */
function firstFrom(sorted: Float64Array, value: number, beyond: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const one = sorted[middle] ?? 0;
    if (one < value || (beyond && one === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function momentsOf(values: Float64Array): { middle: number; variance: number } {
  const known = values.filter((value) => !Number.isNaN(value));
  const middle = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - middle) ** 2, 0) / known.length;
  return { middle, variance };
}
