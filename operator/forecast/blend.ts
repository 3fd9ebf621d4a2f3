/** The weighted mean of several forecasts, quantile by quantile (Vincent): in order, because each of them is. */
import { forecastQuantile } from './quantiles.ts';
import { builtin } from './residuals.ts';
import { MODEL_LEVELS, type QuantileForecast } from './types.ts';

const MODEL = builtin('ensemble');
/** A weight below this share of the largest changes nothing that counts. */
const NEGLIGIBLE = 0.01;

export interface Part {
  readonly forecast: QuantileForecast;
  /** Not negative; they need not add up to 1. */
  readonly weight: number;
}

/**
 * @param parts forecasts from the same origin and step
 * @returns as long as the shortest part, at MODEL_LEVELS; undefined without a positive weight
 */
export function blend(parts: readonly Part[]): QuantileForecast | undefined {
  const most = Math.max(0, ...parts.map((part) => part.weight));
  const heard = parts.filter((part) => part.weight > 0 && part.weight >= NEGLIGIBLE * most);
  const [first] = heard;
  if (first === undefined) return undefined;
  const total = heard.reduce((sum, part) => sum + part.weight, 0);
  const horizon = Math.min(...heard.map((part) => part.forecast.horizon));
  const width = MODEL_LEVELS.length;
  const values = new Float32Array(horizon * width);
  for (const { forecast, weight } of heard) {
    const own = weight / total;
    const same = forecast.levels === MODEL_LEVELS || sameLevels(forecast.levels);
    for (let h = 0; h < horizon; h++) {
      MODEL_LEVELS.forEach((level, i) => {
        const at = h * width + i;
        const value = same ? (forecast.values[at] ?? Number.NaN) : forecastQuantile(forecast, h, level);
        values[at] = (values[at] ?? 0) + own * value;
      });
    }
  }
  const { originMs, stepMs } = first.forecast;
  return { originMs, stepMs, horizon, levels: MODEL_LEVELS, values, model: MODEL };
}

function sameLevels(levels: readonly number[]): boolean {
  return levels.length === MODEL_LEVELS.length && levels.every((level, i) => level === MODEL_LEVELS[i]);
}
