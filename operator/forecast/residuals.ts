/** Bands of the simple forecasters: what their errors were on the same window, at the levels of the box model. */
import { ANCHORS } from './horizons.ts';
import { empiricalQuantile } from './quantiles.ts';
import { MODEL_LEVELS, type ModelRef } from './types.ts';

/** Fewer errors than this make no band. */
export const MIN_RESIDUALS = 16;

export function builtin(name: string): ModelRef {
  return { name, version: '1', digest: 'builtin' };
}

/**
 * Quantiles of errors at MODEL_LEVELS. The outermost order statistics stand for levels the sample cannot resolve,
 * stretched by 1 + 1/sqrt(n) around their median, because few errors show too narrow a band.
 */
export function residualQuantiles(errors: Float64Array): Float64Array {
  const sorted = errors.slice().sort();
  return bandOf((level) => empiricalQuantile(sorted, level), sorted.length);
}

/** The same from the quantiles of `count` errors that are kept in order elsewhere. */
export function bandOf(quantile: (level: number) => number, count: number): Float64Array {
  const median = quantile(0.5);
  const stretch = 1 + 1 / Math.sqrt(Math.max(count, 1));
  const band = new Float64Array(MODEL_LEVELS.length);
  for (let i = 0; i < band.length; i++)
    band[i] = median + (quantile(MODEL_LEVELS[i] as number) - median) * stretch;
  return band;
}

/** Origins that errors are taken from, spread evenly over the newest steps: a load is not as restless as last month. */
const ORIGINS = 600;
const RECENT_STEPS = 3000;

/**
 * Bands at ANCHORS of a method on its own past.
 *
 * @param values what came, NaN = unknown
 * @param first index of the first origin: before it the method is still warming up
 * @param pathAt what the method said at origin `t` about `t + h`; NaN where it said nothing
 * @param factor what the errors are multiplied by
 * @returns undefined when the shortest horizon has fewer than MIN_RESIDUALS errors
 */
export function errorBands(
  values: ArrayLike<number>,
  first: number,
  pathAt: (t: number) => (h: number) => number,
  factor = 1,
): Float64Array[] | undefined {
  const errors: number[][] = ANCHORS.map(() => []);
  const oldest = Math.max(first, values.length - RECENT_STEPS);
  const stride = Math.max(1, Math.floor((values.length - oldest) / ORIGINS));
  for (let t = values.length - 2; t >= oldest; t -= stride) {
    const path = pathAt(t);
    ANCHORS.forEach((h, i) => {
      if (t + h >= values.length) return;
      const error = (values[t + h] ?? Number.NaN) - path(h);
      if (Number.isFinite(error)) errors[i]?.push(error * factor);
    });
  }
  const bands: Float64Array[] = [];
  for (const [i, own] of errors.entries()) {
    const before = bands.at(-1);
    if (own.length >= MIN_RESIDUALS) bands.push(residualQuantiles(Float64Array.from(own)));
    else if (before === undefined) return undefined;
    // As a random walk grows, where the past is too short for this horizon.
    else bands.push(before.map((offset) => offset * Math.sqrt((ANCHORS[i] ?? 1) / (ANCHORS[i - 1] ?? 1))));
  }
  return bands;
}
