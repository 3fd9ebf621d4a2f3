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
/** Lengths of move whose quantiles are taken from the window: sorting is what a forecast costs. */
const MEASURED = [1, 4, 16, 64] as const;
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
  const measured: { steps: number; band: Float64Array }[] = [];
  for (const steps of MEASURED) {
    const errors = moves(window.context, steps + last.age);
    // Long moves that the window cannot show yet are left to the growth of a random walk.
    if (errors.length >= MIN_RESIDUALS) measured.push({ steps, band: residualQuantiles(errors) });
    else break;
  }
  const [shortest] = measured;
  if (shortest === undefined) {
    throw new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too few values in the window', {
      subject: window.key,
    });
  }
  const bands = ANCHORS.map((steps) => {
    const low = measured.findLast((one) => one.steps <= steps) ?? shortest;
    const high = measured.find((one) => one.steps >= steps);
    if (high === undefined || high === low) {
      return low.band.map((offset) => offset * Math.sqrt(steps / low.steps));
    }
    // Between two measured lengths linear in the root of the length, as a random walk grows.
    const share = (Math.sqrt(steps) - Math.sqrt(low.steps)) / (Math.sqrt(high.steps) - Math.sqrt(low.steps));
    return low.band.map((offset, i) => offset + share * ((high.band[i] ?? offset) - offset));
  });
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
  const floor = isEverNegative(window.context) ? Number.NEGATIVE_INFINITY : 0;
  for (let h = 1; h <= MODEL_HORIZON; h++) {
    const { low, high, share } = betweenAnchors(h);
    const middle = centre(h);
    const [below, above] = [bands[low], bands[high]];
    for (let i = 0; i < width; i++) {
      const a = below?.[i] ?? Number.NaN;
      const b = above?.[i] ?? Number.NaN;
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

function isEverNegative(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if ((values[i] as number) < 0) return true;
  return false;
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
