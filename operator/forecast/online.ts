/**
 * Keeps what a forecaster has fitted on each series: fits once, then takes in each new step for itself, and fits anew
 * now and then, a few series per step, so that a thousand scalers never fit in the same one. The step that still runs
 * is part of a forecast but not yet of what was learned: its value may change.
 */
import { ForesailError } from '../errors.ts';
import { fromBands } from './persistence.ts';
import { type Forecaster, type ForecastWindow, MODEL_HORIZON, type ModelRef } from './types.ts';
import { lastKnown } from './window.ts';

export interface Ahead {
  /** Middle of the forecast `h` steps (1-based) after the origin. */
  readonly centre: (h: number) => number;
  /** Error quantiles at MODEL_LEVELS per horizon anchor, as `residualQuantiles` gives them. */
  readonly bands: readonly Float64Array[];
}

/** One method of forecasting; `S` is what it knows about one series, up to its last complete step. */
export interface Method<S> {
  readonly model: ModelRef;
  /** Steps of the past that a fit reads. */
  reach(stepMs: number): number;
  /**
   * @param past oldest first, NaN = unknown; the last one starts at `endMs`
   * @returns undefined when it is too short to fit
   */
  fit(past: Float64Array, endMs: number, stepMs: number): S | undefined;
  /** Takes in the step that starts at `atMs`, the one after the last; NaN = unknown. */
  advance(state: S, value: number, atMs: number): void;
  /** Forecasts as if the step at `atMs`, the one after the last, had `value`; leaves the state as it is. */
  ahead(state: S, value: number, atMs: number): Ahead;
  /** A window whose newest value is older than this many steps is refused; default MODEL_HORIZON. */
  readonly maxAge?: number;
}

export interface OnlineOptions {
  /** A fit older than this many steps is renewed; default 360. */
  readonly refitSteps?: number;
  /** Series whose fits are kept; default 5000. */
  readonly maxSeries?: number;
  /** New fits per origin; default 8. */
  readonly fitsPerStep?: number;
}

/** Steps until a series that was too short is tried again. */
const RETRY_STEPS = 16;

interface Kept<S> {
  readonly state: S;
  readonly stepMs: number;
  readonly fittedMs: number;
  /** Start of the last step that the state has taken in. */
  endMs: number;
}

/** @throws FORECAST_NO_HISTORY (from `forecast`) while a series has no fit yet, or its past is too short for one */
export function online<S>(method: Method<S>, options: OnlineOptions = {}): Forecaster {
  const { refitSteps = 360, maxSeries = 5000, fitsPerStep = 8 } = options;
  const kept = new Map<string, Kept<S>>();
  /** When a series last proved too short: asking again at every step would only cost. */
  const tooShort = new Map<string, number>();
  let origin = Number.NaN;
  let budget = 0;

  function fitAnew(window: ForecastWindow): Kept<S> | undefined {
    const { stepMs, originMs, key } = window;
    const endMs = originMs - stepMs;
    const waited = (originMs - (tooShort.get(key) ?? Number.NEGATIVE_INFINITY)) / stepMs;
    if (budget <= 0 || (waited >= 0 && waited < RETRY_STEPS)) return undefined;
    budget--;
    const state = method.fit(pastOf(window, method.reach(stepMs) + 1).subarray(0, -1), endMs, stepMs);
    if (state === undefined) {
      remember(tooShort, key, originMs);
      return undefined;
    }
    tooShort.delete(key);
    const fresh = { state, stepMs, fittedMs: originMs, endMs };
    remember(kept, key, fresh);
    return fresh;
  }

  function remember<V>(map: Map<string, V>, key: string, value: V): void {
    map.delete(key);
    map.set(key, value);
    if (map.size > maxSeries) map.delete(map.keys().next().value ?? '');
  }

  /** The state of this series with every step before the origin taken in. */
  function upToDate(window: ForecastWindow): Kept<S> | undefined {
    const { stepMs, originMs, key } = window;
    let series = kept.get(key);
    const behind = series === undefined ? 0 : (originMs - series.endMs) / stepMs - 1;
    if (series !== undefined && (series.stepMs !== stepMs || behind < 0 || behind > method.reach(stepMs))) {
      series = undefined;
    }
    const age = series === undefined ? Number.POSITIVE_INFINITY : (originMs - series.fittedMs) / stepMs;
    const fresh = age > refitSteps ? fitAnew(window) : undefined;
    if (fresh !== undefined) return fresh;
    if (series === undefined || behind === 0) return series;
    const steps = pastOf(window, behind + 1);
    for (let i = 0; i < behind; i++) {
      series.endMs += stepMs;
      method.advance(series.state, steps[i] ?? Number.NaN, series.endMs);
    }
    return series;
  }

  return {
    id: method.model.name,
    async forecast(windows, signal) {
      signal.throwIfAborted();
      return windows.map((window) => {
        if (window.originMs !== origin) {
          origin = window.originMs;
          budget = fitsPerStep;
        }
        const newest = lastKnown(window);
        if (newest === undefined || newest.age > (method.maxAge ?? MODEL_HORIZON)) {
          throw noHistory(window, 'no value in the last steps');
        }
        const series = upToDate(window);
        if (series === undefined) throw noHistory(window, 'no fit has been made yet, or too little is known');
        const value = window.context.at(-1) ?? Number.NaN;
        const { centre, bands } = method.ahead(series.state, value, window.originMs);
        const { low, high } = believable(window);
        return fromBands(window, method.model, bands, (h) => Math.min(Math.max(centre(h), low), high));
      });
    },
  };
}

/** A trend that was drawn on leads nowhere the load has never been near: its range, once more on either side. */
function believable({ context, seasonal }: ForecastWindow): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const values of [context, seasonal]) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return { low: 2 * low - high, high: 2 * high - low };
}

function pastOf(window: ForecastWindow, count: number): Float64Array {
  return window.past?.(count) ?? Float64Array.from(window.context.slice(-count));
}

function noHistory(window: ForecastWindow, message: string): ForesailError {
  return new ForesailError('FORECAST_NO_HISTORY', 'transient', message, { subject: window.key });
}
