/** Loads and forecasters whose scores can be told beforehand. */
import {
  type Forecaster,
  type ForecastWindow,
  MODEL_HORIZON,
  MODEL_LEVELS,
} from '../../../forecast/types.ts';
import type { Trace } from '../../trace.ts';
import type { Contender } from '../score.ts';

export const FIVE_MINUTES = 300_000;
export const DAY_STEPS = 288;

export function traceOf(name: string, values: readonly number[], stepMs = FIVE_MINUTES): Trace {
  return { name, startMs: 0, stepMs, values: Float64Array.from(values) };
}

/** Integers with a daily rhythm, made without a generator of random numbers so that any language makes the same. */
export function madeLoad(steps: number): number[] {
  return Array.from(
    { length: steps },
    (_, i) => 200 + Math.abs((i % DAY_STEPS) - 144) + ((i * 7919 + ((i * i) % 1013) * 31) % 41),
  );
}

/** The same centre at all steps ahead; quantiles `spread` apart from level 0.5 to 1 and to 0. */
export function forecasterOf(id: string, centre: (window: ForecastWindow) => number, spread = 0): Forecaster {
  return {
    id,
    forecast: (windows) =>
      Promise.resolve(
        windows.map((window) => {
          const middle = centre(window);
          const row = MODEL_LEVELS.map((level) => middle + 2 * spread * (level - 0.5));
          const values = new Float32Array(MODEL_HORIZON * row.length);
          for (let h = 0; h < MODEL_HORIZON; h++) values.set(row, h * row.length);
          return {
            originMs: window.originMs,
            stepMs: window.stepMs,
            horizon: MODEL_HORIZON,
            levels: MODEL_LEVELS,
            values,
            model: { name: id, version: '1', digest: 'builtin' },
          };
        }),
      ),
  };
}

export function contenderOf(forecaster: Forecaster, more: Partial<Contender> = {}): Contender {
  return {
    model: forecaster.id,
    open: () => [forecaster],
    batch: 64,
    maxOrigins: Number.POSITIVE_INFINITY,
    calibrated: false,
    trainedOn: () => false,
    ...more,
  };
}

/** What the window shows last. */
export function lastValue({ context }: ForecastWindow): number {
  return context.at(-1) ?? Number.NaN;
}
