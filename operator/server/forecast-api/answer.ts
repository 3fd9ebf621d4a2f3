/** A forecast in KServe's shape: the mean and the quantiles asked for, from the quantiles that the model gives. */
import { quantileAt } from '../../forecast/quantiles.ts';
import type { QuantileForecast } from '../../forecast/types.ts';
import { invalid } from '../core/errors.ts';
import type { ForecastRequest, Series } from './request.ts';

export interface ForecastContent {
  readonly type: 'univariate_time_series';
  readonly name: string;
  readonly mean_forecast: readonly number[];
  readonly frequency: string;
  readonly start_timestamp: string;
  readonly quantiles: Readonly<Record<string, readonly number[]>>;
}

/** What the model can answer; beyond it nothing is made up. @throws INPUT_INVALID */
export function checkReach(
  { horizon, quantiles }: ForecastRequest,
  head: { readonly horizon: number; readonly levels: readonly number[] },
): void {
  if (horizon > head.horizon)
    throw invalid(
      'options.horizon',
      `options.horizon is ${horizon}; the model reaches ${head.horizon} steps`,
    );
  const [least = 1, most = 0] = [head.levels[0], head.levels.at(-1)];
  const beyond = quantiles.find((level) => level < least || level > most);
  if (beyond !== undefined)
    throw invalid('options.quantiles', `options.quantiles: ${beyond} is not between ${least} and ${most}`);
}

/** @param nowMs the current step, where the caller did not say when the series starts */
export function contentOf(
  series: Series,
  forecast: QuantileForecast,
  { horizon, quantiles }: ForecastRequest,
  nowMs: number,
): ForecastContent {
  const { levels, values } = forecast;
  const rows = Array.from({ length: horizon }, (_, step) => step * levels.length);
  return {
    type: 'univariate_time_series',
    name: series.name,
    mean_forecast: rows.map((row) => meanOf(levels, values, row)),
    frequency: series.frequencyText,
    start_timestamp: instant(startOf(series, nowMs)),
    quantiles: Object.fromEntries(
      quantiles.map((level) => [String(level), rows.map((row) => quantileAt(levels, values, row, level))]),
    ),
  };
}

/**
 * The mean of one row of quantiles: the integral of the quantile function over (0, 1), linear between the levels and flat
 * beyond the outermost ones. Where the outer levels are 0.01 and 0.99 the flat tails cost less than 1 % of a normal's
 * spread.
 */
export function meanOf(levels: readonly number[], values: ArrayLike<number>, offset: number): number {
  const p = (i: number) => levels[i] ?? Number.NaN;
  const q = (i: number) => values[offset + i] ?? Number.NaN;
  const last = levels.length - 1;
  let mean = p(0) * q(0) + (1 - p(last)) * q(last);
  for (let i = 1; i <= last; i++) mean += ((p(i) - p(i - 1)) * (q(i) + q(i - 1))) / 2;
  return mean;
}

/** The first step after the series. */
function startOf({ startMs, values, frequency }: Series, nowMs: number): number {
  if (startMs !== undefined) return frequency.after(startMs, values.length);
  const { stepMs } = frequency;
  return frequency.after(Math.floor(nowMs / stepMs) * stepMs, 1);
}

/** Without fractions of a second where there are none: KServe's clients parse that form. */
function instant(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
