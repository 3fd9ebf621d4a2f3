/** A scaler's object made ready for deciding: parsed, defaulted, schedules compiled. Once per generation, not per look. */
import {
  applyHpaDefaults,
  type MetricSpec,
  type PredictiveScaler,
  parsePredictiveScaler,
} from '../../api/index.ts';
import { decisionSpec, schedulePlan } from '../../decision/from-spec.ts';
import { activeSchedules, compileSchedule } from '../../decision/schedule.ts';
import type { ActiveSchedule, DecisionSpec, ReactiveTuning } from '../../decision/types.ts';
import { ForesailError, isForesailError, messageOf } from '../../errors.ts';
import type { Scaler } from './ports.ts';

export interface Plan {
  readonly scaler: PredictiveScaler;
  readonly decision: DecisionSpec;
  /** With HPA's default where none is given; aligned with `decision.metrics`. */
  readonly metrics: readonly MetricSpec[];
  activeSchedules(nowMs: number): ActiveSchedule[];
}

/** An object that an older CRD let through, or that names a time or quantity nobody can read. */
export interface InvalidPlan {
  readonly problem: ForesailError;
}

export interface Planner {
  planOf(key: string, object: Scaler): Plan | InvalidPlan;
  forget(key: string): void;
}

export function createPlanner(tuning: ReactiveTuning): Planner {
  interface Entry {
    readonly uid: string;
    readonly generation: number;
    readonly scaler: PredictiveScaler;
    readonly compiled: Omit<Plan, 'scaler'>;
  }
  const byKey = new Map<string, Entry>();
  return {
    planOf(key, object) {
      const { uid = '', generation = 0 } = object.metadata;
      let entry = byKey.get(key);
      if (entry?.uid !== uid || entry.generation !== generation) {
        try {
          const scaler = parsePredictiveScaler(object);
          entry = { uid, generation, scaler, compiled: compile(scaler, tuning) };
          byKey.set(key, entry);
        } catch (error) {
          if (isForesailError(error)) return { problem: error };
          throw error;
        }
      }
      return { ...entry.compiled, scaler: { ...entry.scaler, status: object.status } };
    },
    forget: (key) => byKey.delete(key),
  };
}

function compile({ spec }: PredictiveScaler, tuning: ReactiveTuning): Omit<Plan, 'scaler'> {
  try {
    const schedules = (spec.schedules ?? []).map((schedule) => compileSchedule(schedulePlan(schedule)));
    return {
      decision: decisionSpec(spec, tuning),
      metrics: applyHpaDefaults(spec).metrics,
      activeSchedules: (nowMs) => activeSchedules(schedules, nowMs),
    };
  } catch (error) {
    if (isForesailError(error)) throw error;
    throw new ForesailError('SPEC_INVALID', 'terminal', messageOf(error), { subject: 'spec', cause: error });
  }
}
