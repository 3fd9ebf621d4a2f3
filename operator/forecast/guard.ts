/**
 * The last look at a forecast before it may become replicas. A model can load, run in time and still talk nonsense;
 * such a forecast is refused as a whole, because half of a nonsense is not trustworthy either.
 */
import type { ForecastWindow, QuantileForecast } from './types.ts';

/** A forecast beyond this multiple of everything seen in the window is an explosion (a unit error is 1000). */
export const EXPLOSION_FACTOR = 1000;
/** Rounding of float32 may let neighbours cross by this share of the row's magnitude; that is repaired. */
const CROSSING_TOLERANCE = 1e-5;

/** Undefined when the forecast may be used, else what is wrong with it, for people. */
export function faultOf(forecast: QuantileForecast, window: ForecastWindow): string | undefined {
  const { levels, values, horizon } = forecast;
  const width = levels.length;
  if (width < 1 || horizon < 1 || values.length !== width * horizon) {
    return `has ${values.length} values, not ${horizon} x ${width}`;
  }
  if (forecast.originMs !== window.originMs || forecast.stepMs !== window.stepMs) {
    return 'belongs to another window';
  }
  for (let i = 0; i < width; i++) {
    const level = levels[i] ?? Number.NaN;
    const before = i === 0 ? 0 : (levels[i - 1] ?? Number.NaN);
    if (!(level > before && level < 1)) return 'has levels that do not increase inside (0, 1)';
  }
  const limit = EXPLOSION_FACTOR * Math.max(largest(window.context), largest(window.seasonal), 1e-6);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isFinite(value)) return `is not finite ${Math.floor(i / width) + 1} steps ahead`;
    if (Math.abs(value) > limit) {
      return `explodes to ${value.toPrecision(3)} ${Math.floor(i / width) + 1} steps ahead`;
    }
    if (i % width === 0) continue;
    const before = values[i - 1] ?? Number.NaN;
    if (before - value > CROSSING_TOLERANCE * Math.max(Math.abs(before), Math.abs(value))) {
      return `has crossing quantiles ${Math.floor(i / width) + 1} steps ahead`;
    }
  }
  return undefined;
}

function largest(values: Float32Array): number {
  let most = 0;
  // By index: an iterator over a thousand values would cost more than the model.
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] as number);
    if (size > most) most = size;
  }
  return most;
}
