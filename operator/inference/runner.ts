/** Turns windows into runs of a model and runs into forecasts, wherever the model runs. */
import { repairCrossing } from '../forecast/quantiles.ts';
import {
  CONTEXT_LENGTH,
  type ForecastWindow,
  type QuantileForecast,
  SEASON_LAGS_DAYS,
  SEASON_WINDOW,
} from '../forecast/types.ts';
import type { ModelDescriptor } from './types.ts';

/** What of a model's description a forecast carries. */
export type ForecastHead = Pick<ModelDescriptor, 'name' | 'version' | 'digest' | 'horizon' | 'levels'>;

export const SEASONAL_LENGTH = SEASON_LAGS_DAYS.length * 2 * SEASON_WINDOW;

/** Rounding may let neighbours touch; more than this share of the magnitude is a fault the guard has to see. */
const ROUNDING = 1e-6;

export type RunBatch = (
  context: Float32Array,
  seasonal: Float32Array,
  batch: number,
  signal: AbortSignal,
) => Promise<Float32Array>;

/** Runs windows in batches of at most `maxBatch`, in order, one batch after the other. */
export async function forecastWith(
  run: RunBatch,
  descriptor: ForecastHead,
  windows: readonly ForecastWindow[],
  maxBatch: number,
  signal: AbortSignal,
): Promise<QuantileForecast[]> {
  const forecasts: QuantileForecast[] = [];
  for (let first = 0; first < windows.length; first += maxBatch) {
    signal.throwIfAborted();
    const batch = windows.slice(first, first + maxBatch);
    const { context, seasonal } = pack(batch);
    // oxlint-disable-next-line no-await-in-loop -- one model runs one batch at a time
    const values = await run(context, seasonal, batch.length, signal);
    batch.forEach((window, i) => forecasts.push(unpack(values, i, window, descriptor)));
  }
  return forecasts;
}

/** Inputs of one run: context [batch, 512] and seasonal [batch, 4, 128], row-major. */
export function pack(windows: readonly ForecastWindow[]): { context: Float32Array; seasonal: Float32Array } {
  const context = new Float32Array(windows.length * CONTEXT_LENGTH);
  const seasonal = new Float32Array(windows.length * SEASONAL_LENGTH);
  windows.forEach((window, i) => {
    context.set(window.context, i * CONTEXT_LENGTH);
    seasonal.set(window.seasonal, i * SEASONAL_LENGTH);
  });
  return { context, seasonal };
}

function unpack(
  values: Float32Array,
  row: number,
  window: ForecastWindow,
  descriptor: ForecastHead,
): QuantileForecast {
  const { horizon, levels } = descriptor;
  const size = horizon * levels.length;
  const own = values.slice(row * size, (row + 1) * size);
  if (crossesByRoundingOnly(own, levels.length)) repairCrossing(own, levels.length);
  return {
    originMs: window.originMs,
    stepMs: window.stepMs,
    horizon,
    levels,
    values: own,
    model: { name: descriptor.name, version: descriptor.version, digest: descriptor.digest },
  };
}

function crossesByRoundingOnly(values: Float32Array, width: number): boolean {
  let crosses = false;
  for (let i = 1; i < values.length; i++) {
    if (i % width === 0) continue;
    const before = values[i - 1] ?? 0;
    const value = values[i] ?? 0;
    if (value >= before) continue;
    if (!(before - value <= ROUNDING * Math.max(Math.abs(before), Math.abs(value)))) return false;
    crosses = true;
  }
  return crosses;
}

/** Inputs every sound model answers with finite numbers: a ramp without seasons, and a flat week. */
export function probeInputs(): { context: Float32Array; seasonal: Float32Array; batch: number } {
  const context = new Float32Array(2 * CONTEXT_LENGTH);
  for (let i = 0; i < CONTEXT_LENGTH; i++) {
    context[i] = i + 1;
    context[CONTEXT_LENGTH + i] = 5;
  }
  const seasonal = new Float32Array(2 * SEASONAL_LENGTH).fill(Number.NaN, 0, SEASONAL_LENGTH);
  seasonal.fill(5, SEASONAL_LENGTH);
  return { context, seasonal, batch: 2 };
}
