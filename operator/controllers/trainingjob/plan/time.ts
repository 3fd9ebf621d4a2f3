/** When to look again. */
import type { SeenPod } from './types.ts';

export function soonest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(1, Math.min(...known));
}

/** When a pod that should be gone is taken for one on a dead node. */
export function stuckSince({ goneByMs }: SeenPod, fencingMs: number): number {
  return goneByMs === undefined ? Infinity : goneByMs + fencingMs;
}
