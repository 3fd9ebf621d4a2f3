/** Reading a forecast at a level that it was not asked for, and keeping its quantiles in order. */
import { ForesailError } from '../errors.ts';
import type { QuantileForecast } from './types.ts';

/**
 * The quantile at `level` from one row of quantiles.
 *
 * Between two levels: linear in the level (a little high in the upper tail, where quantile functions are convex).
 * Beyond the outermost level: an exponential tail through the last two quantiles,
 * `q(p) = q_k + (q_k - q_{k-1}) * ln((1-p_k)/(1-p)) / ln((1-p_{k-1})/(1-p_k))`, and its mirror below. At 0.999 from
 * 0.95 and 0.99 that is 1.43 times their distance above q(0.99). It is an assumption; calibration corrects it.
 *
 * @param levels strictly increasing in (0, 1), at least one
 * @param values the quantiles, `levels.length` of them from `offset`
 * @throws QUANTILE_LEVEL_INVALID when `level` is not inside (0, 1)
 */
export function quantileAt(
  levels: readonly number[],
  values: ArrayLike<number>,
  offset: number,
  level: number,
): number {
  if (!(level > 0 && level < 1)) {
    throw new ForesailError('QUANTILE_LEVEL_INVALID', 'terminal', `level ${level} is not between 0 and 1`);
  }
  const count = levels.length;
  const p = (i: number): number => levels[i] ?? Number.NaN;
  const q = (i: number): number => values[offset + i] ?? Number.NaN;
  if (count === 1) return q(0);
  if (level > p(count - 1)) {
    const slope = (q(count - 1) - q(count - 2)) / Math.log((1 - p(count - 2)) / (1 - p(count - 1)));
    return q(count - 1) + slope * Math.log((1 - p(count - 1)) / (1 - level));
  }
  if (level < p(0)) {
    const slope = (q(1) - q(0)) / Math.log(p(1) / p(0));
    return q(0) - slope * Math.log(p(0) / level);
  }
  let upper = 1;
  while (p(upper) < level) upper++;
  const share = (level - p(upper - 1)) / (p(upper) - p(upper - 1));
  return q(upper - 1) + share * (q(upper) - q(upper - 1));
}

/** The quantile of a forecast `h` steps ahead (0-based row). */
export function forecastQuantile(forecast: QuantileForecast, h: number, level: number): number {
  return quantileAt(forecast.levels, forecast.values, h * forecast.levels.length, level);
}

/** Sorts every row in place (rearrangement, Chernozhukov et al. 2010); returns how many rows crossed. */
export function repairCrossing(values: Float32Array, width: number): number {
  let crossed = 0;
  for (let start = 0; start + width <= values.length; start += width) {
    for (let i = start + 1; i < start + width; i++) {
      if ((values[i] ?? 0) >= (values[i - 1] ?? 0)) continue;
      values.subarray(start, start + width).sort();
      crossed++;
      break;
    }
  }
  return crossed;
}

/**
 * Empirical quantile of sorted values, linear between the order statistics at `(i + 0.5) / n` (Hazen), the extremes
 * beyond. NaN when there are none.
 */
export function empiricalQuantile(sorted: ArrayLike<number>, level: number): number {
  const n = sorted.length;
  if (n === 0) return Number.NaN;
  const at = Math.min(Math.max(level * n - 0.5, 0), n - 1);
  const low = Math.floor(at);
  const a = sorted[low] ?? Number.NaN;
  const b = sorted[Math.min(low + 1, n - 1)] ?? a;
  return a + (at - low) * (b - a);
}
