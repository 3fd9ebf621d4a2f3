/**
 * Versions of a model to judge, made of one real forecaster's forecasts of a real load. Two equally good ones differ by
 * a disturbance of their own; a worse one is degraded until its loss over the whole series is the asked share higher.
 * So the load, the forecasts, their errors and what errors have in common are real, and what is right is known.
 */

import { normal, type Random, seededRandom } from '../../simulate/generated.ts';
import { forecastLoss } from '../loss.ts';

export interface SeriesForecasts {
  readonly name: string;
  readonly levels: readonly number[];
  /** [steps] the load that came; NaN = unknown. */
  readonly truth: Float64Array;
  /** [steps, levels] row-major, made `lead` steps before; NaN = none. */
  readonly quantiles: Float64Array;
  /** The same of a poorer forecaster. */
  readonly poorer: Float64Array;
}

/** How a version is worse: by a poorer model, by asking for too little, by a band too wide, by noise. */
export const DEFECTS = ['poorer', 'low', 'wide', 'noisy'] as const;
export type Defect = (typeof DEFECTS)[number];

/** Deviation of a version's own disturbance, as a share of its band between 0.1 and 0.9. */
const DISTURBANCE = 0.1;
/** Correlation of neighbouring disturbances: a model errs for a while, not for a step. */
const PERSISTENCE = 0.9;
const MOST = 64;

/** A version: what is wrong with it, and how much. A weight of 0 is as good as every other one. */
export interface Flaw {
  readonly defect: Defect;
  readonly weight: number;
}

/** Steps [from, to) of a series. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * @returns [to - from] losses of a version, disturbed by `random`
 */
export function lossesOf(
  series: SeriesForecasts,
  { from, to }: Stretch,
  { defect, weight }: Flaw,
  random: Random,
): Float64Array {
  const { levels, truth, quantiles, poorer } = series;
  const width = levels.length;
  const median = levels.indexOf(0.5);
  const values = new Float64Array(width);
  const noise = disturbance(to - from, random);
  return truth.subarray(from, to).map((load, t) => {
    const row = (from + t) * width;
    const band = bandOf(series, row);
    const strength = defect === 'noisy' ? 1 + weight : 1;
    const moved = DISTURBANCE * band * (strength * (noise[t] ?? 0) - (defect === 'low' ? weight : 0));
    const middle = quantiles[row + median] ?? Number.NaN;
    for (let i = 0; i < width; i++) {
      const q = quantiles[row + i] ?? Number.NaN;
      const other = defect === 'poorer' ? (poorer[row + i] ?? Number.NaN) - q : 0;
      const wider = defect === 'wide' ? q - middle : 0;
      values[i] = q + moved + weight * (other + wider);
    }
    return forecastLoss({ levels, values }, load);
  });
}

/**
 * How strong a defect must be for a mean loss over the whole series that is `delta` higher.
 *
 * @returns undefined where no strength of this defect does it
 */
export function flawOf(series: SeriesForecasts, defect: Defect, delta: number): Flaw | undefined {
  const all = { from: 0, to: series.truth.length };
  const loss = (weight: number): number => mean(lossesOf(series, all, { defect, weight }, seededRandom(1)));
  const target = (1 + delta) * loss(0);
  // Pinball loss is convex in the weight, so beyond the target it only rises.
  let low = 0;
  let high = 1;
  while (!(loss(high) >= target)) {
    low = high;
    high *= 2;
    if (high > MOST) return undefined;
  }
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (loss(middle) >= target) high = middle;
    else low = middle;
  }
  return { defect, weight: high };
}

/** From the 0.1 to the 0.9 quantile of the row that begins at `row`. */
function bandOf({ levels, quantiles }: SeriesForecasts, row: number): number {
  return (
    (quantiles[row + levels.indexOf(0.9)] ?? Number.NaN) -
    (quantiles[row + levels.indexOf(0.1)] ?? Number.NaN)
  );
}

/** A first-order autoregression of mean 0 and deviation 1. */
function disturbance(steps: number, random: Random): Float64Array {
  const fresh = Math.sqrt(1 - PERSISTENCE ** 2);
  let now = normal(random);
  return Float64Array.from({ length: steps }, () => {
    now = PERSISTENCE * now + fresh * normal(random);
    return now;
  });
}

/** Over the known; NaN of none. */
function mean(values: Float64Array): number {
  let sum = 0;
  let known = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    known++;
  }
  return sum / known;
}
