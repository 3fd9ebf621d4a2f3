/**
 * Cuts the input of a forecast out of the past. It says the same as `windows.py` of the trainer: nothing after the
 * origin enters, and where a lag is shorter than the window (coarse steps) the part that lies ahead is NaN.
 */
import { CONTEXT_LENGTH, type ForecastWindow, SEASON_LAGS_DAYS, SEASON_WINDOW } from './types.ts';

const DAY_MS = 86_400_000;

/** Reads `count` steps of `stepMs`, oldest first, the last one containing `endMs`; NaN where unknown. */
export type PastReader = (endMs: number, stepMs: number, count: number) => Float64Array;

/** The season lags in whole steps, at least one each. */
export function seasonLagSteps(stepMs: number): number[] {
  return SEASON_LAGS_DAYS.map((days) => Math.max(1, Math.round((days * DAY_MS) / stepMs)));
}

/**
 * The window whose last step contains `originMs`. The origin is moved back to the start of its step.
 * Cost: 512 + 4 x 128 reads, whatever the length of the past.
 */
export function buildWindow(key: string, originMs: number, stepMs: number, past: PastReader): ForecastWindow {
  const origin = Math.floor(originMs / stepMs) * stepMs;
  const context = Float32Array.from(past(origin, stepMs, CONTEXT_LENGTH));
  const width = 2 * SEASON_WINDOW;
  const seasonal = new Float32Array(SEASON_LAGS_DAYS.length * width).fill(Number.NaN);
  seasonLagSteps(stepMs).forEach((lag, row) => {
    // Column c is the step origin + (c + 1 - SEASON_WINDOW) - lag; columns after the origin stay unknown.
    const usable = Math.min(width, SEASON_WINDOW + lag);
    const lastMs = origin + (usable - SEASON_WINDOW - lag) * stepMs;
    seasonal.set(past(lastMs, stepMs, usable), row * width);
  });
  return {
    key,
    context,
    seasonal,
    originMs: origin,
    stepMs,
    past: (count) => past(origin, stepMs, count),
  };
}

/** Number of known steps in the context. */
export function knownSteps(window: ForecastWindow): number {
  let known = 0;
  for (const value of window.context) if (!Number.isNaN(value)) known++;
  return known;
}

/** The newest known value and how many steps before the origin it lies; undefined when nothing is known. */
export function lastKnown(window: ForecastWindow): { value: number; age: number } | undefined {
  for (let i = window.context.length - 1; i >= 0; i--) {
    const value = window.context[i] ?? Number.NaN;
    if (!Number.isNaN(value)) return { value, age: window.context.length - 1 - i };
  }
  return undefined;
}
