/**
 * What is wanted before limits. With every metric known the wish may be lower than the present count; with one
 * unknown it cannot be, and the rungs are tried one after the other: fresh or last forecast, seasonal profile,
 * spec.fallback once the outage has lasted, the known metrics as far as they ask for more, and at last to hold.
 */
import { reactiveToCombine } from './combine.ts';
import type { ModeRules } from './modes.ts';
import { type ChosenNeed, chooseNeed } from './need/choose.ts';
import type { DownPermit } from './permit.ts';
import type { BoundBy, DecisionInput, ReactiveResult, Rung } from './types.ts';

export interface Wanted {
  readonly replicas: number;
  readonly source: BoundBy;
  readonly rung: Rung;
  readonly note: string;
  readonly chosen: ChosenNeed | undefined;
}

export function want(
  input: DecisionInput,
  mode: ModeRules,
  reactive: ReactiveResult,
  permit: DownPermit | undefined,
  unknownSinceMs: number | null,
): Wanted {
  const chosen = mode.forecastActs ? chooseNeed(input) : undefined;
  return permit === undefined
    ? wantOnUnknown(input, reactive, chosen, unknownSinceMs)
    : wantOnKnown(input, reactive, chosen);
}

function wantOnKnown(input: DecisionInput, atTarget: ReactiveResult, chosen: ChosenNeed | undefined): Wanted {
  const target = reactiveWish(atTarget, input.specReplicas);
  if (chosen === undefined) return { ...target, rung: 'None', chosen };
  const { need, source } = chosen;
  if (need.kind === 'unknown' || source === undefined) {
    return { ...target, rung: 'ReactiveOnly', note: `${target.note}; no forecast`, chosen };
  }
  const rung = source === 'Forecast' ? 'None' : source;
  const reactive = reactiveWish(reactiveToCombine(input, atTarget, need), input.specReplicas);
  if (need.replicas <= reactive.replicas) return { ...reactive, rung, chosen };
  return { ...needWish(need.replicas, source, chosen), rung };
}

function wantOnUnknown(
  input: DecisionInput,
  reactive: ReactiveResult,
  chosen: ChosenNeed | undefined,
  unknownSinceMs: number | null,
): Wanted {
  const { specReplicas, spec, nowMs } = input;
  const base = Math.max(specReplicas, reactive.replicas ?? 0);
  const raised = (replicas: number, wish: Omit<Wanted, 'replicas'>): Wanted =>
    replicas > base
      ? { ...wish, replicas }
      : base > specReplicas
        ? { ...reactiveWish(reactive, specReplicas), rung: wish.rung, chosen }
        : {
            replicas: base,
            source: 'Hold',
            rung: wish.rung,
            note: `${wish.note}, which is not more`,
            chosen,
          };

  if (chosen?.source !== undefined && chosen.need.kind === 'known') {
    const wish = needWish(chosen.need.replicas, chosen.source, chosen);
    return raised(chosen.need.replicas, { ...wish, rung: chosen.source });
  }
  const { fallback } = spec;
  if (fallback !== undefined && unknownSinceMs !== null && nowMs - unknownSinceMs >= fallback.afterMs) {
    const note = `fallback of ${fallback.replicas} after ${Math.round((nowMs - unknownSinceMs) / 1000)} s without metrics`;
    return raised(fallback.replicas, { source: 'Fallback', rung: 'Fallback', note, chosen });
  }
  if (!reactive.hold && reactive.replicas !== undefined) {
    return { ...reactiveWish(reactive, specReplicas), rung: 'PartialMetrics', chosen };
  }
  return { replicas: specReplicas, source: 'Hold', rung: 'Hold', note: 'metrics are unknown', chosen };
}

function reactiveWish(
  { replicas, description }: ReactiveResult,
  current: number,
): Pick<Wanted, 'replicas' | 'source' | 'note'> {
  return { replicas: replicas ?? current, source: 'Reactive', note: description ?? 'no metric' };
}

function needWish(
  replicas: number,
  source: NonNullable<ChosenNeed['source']>,
  chosen: ChosenNeed,
): Omit<Wanted, 'rung'> {
  const { need } = chosen;
  const coverage = need.kind === 'known' ? ` at ${Number((need.coverage * 100).toFixed(2))} % coverage` : '';
  const what = need.kind === 'known' && need.headroom === true ? HEADROOM_TEXT : SOURCE_TEXT[source];
  return { replicas, source, note: `${what}${coverage}`, chosen };
}

const HEADROOM_TEXT = 'the present load with a fixed headroom, here cheaper than a forecast';
const SOURCE_TEXT = {
  Forecast: 'forecast load over the lead time',
  LastForecast: 'the last valid forecast',
  SeasonalProfile: 'the seasonal profile',
} as const;
