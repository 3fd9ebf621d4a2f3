/**
 * The window of a series for a model of the forecast contract. A window counts in steps back from its origin, so a series
 * needs no clock: its last value stands at a made-up instant, and steps of a month are as good as any other.
 */
import type { ForecastWindow } from '../../forecast/types.ts';
import { buildWindow } from '../../forecast/window.ts';
import type { Series } from './request.ts';

export function windowOf({ name, values, frequency: { stepMs } }: Series): ForecastWindow {
  const lastStep = values.length - 1;
  return buildWindow(name, lastStep * stepMs, stepMs, (endMs, _stepMs, count) => {
    const past = new Float64Array(count).fill(Number.NaN);
    const end = Math.round(endMs / stepMs);
    for (let i = 0; i < count; i++) past[i] = values[end - count + 1 + i] ?? Number.NaN;
    return past;
  });
}
