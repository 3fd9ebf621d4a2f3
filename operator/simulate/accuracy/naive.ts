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

/** Quantiles [origins, LEVELS] of a naive contender; a load is not negative. */
export function naiveQuantiles(
  { seen }: Scene,
  split: number,
  origins: readonly number[],
  lead: number,
  season: number,
): Float64Array {
  const offsets = naiveErrors(seen.subarray(0, split), lead, season);
  const out = new Float64Array(origins.length * WIDTH);
  origins.forEach((origin, i) => {
    const point = naivePoint(seen, origin, lead, season);
    offsets.forEach((offset, k) => {
      out[i * WIDTH + k] = Math.max(point + offset, 0);
    });
  });
  return out;
}
