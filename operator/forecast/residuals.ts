/** Bands of the simple forecasters: what their errors were on the same window, at the levels of the box model. */
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
  const median = empiricalQuantile(sorted, 0.5);
  const stretch = 1 + 1 / Math.sqrt(Math.max(sorted.length, 1));
  return Float64Array.from(
    MODEL_LEVELS,
    (level) => median + (empiricalQuantile(sorted, level) - median) * stretch,
  );
}
