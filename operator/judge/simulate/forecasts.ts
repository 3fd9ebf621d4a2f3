/** A forecaster's forecasts of a recorded load, a fixed number of steps ahead, set beside what came. */
import { forecastQuantile } from '../../forecast/quantiles.ts';
import type { Forecaster } from '../../forecast/types.ts';
import { knownSteps } from '../../forecast/window.ts';
import { type Scene, windowAt } from '../../simulate/accuracy/scene.ts';
import type { Trace } from '../../simulate/trace.ts';

export const LEVELS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] as const;
const MIN_KNOWN = 16;

/**
 * @param leads steps ahead
 * @param from first step that is forecast
 * @returns per lead [steps from `from` on, LEVELS]; NaN where there is no forecast
 */
export async function forecastsOf(
  scene: Scene,
  forecaster: Forecaster,
  leads: readonly number[],
  from: number,
  batch: number,
  signal: AbortSignal,
): Promise<Float64Array[]> {
  const width = LEVELS.length;
  const steps = scene.truth.length - from;
  const out = leads.map(() => new Float64Array(steps * width).fill(Number.NaN));
  const first = Math.max(from - Math.max(...leads), 0);
  for (let start = first; start < scene.truth.length - 1; start += batch) {
    signal.throwIfAborted();
    const origins = Array.from(
      { length: Math.min(batch, scene.truth.length - 1 - start) },
      (_, i) => start + i,
    );
    const windows = origins
      .map((origin) => ({ origin, window: windowAt(scene, origin) }))
      .filter(({ window }) => knownSteps(window) >= MIN_KNOWN);
    if (windows.length === 0) continue;
    // oxlint-disable-next-line no-await-in-loop -- one forecaster, in the order of time
    const forecasts = await forecaster.forecast(
      windows.map(({ window }) => window),
      signal,
    );
    windows.forEach(({ origin }, i) => {
      const forecast = forecasts[i];
      leads.forEach((lead, l) => {
        const row = origin + lead - from;
        if (forecast === undefined || lead > forecast.horizon || row < 0 || row >= steps) return;
        LEVELS.forEach((level, k) => {
          const matrix = out[l];
          if (matrix !== undefined) matrix[row * width + k] = forecastQuantile(forecast, lead - 1, level);
        });
      });
    });
  }
  return out;
}

/** The mean of each `stepMs`; undefined where the trace's own step is no part of it. A mean of none is unknown. */
export function coarsened(trace: Trace, stepMs: number): Trace | undefined {
  const per = stepMs / trace.stepMs;
  if (!Number.isInteger(per)) return undefined;
  const skip = ((stepMs - (trace.startMs % stepMs)) % stepMs) / trace.stepMs;
  const count = Math.floor((trace.values.length - skip) / per);
  const values = Float64Array.from({ length: Math.max(count, 0) }, (_, i) => {
    const part = trace.values
      .subarray(skip + i * per, skip + (i + 1) * per)
      .filter((value) => !Number.isNaN(value));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  return { name: trace.name, startMs: trace.startMs + skip * trace.stepMs, stepMs, values };
}
