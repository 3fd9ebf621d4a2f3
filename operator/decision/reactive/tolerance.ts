/** How far the ratio of usage to target may stray before anything moves; each direction has its own width. */
import type { BehaviorPlan, ReactiveTuning } from '../types.ts';

export interface Tolerance {
  readonly down: number;
  readonly up: number;
}

export function toleranceOf(behavior: BehaviorPlan | undefined, tuning: ReactiveTuning): Tolerance {
  return {
    down: behavior?.scaleDown?.tolerance ?? tuning.tolerance,
    up: behavior?.scaleUp?.tolerance ?? tuning.tolerance,
  };
}

/**
 * Compares with both edges instead of |1 − ratio|: in doubles |1 − 1.1| exceeds 0.1, so the two forms disagree
 * exactly at the edge, where whole-percent utilisations often land.
 */
export function isWithin(ratio: number, { down, up }: Tolerance): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}
