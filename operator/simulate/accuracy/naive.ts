/**
 * What a forecast must beat: the value of the same time a season ago, or the last one. As the reference of all ratios
 * it is a point; as a contender it also gets the quantiles of its own errors on the training part, so that nobody
 * fights a straw man.
 */
import { LEVELS, sortedQuantile, WIDTH } from './metrics.ts';
import type { Scene } from './scene.ts';

/** Forecasts the value at `origin + lead` by the newest one known at `origin` that lies whole seasons before it. */
export function naivePoint(seen: Float64Array, origin: number, lead: number, season: number): number {
  for (let t = origin + lead - lagOf(lead, season); t >= 0; t -= season) {
    const value = seen[t];
    if (value !== undefined && !Number.isNaN(value)) return value;
  }
  return Number.NaN;
}

/** The shortest multiple of the season that reaches back to the origin. */
export function lagOf(lead: number, season: number): number {
  return season * Math.ceil(lead / season);
}

/** Quantiles at LEVELS of value minus forecast on the training part. */
export function naiveErrors(training: Float64Array, lead: number, season: number): Float64Array {
  const lag = lagOf(lead, season);
  const errors: number[] = [];
  for (let t = lag; t < training.length; t++) {
    const error = (training[t] ?? Number.NaN) - (training[t - lag] ?? Number.NaN);
    if (!Number.isNaN(error)) errors.push(error);
  }
  const sorted = Float64Array.from(errors).sort();
  return Float64Array.from(LEVELS, (level) => sortedQuantile(sorted, level));
}

export interface NaiveForecasts {
  /** [origins] what it is scored by as a point. */
  readonly point: Float64Array;
  /** [origins, LEVELS]; a load is not negative. */
  readonly quantiles: Float64Array;
}

export function naiveForecasts(
  { seen }: Scene,
  split: number,
  origins: readonly number[],
  lead: number,
  season: number,
): NaiveForecasts {
  const offsets = naiveErrors(seen.subarray(0, split), lead, season);
  const point = Float64Array.from(origins, (origin) => naivePoint(seen, origin, lead, season));
  const quantiles = new Float64Array(origins.length * WIDTH);
  point.forEach((middle, i) => {
    offsets.forEach((offset, k) => {
      quantiles[i * WIDTH + k] = Math.max(middle + offset, 0);
    });
  });
  return { point, quantiles };
}
