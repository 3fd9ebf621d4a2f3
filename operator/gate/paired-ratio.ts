/**
 * By how much one forecaster loses less than another on the very same windows, and how sure that is.
 *
 * The ratio is the geometric mean over series of (its loss / the other's), each series weighing the same. Two things
 * make it uncertain: other series might have been there (spread between series), and other days might have come (spread
 * between blocks of time, which all series share: a holiday hits them together). The variances of both are added,
 * which counts a series' own noise twice and so errs to the careful side; the bound is Student's, with the degrees of
 * freedom of Welch and Satterthwaite. Of a single series there is time alone.
 */
import { tQuantile95 } from './t-quantile.ts';

/** One series at one lead time: sums of losses per block of time, over the same windows for both. */
export interface PairedLosses {
  readonly series: string;
  /** [blocks] */
  readonly own: Float64Array;
  /** [blocks] */
  readonly other: Float64Array;
}

export interface PairedRatio {
  /** Below 1 is better; NaN of nothing. */
  readonly ratio: number;
  /** One-sided 95 % bounds; NaN where there is too little to tell. */
  readonly lower95: number;
  readonly upper95: number;
  readonly series: number;
  readonly blocks: number;
  /** Ratio of each series. */
  readonly bySeries: ReadonlyMap<string, number>;
}

/** Fewer blocks of time say nothing about other times. */
export const LEAST_BLOCKS = 5;
/** One series counts as at most this much better, so that one lucky one does not carry the others; worse counts whole. */
const MOST_BETTER = 4;

/** @param cells each series may have several, one per lead time; they are averaged */
export function pairedRatio(cells: readonly PairedLosses[]): PairedRatio {
  const bySeries = new Map<string, number>();
  const width = Math.max(0, ...cells.map(({ own }) => own.length));
  const influence = new Float64Array(width);
  const used = new Uint8Array(width);
  const groups = Map.groupBy(cells.filter(isTelling), ({ series }) => series);
  for (const [series, own] of groups) {
    let log = 0;
    for (const cell of own) {
      log += logRatio(cell) / own.length;
      addInfluence(cell, 1 / (own.length * groups.size), influence, used);
    }
    bySeries.set(series, Math.exp(log));
  }
  const logs = [...bySeries.values()].map(Math.log);
  const blocks = used.reduce((sum, one) => sum + one, 0);
  const middle = mean(logs);
  const spread = standardError(
    logs,
    influence.filter((_, b) => used[b] === 1),
  );
  return {
    ratio: Math.exp(middle),
    lower95: Math.exp(middle - spread),
    upper95: Math.exp(middle + spread),
    series: logs.length,
    blocks,
    bySeries,
  };
}

/** A series on which neither loses anything says nothing. */
function isTelling({ own, other }: PairedLosses): boolean {
  return sum(other) > 0 && sum(own) >= 0;
}

function logRatio({ own, other }: PairedLosses): number {
  return Math.max(Math.log(sum(own) / sum(other)), -Math.log(MOST_BETTER));
}

/** First-order change of the mean log ratio if a block were left out (delta method). */
function addInfluence(
  { own, other }: PairedLosses,
  weight: number,
  into: Float64Array,
  used: Uint8Array,
): void {
  const [all, others] = [sum(own), sum(other)];
  own.forEach((loss, b) => {
    const against = other[b] ?? 0;
    if (loss === 0 && against === 0) return;
    used[b] = 1;
    into[b] = (into[b] ?? 0) + weight * ((all > 0 ? loss / all : 0) - against / others);
  });
}

/** Half-width of the one-sided bound, in logs. */
function standardError(logs: readonly number[], influence: Float64Array): number {
  const blocks = influence.length;
  if (blocks < LEAST_BLOCKS || logs.length === 0) return Number.NaN;
  const time = (blocks / (blocks - 1)) * timeVariance(influence);
  const between = logs.length > 1 ? variance(logs) / logs.length : 0;
  const all = time + between;
  if (all === 0) return 0;
  const df = all ** 2 / (time ** 2 / (blocks - 1) + (logs.length > 1 ? between ** 2 / (logs.length - 1) : 0));
  return tQuantile95(df) * Math.sqrt(all);
}

/** What neighbouring blocks have in common is added where it makes things less sure (Newey & West 1987, one lag). */
function timeVariance(influence: Float64Array): number {
  let own = 0;
  let neighbours = 0;
  influence.forEach((value, b) => {
    own += value ** 2;
    neighbours += value * (influence[b + 1] ?? 0);
  });
  return own + Math.max(neighbours, 0);
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((total, value) => total + (value - middle) ** 2, 0) / (values.length - 1);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((total, value) => total + value, 0) / values.length;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
