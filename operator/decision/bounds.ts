/** The bounds in force: those of the spec, narrowed by the schedules that are active. */
import type { ActiveSchedule, DecisionSpec } from './types.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Names of the schedules that set the bound, when one does. */
  readonly minFrom?: string;
  readonly maxFrom?: string;
}

/**
 * Of several schedules the highest of each bound counts: too many replicas cost money, too few cost users. For the
 * same reason the lower bound wins where it meets an upper one below it. Never outside the spec's own bounds.
 */
export function boundsInForce(
  spec: Pick<DecisionSpec, 'minReplicas' | 'maxReplicas'>,
  schedules: readonly ActiveSchedule[],
): Bounds {
  const lower = highest(schedules, 'minReplicas');
  const upper = highest(schedules, 'maxReplicas');
  const min = Math.min(Math.max(spec.minReplicas, lower?.replicas ?? 0), spec.maxReplicas);
  const max = Math.max(Math.min(spec.maxReplicas, upper?.replicas ?? spec.maxReplicas), min);
  return {
    min,
    max,
    ...(lower !== undefined && min > spec.minReplicas ? { minFrom: lower.name } : {}),
    ...(upper !== undefined && max < spec.maxReplicas ? { maxFrom: upper.name } : {}),
  };
}

function highest(schedules: readonly ActiveSchedule[], bound: 'minReplicas' | 'maxReplicas') {
  let found: { readonly name: string; readonly replicas: number } | undefined;
  for (const schedule of schedules) {
    const replicas = schedule[bound];
    if (replicas !== undefined && (found === undefined || replicas > found.replicas)) {
      found = { name: schedule.name, replicas };
    }
  }
  return found;
}
