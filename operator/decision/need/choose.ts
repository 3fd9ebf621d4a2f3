/**
 * The look ahead, one rung at a time: the fresh forecast, else the last valid one while its own horizon still covers
 * the whole window, else the profile of the season.
 */
import type { DecisionInput, NeedResult } from '../types.ts';
import { type NeedInput, needFrom } from './need.ts';

export interface ChosenNeed {
  readonly need: NeedResult;
  /** Undefined when no rung has an answer; `need` then says why the fresh forecast had none. */
  readonly source: 'Forecast' | 'LastForecast' | 'SeasonalProfile' | undefined;
}

export function freshNeed(input: DecisionInput): NeedResult {
  const { forecast } = input;
  if (forecast.kind === 'unknown') {
    return { kind: 'unknown', reason: forecast.reason, message: forecast.message };
  }
  return needFrom(forecast.value, needInput(input), false);
}

export function chooseNeed(input: DecisionInput): ChosenNeed {
  const fresh = freshNeed(input);
  if (fresh.kind === 'known') return { need: fresh, source: 'Forecast' };
  const { lastForecast, seasonalProfile } = input;
  for (const [source, candidate] of [
    ['LastForecast', lastForecast],
    ['SeasonalProfile', seasonalProfile],
  ] as const) {
    if (candidate === undefined) continue;
    const need = needFrom(candidate, needInput(input), true);
    if (need.kind === 'known') return { need, source };
  }
  return { need: fresh, source: undefined };
}

function needInput({ window, spec, learnedCapacityMilli, pods, specReplicas }: DecisionInput): NeedInput {
  return { window, metrics: spec.metrics, learnedCapacityMilli, pods, current: specReplicas };
}
