/**
 * Several forecasters as one, with a contest per series: `blend` answers with their weighted mean, `follow` with the
 * leader's forecast. It settles what it said before by the window's own past, so it needs windows in order of time;
 * a series that goes back in time begins anew. For evaluation and replay, where the step at the origin is complete;
 * the operator keeps its contests with what else it has learned (`learner.ts`).
 */
import { ForesailError, isForesailError } from '../errors.ts';
import { blend } from './blend.ts';
import { Contest, type ContestOptions } from './contest.ts';
import type { Forecaster, ForecastWindow, QuantileForecast } from './types.ts';

export interface EnsembleOptions extends Omit<ContestOptions, 'stepMs'> {
  readonly mode: 'blend' | 'follow';
  /** Series that are remembered; default 5000. */
  readonly maxSeries?: number;
}

interface Series {
  readonly contest: Contest;
  readonly stepMs: number;
  originMs: number;
}

/** Steps that may lie between two windows of a series before its pending forecasts are given up. */
const MOST_STEPS = 512;

/**
 * @param members the first one is preferred until another has earned the lead; a member without history abstains
 * @throws FORECAST_NO_HISTORY (from `forecast`) when no member can say anything about a window
 */
export function ensemble(id: string, members: readonly Forecaster[], options: EnsembleOptions): Forecaster {
  const { mode, maxSeries = 5000, ...contestOptions } = options;
  const kept = new Map<string, Series>();
  const preferred = members[0]?.id ?? id;

  function seriesOf({ key, originMs, stepMs }: ForecastWindow): Series {
    const before = kept.get(key);
    if (before !== undefined && before.stepMs === stepMs && originMs >= before.originMs) return before;
    const fresh = { contest: new Contest(preferred, { ...contestOptions, stepMs }), stepMs, originMs };
    kept.delete(key);
    kept.set(key, fresh);
    if (kept.size > maxSeries) kept.delete(kept.keys().next().value ?? '');
    return fresh;
  }

  async function one(window: ForecastWindow, signal: AbortSignal): Promise<QuantileForecast> {
    const said = new Map<string, QuantileForecast>();
    let refusal: unknown;
    for (const member of members) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- members may fit, which no two should do at once
        const [forecast] = await member.forecast([window], signal);
        if (forecast !== undefined) said.set(member.id, forecast);
      } catch (error) {
        if (!isForesailError(error, 'FORECAST_NO_HISTORY')) throw error;
        refusal ??= error;
      }
    }
    const series = seriesOf(window);
    const { contest } = series;
    settle(contest, window, series.originMs);
    series.originMs = window.originMs;
    for (const [by, forecast] of said) contest.enter(by, forecast);
    const weights = contest.weights();
    const parts = [...said].map(([by, forecast]) => ({ forecast, weight: weights.get(by) ?? 0 }));
    const heaviest = parts.toSorted((a, b) => b.weight - a.weight)[0]?.forecast;
    const answer = mode === 'blend' ? blend(parts) : (said.get(contest.leader) ?? heaviest);
    if (answer === undefined) {
      throw (
        refusal ??
        new ForesailError('FORECAST_NO_HISTORY', 'transient', 'no member could forecast', {
          subject: window.key,
        })
      );
    }
    return answer;
  }

  return {
    id,
    async forecast(windows, signal) {
      const answers: QuantileForecast[] = [];
      // oxlint-disable-next-line no-await-in-loop -- in order of time: each learns from the one before
      for (const window of windows) answers.push(await one(window, signal));
      return answers;
    },
  };
}

function settle(contest: Contest, window: ForecastWindow, sinceMs: number): void {
  const { originMs, stepMs } = window;
  const steps = Math.min(Math.round((originMs - sinceMs) / stepMs) + 64, MOST_STEPS);
  const past = window.past?.(steps) ?? Float64Array.from(window.context.slice(-steps));
  const read = (atMs: number): number =>
    past[past.length - 1 - Math.round((originMs - atMs) / stepMs)] ?? Number.NaN;
  contest.settle(originMs, read);
}
