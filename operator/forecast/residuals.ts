/** Bands of the simple forecasters: what their errors were on the same window, at the levels of the box model. */
import { empiricalQuantile } from './quantiles.ts';
import { MODEL_LEVELS, type ModelRef } from './types.ts';

/** Steps ahead at which bands are estimated; between them they are interpolated. */
export const ANCHORS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64] as const;

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

/** Weight and neighbours of step `h` (1-based) among ANCHORS. */
export function betweenAnchors(h: number): { low: number; high: number; share: number } {
  let high = 0;
  while (high < ANCHORS.length - 1 && (ANCHORS[high] ?? 0) < h) high++;
  const upper = ANCHORS[high] ?? h;
  if (high === 0 || upper <= h) return { low: high, high, share: 0 };
  const lower = ANCHORS[high - 1] ?? h;
  return { low: high - 1, high, share: (h - lower) / (upper - lower) };
}
