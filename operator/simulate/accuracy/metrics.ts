/**
 * Measures of forecasts over many origins at one horizon, as in the literature. All take what came, `y` [n], and what
 * was forecast: a point [n] or quantiles [n, LEVELS] row-major. Values are known (no NaN); a measure that cannot be
 * told is NaN. The trainer's `metrics.py` says the same.
 */

/** WQL is taken over these, as GIFT-Eval and Chronos do. */
export const WQL_LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] as const;
/** What replicas are bought for. */
export const TAIL_LEVELS = [0.9, 0.95, 0.99] as const;
/** Columns of a matrix of quantiles here. */
export const LEVELS: readonly number[] = [...WQL_LEVELS, 0.95, 0.99];
export const WIDTH = LEVELS.length;
const MEDIAN = LEVELS.indexOf(0.5);

export function columnOf(quantiles: Float64Array, level: number): Float64Array {
  const column = LEVELS.indexOf(level);
  return Float64Array.from({ length: quantiles.length / WIDTH }, (_, i) => at(quantiles, i * WIDTH + column));
}

export function medianOf(quantiles: Float64Array): Float64Array {
  return columnOf(quantiles, LEVELS[MEDIAN] ?? 0.5);
}

/** Mean pinball (quantile) loss of the forecasts `q` of a level, in the load's unit. */
export function meanPinball(y: Float64Array, q: Float64Array, level: number): number {
  return mean(y, (value, i) => {
    const error = value - at(q, i);
    return Math.max(level * error, (level - 1) * error);
  });
}

/** Weighted quantile loss: mean over 0.1…0.9 of 2 x sum of pinball / sum of |y|. A proxy of CRPS over mean load. */
export function wql(y: Float64Array, quantiles: Float64Array): number {
  let total = 0;
  for (const level of WQL_LEVELS) total += 2 * meanPinball(y, columnOf(quantiles, level), level);
  return ratio(total / WQL_LEVELS.length, mean(y, Math.abs));
}

/** Sum of |error| / sum of |y|. It is the WQL of a point taken as every quantile. */
export function wape(y: Float64Array, point: Float64Array): number {
  return ratio(mae(y, point), mean(y, Math.abs));
}

export function mae(y: Float64Array, point: Float64Array): number {
  return mean(y, (value, i) => Math.abs(value - at(point, i)));
}

export function rmse(y: Float64Array, point: Float64Array): number {
  return Math.sqrt(mean(y, (value, i) => (value - at(point, i)) ** 2));
}

/** Mean |error| / |y| over values other than 0; NaN when there are none. */
export function mape(y: Float64Array, point: Float64Array): number {
  let sum = 0;
  let count = 0;
  y.forEach((value, i) => {
    if (value === 0) return;
    sum += Math.abs((value - at(point, i)) / value);
    count++;
  });
  return count === 0 ? Number.NaN : sum / count;
}

/** 1 - sum of squared errors / sum of squares around the mean; NaN when every value is the same. */
export function r2(y: Float64Array, point: Float64Array): number {
  const middle = mean(y, (value) => value);
  const spread = mean(y, (value) => (value - middle) ** 2);
  return spread > 0 ? 1 - mean(y, (value, i) => (value - at(point, i)) ** 2) / spread : Number.NaN;
}

/** Mean of forecast minus value over mean |y|: above 0 is too high. */
export function bias(y: Float64Array, point: Float64Array): number {
  return mean(y, (value, i) => at(point, i) - value) / Math.max(mean(y, Math.abs), 1e-12);
}

/** Share of values above the forecast (it was too low), and below it. */
export function missRates(y: Float64Array, point: Float64Array): { under: number; over: number } {
  return {
    under: mean(y, (value, i) => Number(value > at(point, i))),
    over: mean(y, (value, i) => Number(value < at(point, i))),
  };
}

/** Share of values at or below their forecast quantile: the level itself, if calibrated. NaN of none. */
export function coverage(
  y: Float64Array,
  q: Float64Array,
  among: (value: number) => boolean = () => true,
): number {
  let held = 0;
  let count = 0;
  y.forEach((value, i) => {
    if (!among(value)) return;
    count++;
    if (value <= at(q, i)) held++;
  });
  return count === 0 ? Number.NaN : held / count;
}

/**
 * Scale of MASE (Hyndman & Koehler 2006): mean |x(t) - x(t - season)| over the training part, unknown values left
 * out. NaN when no pair is known.
 */
export function seasonalScale(training: Float64Array, season: number): number {
  let sum = 0;
  let count = 0;
  for (let t = season; t < training.length; t++) {
    const change = Math.abs(at(training, t) - at(training, t - season));
    if (Number.isNaN(change)) continue;
    sum += change;
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

/** Linear between order statistics at `i / (n - 1)` (type 7 of Hyndman & Fan 1996); unknown values left out. */
export function quantileOf(values: ArrayLike<number>, level: number): number {
  const sorted = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  return sortedQuantile(sorted, level);
}

export function sortedQuantile(sorted: Float64Array, level: number): number {
  if (sorted.length === 0) return Number.NaN;
  const exact = level * (sorted.length - 1);
  const low = Math.floor(exact);
  const a = at(sorted, low);
  return a + (exact - low) * (at(sorted, Math.min(low + 1, sorted.length - 1)) - a);
}

/** Of the positive and finite ones; NaN of none. */
export function geometricMean(ratios: readonly (number | null)[]): number {
  const logs = ratios
    .filter((one) => one !== null && one > 0 && Number.isFinite(one))
    .map((one) => Math.log(one ?? 1));
  return logs.length === 0 ? Number.NaN : Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/** 0 / 0 is 0 (a perfect forecast of nothing); anything else over 0 is infinite. */
export function ratio(a: number, b: number): number {
  if (b > 0) return a / b;
  return a === 0 ? 0 : Number.POSITIVE_INFINITY;
}

/** JSON knows no NaN and no infinity. */
export function told(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function mean(y: Float64Array, of: (value: number, i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += of(at(y, i), i);
  return y.length === 0 ? Number.NaN : sum / y.length;
}

function at(values: Float64Array, i: number): number {
  return values[i] ?? Number.NaN;
}
