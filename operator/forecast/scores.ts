/** Measures of forecasts, as in the literature; shared by the choice of a forecaster and by benches. */
import type { QuantileForecast } from './types.ts';

/** Pinball (quantile) loss of a quantile `q` at `level` against what came. In the load's unit, not negative. */
export function pinball(level: number, q: number, value: number): number {
  return value >= q ? level * (value - q) : (1 - level) * (q - value);
}

/**
 * Weighted quantile loss: `2 * sum of pinball / sum of |value|`, averaged over the levels; the usual stand-in for
 * CRPS. NaN values are left out; NaN when nothing is left or all values are zero.
 *
 * @param values what came, one per step ahead
 */
export function weightedQuantileLoss(forecast: QuantileForecast, values: ArrayLike<number>): number {
  const width = forecast.levels.length;
  let loss = 0;
  let scale = 0;
  for (let h = 0; h < Math.min(forecast.horizon, values.length); h++) {
    const value = values[h] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    scale += Math.abs(value);
    for (let i = 0; i < width; i++) {
      loss += pinball(forecast.levels[i] ?? 0.5, forecast.values[h * width + i] ?? Number.NaN, value);
    }
  }
  return scale === 0 ? Number.NaN : (2 * loss) / width / scale;
}

/**
 * Mean absolute scaled error (Hyndman & Koehler 2006): mean |value - forecast| over the mean absolute change of the
 * past over one `season`. NaN when the past has no such change.
 */
export function mase(
  forecast: ArrayLike<number>,
  values: ArrayLike<number>,
  past: ArrayLike<number>,
  season: number,
): number {
  const scale = meanOf(past.length - season, (i) => Math.abs((past[i + season] ?? NaN) - (past[i] ?? NaN)));
  const error = meanOf(values.length, (i) => Math.abs((values[i] ?? NaN) - (forecast[i] ?? NaN)));
  return scale > 0 ? error / scale : Number.NaN;
}

function meanOf(count: number, at: (i: number) => number): number {
  let sum = 0;
  let known = 0;
  for (let i = 0; i < count; i++) {
    const value = at(i);
    if (Number.isNaN(value)) continue;
    sum += value;
    known++;
  }
  return known === 0 ? Number.NaN : sum / known;
}
