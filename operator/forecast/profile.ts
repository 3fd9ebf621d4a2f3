/**
 * What a day of this load looks like, for the time when nothing newer is known: quantiles per half hour of the day,
 * weekdays and weekends apart when there is enough of both. The rung of degrade below the last forecast.
 */
import { empiricalQuantile } from './quantiles.ts';

const DAY_MS = 86_400_000;
const BUCKETS = 48;
const BUCKET_MS = DAY_MS / BUCKETS;
/** Readings of neighbouring half hours count too, so that a bucket has some even with few days. */
const NEIGHBOURS = 1;
/** Quantiles kept per bucket. */
export const PROFILE_LEVELS = [0.5, 0.9, 0.95, 0.99] as const;
/** Known values a bucket needs. */
const ENOUGH = 8;
/** Weekends get a profile of their own from this many days of them. */
const WEEKEND_DAYS = 2;

/** Plain JSON; `null` where too little is known. */
export interface SeasonalProfile {
  /** [48][4] quantiles at PROFILE_LEVELS per half hour of the UTC day. */
  readonly weekday: readonly (readonly number[] | null)[];
  /** Absent: weekends are like weekdays. */
  readonly weekend?: readonly (readonly number[] | null)[];
}

/**
 * @param past values oldest first, NaN = unknown; the last one is the step that starts at `endMs`
 * @returns undefined when less than half of a day is known
 */
export function seasonalProfile(
  past: ArrayLike<number>,
  endMs: number,
  stepMs: number,
): SeasonalProfile | undefined {
  const all = emptyBuckets();
  const weekend = emptyBuckets();
  const weekendDays = new Set<number>();
  for (let i = 0; i < past.length; i++) {
    const value = past[i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const atMs = endMs - (past.length - 1 - i) * stepMs;
    const bucket = bucketOf(atMs);
    if (isWeekend(atMs)) {
      weekend[bucket]?.push(value);
      weekendDays.add(Math.floor(atMs / DAY_MS));
    } else {
      all[bucket]?.push(value);
    }
  }
  const apart = weekendDays.size >= WEEKEND_DAYS && all.some((bucket) => bucket.length >= ENOUGH);
  if (!apart) all.forEach((bucket, i) => bucket.push(...(weekend[i] ?? [])));
  const weekday = summarise(all);
  if (weekday.filter((bucket) => bucket !== null).length < BUCKETS / 2) return undefined;
  return apart ? { weekday, weekend: summarise(weekend) } : { weekday };
}

/** The load at a time of day that is not exceeded with probability `level`; undefined where nothing is known. */
export function profileAt(profile: SeasonalProfile, atMs: number, level: number): number | undefined {
  const bucket = bucketOf(atMs);
  const row =
    (isWeekend(atMs) ? profile.weekend?.[bucket] : undefined) ?? profile.weekday[bucket] ?? undefined;
  if (row === undefined) return undefined;
  // The next kept level at or above the asked one: the profile is coarse, so it errs upward.
  const at = PROFILE_LEVELS.findIndex((kept) => kept >= level);
  return row[at === -1 ? PROFILE_LEVELS.length - 1 : at];
}

/** The highest profile value in `[fromMs, fromMs + windowMs]`; undefined when no part of it is known. */
export function profilePeak(
  profile: SeasonalProfile,
  fromMs: number,
  windowMs: number,
  level: number,
): number | undefined {
  let peak: number | undefined;
  const end = fromMs + windowMs;
  for (let atMs = fromMs; ; atMs = Math.min(atMs + BUCKET_MS, end)) {
    const value = profileAt(profile, atMs, level);
    if (value !== undefined && (peak === undefined || value > peak)) peak = value;
    if (atMs >= end) return peak;
  }
}

function emptyBuckets(): number[][] {
  return Array.from({ length: BUCKETS }, () => []);
}

function summarise(buckets: readonly number[][]): (number[] | null)[] {
  return buckets.map((_, i) => {
    const values: number[] = [];
    for (let n = -NEIGHBOURS; n <= NEIGHBOURS; n++) {
      for (const value of buckets[(i + n + BUCKETS) % BUCKETS] ?? []) values.push(value);
    }
    if (values.length < ENOUGH) return null;
    const sorted = Float64Array.from(values).sort();
    return PROFILE_LEVELS.map((level) => Number(empiricalQuantile(sorted, level).toPrecision(5)));
  });
}

function bucketOf(atMs: number): number {
  return Math.floor((((atMs % DAY_MS) + DAY_MS) % DAY_MS) / BUCKET_MS);
}

function isWeekend(atMs: number): boolean {
  const day = new Date(atMs).getUTCDay();
  return day === 0 || day === 6;
}
