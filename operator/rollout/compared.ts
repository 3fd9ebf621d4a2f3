/** Which two versions are compared: the new one with the one that serves, or after a promotion with the one before. */
import type { RolloutState } from './types.ts';

export interface Pair {
  readonly candidate: number;
  readonly baseline: number;
}

export function comparedIn({
  stable,
  canary,
  kept,
}: Pick<RolloutState, 'stable' | 'canary' | 'kept'>): Pair | undefined {
  if (stable === undefined) return undefined;
  if (canary !== undefined) return { candidate: canary.version, baseline: stable };
  const watched = kept.findLast((entry) => entry.for === 'Watch');
  return watched === undefined ? undefined : { candidate: stable, baseline: watched.version };
}
