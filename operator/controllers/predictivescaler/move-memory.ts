/**
 * A decision's memory after a jump of the wall clock: every time of ours moves along. A clock that was put forward
 * would else empty the stabilisation windows (and lower at once), one that was put back would hold them for an hour.
 */
import type { DecisionMemory } from '../../decision/types.ts';

export function moveMemory(memory: DecisionMemory, byMs: number): DecisionMemory {
  if (byMs === 0) return memory;
  // Never before the epoch: a checkpoint holds no such time.
  const move = (ms: number) => Math.max(0, ms + byMs);
  const moved = <T extends { readonly atMs: number }>(list: readonly T[]): T[] =>
    list.map((each) => ({ ...each, atMs: move(each.atMs) }));
  return {
    ...memory,
    recommendations: moved(memory.recommendations),
    scaleUps: moved(memory.scaleUps),
    scaleDowns: moved(memory.scaleDowns),
    unknownSinceMs: memory.unknownSinceMs === null ? null : move(memory.unknownSinceMs),
    // The times of `outliers` are the metric source's own: our clock does not move them.
  };
}
