/** After a failure a forecaster is left alone for a moment: a server that is away must not cost every look its time-out. */
import type { Clock } from '../../clock.ts';
import type { Forecaster } from '../../forecast/types.ts';

/** Less than the time between two looks, so that each look tries once. */
const REST_MS = 5_000;

export interface Resting extends Forecaster {
  /** What it failed with when it was asked last; undefined when it answered. */
  readonly failure: unknown;
}

export function resting(forecaster: Forecaster, clock: Pick<Clock, 'monotonic'>): Resting {
  let failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  return {
    id: forecaster.id,
    get failure() {
      return failure?.error;
    },
    async forecast(windows, signal) {
      if (failure !== undefined && clock.monotonic() < failure.untilMs) throw failure.error;
      try {
        const forecasts = await forecaster.forecast(windows, signal);
        failure = undefined;
        return forecasts;
      } catch (error) {
        if (!signal.aborted) failure = { error, untilMs: clock.monotonic() + REST_MS };
        throw error;
      }
    },
  };
}
