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
 * Of several schedules the narrowest bounds count. Where a lower bound meets an upper one below it, the lower bound
 * wins: too many replicas cost money, too few cost users. Never outside the spec's own bounds.
 */
export function boundsInForce(
  spec: Pick<DecisionSpec, 'minReplicas' | 'maxReplicas'>,
  schedules: readonly ActiveSchedule[],
): Bounds {
  let min = spec.minReplicas;
  let max = spec.maxReplicas;
  let minFrom: string | undefined;
  let maxFrom: string | undefined;
  for (const { name, minReplicas, maxReplicas } of schedules) {
    if (minReplicas !== undefined && minReplicas > min) {
      min = Math.min(minReplicas, spec.maxReplicas);
      minFrom = name;
    }
    if (maxReplicas !== undefined && maxReplicas < max) {
      max = Math.max(maxReplicas, spec.minReplicas);
      maxFrom = name;
    }
  }
  if (max < min) {
    max = min;
    maxFrom = minFrom;
  }
  return {
    min,
    max,
    ...(minFrom === undefined ? {} : { minFrom }),
    ...(maxFrom === undefined ? {} : { maxFrom }),
  };
}
