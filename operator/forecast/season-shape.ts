/**
 * What the time of day adds to a load: the mean deviation from a centred mean of a day, per quarter hour (per step
 * where that is longer), weekends apart from two of them on. The whole shape is scaled by how well the other days
 * foretold each day and by how large the day has been lately, so that a load without a rhythm gets a shape of almost
 * nothing. Classical decomposition, as
 * before Theta in the M3 competition (Assimakopoulos & Nikolopoulos 2000), on buckets instead of single steps.
 */
import { empiricalQuantile } from './quantiles.ts';

const DAY_MS = 86_400_000;
const BUCKET_MS = 900_000;
/** Share of the steps of a day that its mean needs. */
const KNOWN_SHARE = 0.6;
/** Known deviations without which there is no shape, in days. */
const MIN_DAYS = 1.5;
const WEEKEND_DAYS = 4;
/** How much of the past says how large the day is now. */
const LATELY_DAYS = 3;
/** A day lately may be so many times the mean day. */
const LARGEST_DAY = 1.5;
/** Moves over this time are compared with the shape's. */
const MOVE_MS = 3_600_000;
/** Deviations beyond the range of all but one in fifty are cut to it: one incident is no rhythm. */
const OUTLIERS = 0.02;

export interface SeasonShape {
  readonly buckets: number;
  /** Added load per bucket of the UTC day, mean zero; already shrunk. */
  readonly weekday: Float64Array;
  /** The same array as `weekday` where weekends are not told apart. */
  readonly weekend: Float64Array;
  /** What the mean day was multiplied by, in [0, LARGEST_DAY]; 0: no rhythm. */
  readonly strength: number;
  /** Days that each bucket is a mean of, about. */
  readonly days: number;
}

/**
 * @param values oldest first, NaN = unknown; the last one is the step that starts at `endMs`
 * @returns a shape of zeros when less than one and a half days are known
 */
export function seasonShape(values: ArrayLike<number>, endMs: number, stepMs: number): SeasonShape {
  const buckets = Math.max(1, Math.round(DAY_MS / Math.max(BUCKET_MS, stepMs)));
  const day = Math.max(1, Math.round(DAY_MS / stepMs));
  const none = new Float64Array(buckets);
  const flat = { buckets, weekday: none, weekend: none, strength: 0, days: 0 };
  if (buckets < 4) return flat;
  const deviations = withoutOutliers(fromDayMean(values, day));
  const startMs = endMs - (values.length - 1) * stepMs;
  const weekends = new Set<number>();
  let known = 0;
  for (let i = 0; i < deviations.length; i++) {
    if (Number.isNaN(deviations[i])) continue;
    known++;
    const atMs = startMs + i * stepMs;
    if (isWeekend(atMs)) weekends.add(Math.floor(atMs / DAY_MS));
  }
  if (known < MIN_DAYS * day) return flat;
  const apart = weekends.size >= WEEKEND_DAYS;
  const groups = apart ? 2 : 1;
  const sum = new Float64Array(groups * buckets);
  const count = new Float64Array(groups * buckets);
  // Per day and bucket, for leaving a day out.
  const days = new Map<number, { readonly sum: Float64Array; readonly count: Float64Array; group: number }>();
  for (let i = 0; i < deviations.length; i++) {
    const value = deviations[i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const atMs = startMs + i * stepMs;
    const date = Math.floor(atMs / DAY_MS);
    const group = apart && isWeekend(atMs) ? 1 : 0;
    let own = days.get(date);
    if (own === undefined) {
      own = { sum: new Float64Array(buckets), count: new Float64Array(buckets), group };
      days.set(date, own);
    }
    const b = bucketOf(atMs, buckets);
    sum[group * buckets + b] = (sum[group * buckets + b] ?? 0) + value;
    count[group * buckets + b] = (count[group * buckets + b] ?? 0) + 1;
    own.sum[b] = (own.sum[b] ?? 0) + value;
    own.count[b] = (own.count[b] ?? 0) + 1;
  }
  let cross = 0;
  let square = 0;
  for (const own of days.values()) {
    for (let b = 0; b < buckets; b++) {
      const n = own.count[b] ?? 0;
      const others = (count[own.group * buckets + b] ?? 0) - n;
      if (n === 0 || others <= 0) continue;
      const mean = ((sum[own.group * buckets + b] ?? 0) - (own.sum[b] ?? 0)) / others;
      cross += mean * ((own.sum[b] ?? 0) / n);
      square += mean * mean;
    }
  }
  const foretold = square > 0 ? Math.min(Math.max(cross / square, 0), 1) : 0;
  const shapeOf = (group: number): Float64Array => {
    const shape = Float64Array.from({ length: buckets }, (_, b) => {
      const n = count[group * buckets + b] ?? 0;
      return n === 0 ? Number.NaN : (sum[group * buckets + b] ?? 0) / n;
    });
    return centred(withoutGaps(shape));
  };
  const weekday = shapeOf(0);
  const weekend = apart ? shapeOf(1) : weekday;
  const whole = { buckets, weekday, weekend, strength: 1, days: known / day };
  const strength = Math.sqrt(foretold * lately(deviations, whole, startMs, stepMs));
  const shrunk = weekday.map((value) => value * strength);
  return {
    ...whole,
    weekday: shrunk,
    weekend: apart ? weekend.map((value) => value * strength) : shrunk,
    strength,
  };
}

/** What the time adds, linear between the middles of the buckets. */
export function shapeAt(shape: SeasonShape, atMs: number): number {
  const row = isWeekend(atMs) ? shape.weekend : shape.weekday;
  const { low, high, share } = betweenBuckets(atMs, shape.buckets);
  const a = row[low] ?? 0;
  return a + share * ((row[high] ?? 0) - a);
}

/** The values without what the time adds. */
export function withoutShape(
  values: ArrayLike<number>,
  shape: SeasonShape,
  endMs: number,
  stepMs: number,
): Float64Array {
  const startMs = endMs - (values.length - 1) * stepMs;
  return Float64Array.from(
    { length: values.length },
    (_, i) => (values[i] ?? Number.NaN) - shapeAt(shape, startMs + i * stepMs),
  );
}

/**
 * How much larger errors are on a day that the shape has not seen than on one that it was made of:
 * sqrt((D + 1) / (D - 1)) for a mean of D days, as far as there is a rhythm.
 */
export function unseenFactor({ strength, days }: SeasonShape): number {
  const count = Math.max(days, 1.5);
  return 1 + Math.min(strength, 1) * (Math.sqrt((count + 1) / (count - 1)) - 1);
}

/** Neighbouring buckets of a time and the weight of the later one. */
export function betweenBuckets(
  atMs: number,
  buckets: number,
): { readonly low: number; readonly high: number; readonly share: number } {
  const at = ((((atMs % DAY_MS) + DAY_MS) % DAY_MS) / DAY_MS) * buckets - 0.5;
  const floor = Math.floor(at);
  return { low: (floor + buckets) % buckets, high: (floor + 1) % buckets, share: at - floor };
}

export function isWeekend(atMs: number): boolean {
  // 1970-01-01 was a Thursday.
  const weekday = (((Math.floor(atMs / DAY_MS) + 4) % 7) + 7) % 7;
  return weekday === 0 || weekday === 6;
}

function bucketOf(atMs: number, buckets: number): number {
  return Math.floor(((((atMs % DAY_MS) + DAY_MS) % DAY_MS) / DAY_MS) * buckets);
}

/** Differences to a mean of one day around each value; near the ends to the first or last whole day. */
function fromDayMean(values: ArrayLike<number>, day: number): Float64Array {
  const n = values.length;
  const sums = new Float64Array(n + 1);
  const counts = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) {
    const value = values[i] ?? Number.NaN;
    const known = !Number.isNaN(value);
    sums[i + 1] = (sums[i] ?? 0) + (known ? value : 0);
    counts[i + 1] = (counts[i] ?? 0) + (known ? 1 : 0);
  }
  return Float64Array.from({ length: n }, (_, i) => {
    const start = Math.min(Math.max(i - (day >> 1), 0), Math.max(n - day, 0));
    const end = Math.min(start + day, n);
    const count = (counts[end] ?? 0) - (counts[start] ?? 0);
    if (count < KNOWN_SHARE * day) return Number.NaN;
    return (values[i] ?? Number.NaN) - ((sums[end] ?? 0) - (sums[start] ?? 0)) / count;
  });
}

