/** After a failure a forecaster is left alone for a moment: a server that is away must not cost every look its time-out. */
import type { Clock } from '../clock.ts';
import type { Forecaster } from '../forecast/types.ts';

/** Less than the time between two looks, so that each look tries once. */
const REST_MS = 5_000;

export function resting(forecaster: Forecaster, clock: Pick<Clock, 'monotonic'>): Forecaster {
  let failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  return {
    id: forecaster.id,
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
