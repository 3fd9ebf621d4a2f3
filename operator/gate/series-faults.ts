/** What can be wrong with one series, for a trainer as for a gate: the same words for training and holdout. */
import type { FolderSeries } from './series-folder.ts';
import { timeOrder } from './time-order.ts';

/** Fewer known points teach nothing (the trainer's own limit). */
export const LEAST_POINTS = 96;
export const LEAST_KNOWN = 0.5;
/** One value in more than this share of the points: a flag, not a load. */
export const MOST_SAME = 0.98;
/** Deviations from random order below which an order is not believed. */
export const LEAST_ORDER = 5;

/** @returns undefined for a series that can teach or test something */
export function faultOfSeries({ values, fault }: FolderSeries): string | undefined {
  if (fault !== undefined) return fault;
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length < LEAST_POINTS) return `${known.length} known points are fewer than ${LEAST_POINTS}`;
  if (known.length < LEAST_KNOWN * values.length)
    return `${percent(1 - known.length / values.length)} of its values are unknown`;
  if (shareOfCommonest(known) > MOST_SAME) return 'it is constant';
  if (!(Math.abs(timeOrder(values).z) >= LEAST_ORDER)) return NO_ORDER;
  return undefined;
}

export const NO_ORDER = 'its values stand in no order of time';

function shareOfCommonest(values: Float64Array): number {
  const sorted = values.toSorted();
  let most = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    most = Math.max(most, to - from);
    from = to;
  }
  return most / sorted.length;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
