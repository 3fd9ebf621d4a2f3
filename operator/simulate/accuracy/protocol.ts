/** Which origins, horizons and series are scored, and which enter the aggregate. The trainer's `evaluate.py` agrees. */

import { seasonalScale } from './metrics.ts';
import type { Scene } from './scene.ts';

const DAY_MS = 86_400_000;
/** The last part of a series is scored; everything learned beforehand comes from the first. */
export const TEST_SHARE = 0.3;
export const COARSEST_STEP_MS = 300_000;
export const FEWEST_DAYS = 14;

export const PROTOCOL =
  'direct forecast at the horizon from every origin of the last 30 % of a series, nothing after the origin seen; ' +
  'ratios to the point forecast of seasonal naive (day, or week where it is better on the training part) at the ' +
  'same origins; geometric means over series with a step of at most 5 min and at least 14 days';

export interface Season {
  readonly name: 'day' | 'week' | 'none';
  /** 1 without a season: the scale of MASE is then that of single steps. */
  readonly steps: number;
}

export interface Protocol {
  /** First step of the test part; the first origin is the step before it. */
  readonly split: number;
  readonly season: Season;
  /** Scale of MASE. */
  readonly scale: number;
  readonly days: number;
  /** Why the series does not enter the aggregate. */
  readonly leftOut: string | null;
}

/** @returns the reason when nothing of the series can be scored */
export function protocolOf(scene: Scene): Protocol | string {
  const { truth, seen, stepMs } = scene;
  const split = Math.floor(truth.length * (1 - TEST_SHARE));
  const training = seen.subarray(0, split);
  if (split < 2 || truth.length - split < 2) return `${truth.length} steps are too few to score`;
  if (!varies(training) || !varies(truth.subarray(split))) return 'constant: nothing to forecast';
  const days = (truth.length * stepMs) / DAY_MS;
  const season = bestSeason(training, stepMs);
  return {
    split,
    season,
    scale: seasonalScale(training, season.steps),
    days,
    leftOut: leftOutOf(stepMs, days, season),
  };
}

/** Steps ahead of a horizon, or why it cannot be scored. */
export function leadOf(horizonMs: number, stepMs: number): number | string {
  if (horizonMs < stepMs) return 'its step is longer than the horizon';
  return Math.round(horizonMs / stepMs);
}

/** A day, or a week where two weeks are known and the week errs less on the training part. */
export function bestSeason(training: Float64Array, stepMs: number): Season {
  const day = Math.round(DAY_MS / stepMs);
  const week = 7 * day;
  if (day < 2 || training.length <= 2 * day) return { name: 'none', steps: 1 };
  if (training.length <= 2 * week) return { name: 'day', steps: day };
  const byDay = seasonalScale(training.subarray(week - day), day);
  const byWeek = seasonalScale(training, week);
  return byWeek < byDay ? { name: 'week', steps: week } : { name: 'day', steps: day };
}

function leftOutOf(stepMs: number, days: number, season: Season): string | null {
  if (stepMs > COARSEST_STEP_MS) return `its step of ${stepMs / 1000} s is longer than 5 min`;
  if (days < FEWEST_DAYS) return `${days.toFixed(2)} days are fewer than ${FEWEST_DAYS}`;
  return season.name === 'none' ? 'no two days of training part: no seasonal naive' : null;
}

function varies(values: Float64Array): boolean {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.some((value) => value !== known[0]);
}
