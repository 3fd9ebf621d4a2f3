/** Plays a load to the drift watch as the operator would: forecast at every step, settle when its time has come. */
import { ForecastLearner } from '../../learner.ts';
import { MINUTE } from '../../testing/series.ts';
import type { Forecaster } from '../../types.ts';
import { buildWindow } from '../../window.ts';
import { DriftWatch } from '../watch.ts';
import { type Alarm, noteAlarm } from './alarms.ts';

export interface ReplayOptions {
  /** First origin; before it there is history only. */
  readonly fromMinute: number;
  readonly ahead: number;
  readonly coverage: number;
  /** Minutes for which coverage is counted. */
  readonly count: { readonly from: number; readonly to: number };
  readonly signal: AbortSignal;
}

export interface Replayed {
  readonly alarms: readonly Alarm[];
  /** Share of the forecasts from `countFrom` on whose calibrated upper load held, at the step `ahead`. */
  readonly coverage: number;
}

const AT_ONCE = 64;

export async function replay(
  forecaster: Forecaster,
  values: Float64Array,
  { fromMinute, ahead, coverage, count, signal }: ReplayOptions,
): Promise<Replayed> {
  const learner = new ForecastLearner({ stepMs: MINUTE, coverage, preferred: forecaster.id });
  const watch = new DriftWatch(MINUTE);
  // All of the past is there, so a part of it is a copy.
  const past = (endMs: number, stepMs: number, steps: number): Float64Array => {
    const end = Math.floor(endMs / stepMs) + 1;
    return values.slice(end - steps, end);
  };
  const read = (atMs: number): number => values[Math.round(atMs / MINUTE)] ?? Number.NaN;
  const alarms: Alarm[] = [];
  let [asked, held] = [0, 0];
  for (let first = fromMinute; first < values.length; first += AT_ONCE) {
    const origins = Array.from({ length: Math.min(AT_ONCE, values.length - first) }, (_, i) => first + i);
    const windows = origins.map((minute) => buildWindow('load', minute * MINUTE, MINUTE, past));
    // oxlint-disable-next-line no-await-in-loop -- batches in order keep memory small
    const forecasts = await forecaster.forecast(windows, signal);
    for (const [i, minute] of origins.entries()) {
      const forecast = forecasts[i];
      if (forecast === undefined) continue;
      learner.settle(minute * MINUTE, read);
      watch.settle(minute * MINUTE, read, learner.pinned(forecaster.id, ahead * MINUTE));
      learner.issue(forecaster.id, forecast);
      watch.issue(forecaster.id, forecast, ahead);
      if (minute >= count.from && minute < Math.min(count.to, values.length - ahead)) {
        const at = { fromMs: (minute + ahead) * MINUTE, windowMs: 0 };
        const upper = (learner.upperPath(forecaster.id, forecast, at)?.loadMilli[0] ?? Number.NaN) / 1000;
        asked++;
        if ((values[minute + ahead] ?? 0) <= upper) held++;
      }
      noteAlarm(alarms, watch.report(), minute);
    }
  }
  return { alarms, coverage: held / asked };
}
