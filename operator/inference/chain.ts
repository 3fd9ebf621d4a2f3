/** One scaler's forecast from the first forecaster of a chain that can serve, and what kept the others from it. */
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import { faultOf } from '../forecast/guard.ts';
import type {
  FailedAttempt,
  Forecaster,
  ForecastFailure,
  ForecastOutcome,
  ForecastWindow,
  QuantileForecast,
} from '../forecast/types.ts';
import { knownSteps } from '../forecast/window.ts';
import type { Batcher } from './batcher.ts';

export interface ChainLink {
  readonly id: string;
  forecast(window: ForecastWindow, signal: AbortSignal): Promise<QuantileForecast>;
}

const FAILURES: Readonly<Record<string, ForecastFailure>> = {
  FORECAST_NO_HISTORY: 'NoHistory',
  FORECAST_OVERLOADED: 'Overloaded',
  FORECAST_TIMEOUT: 'ModelTimeout',
  MODEL_TIMEOUT: 'ModelTimeout',
  MODEL_LOADING: 'ModelLoading',
  MODEL_QUARANTINED: 'ModelQuarantined',
  MODEL_INVALID: 'ModelInvalid',
  MODEL_MISSING: 'ModelMissing',
  MODEL_RUN_FAILED: 'ModelFailed',
};

/** What a forecaster threw, in the words of the condition ForecastReady. */
export function failedAttempt(id: string, error: unknown): FailedAttempt {
  const code = isForesailError(error) ? error.code : '';
  return { id, reason: FAILURES[code] ?? 'ModelFailed', message: messageOf(error) };
}

/** Rejects only with the signal's reason. */
export async function forecastByChain(
  links: readonly ChainLink[],
  window: ForecastWindow,
  signal: AbortSignal,
): Promise<ForecastOutcome> {
  const failed: FailedAttempt[] = [];
  for (const link of links) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next link is asked only when this one fails
      const forecast = await link.forecast(window, signal);
      const fault = faultOf(forecast, window);
      if (fault === undefined) return { kind: 'forecast', forecast, by: link.id, failed };
      failed.push({ id: link.id, reason: 'ForecastRejected', message: `the forecast ${fault}` });
    } catch (error) {
      signal.throwIfAborted();
      failed.push(failedAttempt(link.id, error));
    }
  }
  // The chosen forecaster's reason is what a user can act on; the simple ones merely had no history either.
  const first = failed[0];
  return {
    kind: 'unavailable',
    reason: first?.reason ?? 'ModelMissing',
    message: first?.message ?? 'no forecaster is configured',
    failed,
  };
}

/**
 * The links with those named in `order` first. Where its first is none of ours (the learner knew another model file), the
 * chain's own first keeps its place, so that a model that cannot serve is asked and its reason told.
 */
export function ordered(links: readonly ChainLink[], order: readonly string[]): readonly ChainLink[] {
  const [leader] = order;
  const strange = leader !== undefined && !links.some(({ id }) => id === leader);
  const ids = strange ? [...links.slice(0, 1).map(({ id }) => id), ...order] : order;
  const named = [...new Set(ids)].flatMap((id) => links.filter((link) => link.id === id));
  return [...named, ...links.filter((link) => !ids.includes(link.id))];
}

/**
 * A model, whose windows are gathered into runs.
 *
 * @param minKnown fewer known steps in a window are no history for a model
 */
export function batchedLink(batcher: Batcher, minKnown = 16): ChainLink {
  return {
    id: batcher.id,
    forecast: (window, signal) =>
      knownSteps(window) < minKnown
        ? Promise.reject(
            new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too few values in the window'),
          )
        : batcher.forecast(window, signal),
  };
}

/** A forecaster that takes one window at a time. */
export function linkOf(forecaster: Forecaster): ChainLink {
  return {
    id: forecaster.id,
    async forecast(window, signal) {
      const [forecast] = await forecaster.forecast([window], signal);
      if (forecast === undefined) throw new ForesailError('MODEL_RUN_FAILED', 'transient', 'no answer');
      return forecast;
    },
  };
}
