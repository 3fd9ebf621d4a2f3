/** From a forecast to what the decision needs: the load that holds with the asked coverage through the lead window. */
import type { Calibration } from './calibration.ts';
import type { QuantileForecast, UpperLoadPath } from './types.ts';

export interface PathWindow {
  /** Load time of the decision; steps that ended before it are left out. */
  readonly fromMs: number;
  /** How far ahead, in load time; of an order the lead window (lead-window.ts). */
  readonly windowMs: number;
}

/**
 * The calibrated upper load for every step that overlaps `[fromMs, fromMs + windowMs]`. A forecast that was made a
 * while ago is read from where the decision is now, so it serves until its own horizon ends.
 *
 * @returns undefined when the forecast does not reach `fromMs` any more
 */
export function upperLoadPath(
  forecast: QuantileForecast,
  calibration: Calibration,
  window: PathWindow,
): UpperLoadPath | undefined {
  return path(forecast, calibration, window, (h) => calibration.upper(forecast, h));
}

/** The same at any level, read from the scores alone. */
export function planPath(
  forecast: QuantileForecast,
  calibration: Calibration,
  window: PathWindow,
  level: number,
): UpperLoadPath | undefined {
  return path(forecast, calibration, window, (h) => calibration.quantile(forecast, h, level));
}

function path(
  forecast: QuantileForecast,
  calibration: Calibration,
  window: PathWindow,
  load: (h: number) => number,
): UpperLoadPath | undefined {
  const { stepMs, originMs, horizon } = forecast;
  // Step h covers [originMs + h * stepMs, originMs + (h + 1) * stepMs).
  const first = Math.max(Math.floor((window.fromMs - originMs) / stepMs), 1);
  const wanted = Math.floor((window.fromMs + window.windowMs - originMs) / stepMs);
  if (first > horizon) return undefined;
  const last = Math.max(Math.min(wanted, horizon), first);
  const loadMilli = new Float64Array(last - first + 1);
  for (let h = first; h <= last; h++) loadMilli[h - first] = load(h) * 1000;
  return {
    loadMilli,
    stepMs,
    fromMs: originMs + first * stepMs,
    confidence: calibration.confidence(last),
    truncated: wanted > horizon,
  };
}
