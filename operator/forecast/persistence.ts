/**
 * "It stays as it is": the last known value, with the band that the load's own moves of the same length had in the
 * window. The simplest honest forecast, and the one that needs least history.
 */
import { ForesailError } from '../errors.ts';
import { ANCHORS, betweenAnchors } from './horizons.ts';
import { builtin, MIN_RESIDUALS, residualQuantiles } from './residuals.ts';
import {
  type Forecaster,
  type ForecastWindow,
  MODEL_HORIZON,
  MODEL_LEVELS,
  type QuantileForecast,
} from './types.ts';
import { lastKnown } from './window.ts';

const MODEL = builtin('persistence');
/** A value older than this many steps does not stand for "now". */
const MAX_AGE_STEPS = 8;

export const persistence: Forecaster = {
  id: MODEL.name,
  async forecast(windows, signal) {
    signal.throwIfAborted();
    return windows.map(forecastOne);
  },
};

function forecastOne(window: ForecastWindow): QuantileForecast {
  const last = lastKnown(window);
  if (last === undefined || last.age > MAX_AGE_STEPS) {
    throw new ForesailError('FORECAST_NO_HISTORY', 'transient', 'no value in the last steps', {
      subject: window.key,
    });
  }
  const bands: Float64Array[] = [];
  for (const steps of ANCHORS) {
    const errors = moves(window.context, steps + last.age);
    // A long move that the window cannot show yet: the longest known one, grown as a random walk grows.
    const widest = bands.at(-1);
    if (errors.length >= MIN_RESIDUALS) bands.push(residualQuantiles(errors));
    else if (widest !== undefined) {
      const growth = Math.sqrt(steps / (ANCHORS[bands.length - 1] ?? steps));
      bands.push(widest.map((offset) => offset * growth));
    } else {
      throw new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too few values in the window', {
        subject: window.key,
      });
    }
  }
  return fromBands(window, MODEL, bands, () => last.value);
}

/**
 * A forecast from a centre per step (1-based) and error quantiles per anchor. Nothing is below zero where the window
 * has nothing below zero: most loads are counts.
 */
export function fromBands(
  window: ForecastWindow,
  model: QuantileForecast['model'],
  bands: readonly Float64Array[],
  centre: (h: number) => number,
): QuantileForecast {
  const width = MODEL_LEVELS.length;
  const values = new Float32Array(MODEL_HORIZON * width);
  const floor = window.context.some((value) => value < 0) ? Number.NEGATIVE_INFINITY : 0;
  for (let h = 1; h <= MODEL_HORIZON; h++) {
    const { low, high, share } = betweenAnchors(h);
    const middle = centre(h);
    for (let i = 0; i < width; i++) {
      const a = bands[low]?.[i] ?? Number.NaN;
      const b = bands[high]?.[i] ?? Number.NaN;
      values[(h - 1) * width + i] = Math.max(middle + a + share * (b - a), floor);
    }
  }
  return {
    originMs: window.originMs,
    stepMs: window.stepMs,
    horizon: MODEL_HORIZON,
    levels: MODEL_LEVELS,
    values,
    model,
  };
}

/** All known differences x[t + steps] - x[t]. */
function moves(context: Float32Array, steps: number): Float64Array {
  const out = new Float64Array(Math.max(context.length - steps, 0));
  let count = 0;
  for (let t = steps; t < context.length; t++) {
    const move = (context[t] ?? Number.NaN) - (context[t - steps] ?? Number.NaN);
    if (!Number.isNaN(move)) out[count++] = move;
  }
  return out.subarray(0, count);
}