/** Least squares of the moves of the last days on those of the shape, in [0, LARGEST_DAY]. */
function lately(deviations: Float64Array, shape: SeasonShape, startMs: number, stepMs: number): number {
  const move = Math.max(1, Math.round(MOVE_MS / stepMs));
  const first = Math.max(0, deviations.length - Math.round((LATELY_DAYS * DAY_MS) / stepMs));
  const stride = Math.max(1, Math.floor(move / 4));
  let cross = 0;
  let square = 0;
  for (let t = first; t + move < deviations.length; t += stride) {
    const own = (deviations[t + move] ?? Number.NaN) - (deviations[t] ?? Number.NaN);
    if (Number.isNaN(own)) continue;
    const atMs = startMs + t * stepMs;
    const usual = shapeAt(shape, atMs + move * stepMs) - shapeAt(shape, atMs);
    cross += own * usual;
    square += usual * usual;
  }
  return square > 0 ? Math.min(Math.max(cross / square, 0), LARGEST_DAY) : 0;
}

/** A copy in which what lies far outside the bulk is cut to its edge. */
export function withoutOutliers(deviations: Float64Array): Float64Array {
  const sorted = deviations.filter((value) => !Number.isNaN(value)).sort();
  const low = empiricalQuantile(sorted, OUTLIERS);
  const high = empiricalQuantile(sorted, 1 - OUTLIERS);
  const slack = 0.25 * (high - low);
  return deviations.map((value) => Math.min(Math.max(value, low - slack), high + slack));
}

/** A bucket that no day has known lies on the line between its neighbours round the clock. */
function withoutGaps(shape: Float64Array): Float64Array {
  const n = shape.length;
  const next = (from: number, by: 1 | -1): number | undefined => {
    for (let k = 1; k < n; k++) if (!Number.isNaN(shape[(from + by * k + k * n) % n])) return k;
    return undefined;
  };
  return shape.map((value, b) => {
    if (!Number.isNaN(value)) return value;
    const after = next(b, 1);
    const before = next(b, -1);
    if (after === undefined || before === undefined) return 0;
    const a = shape[(b - before + n) % n] ?? 0;
    return a + (before / (before + after)) * ((shape[(b + after) % n] ?? 0) - a);
  });
}

function centred(shape: Float64Array): Float64Array {
  let mean = 0;
  for (const value of shape) mean += value / shape.length;
  return shape.map((value) => value - mean);
}
