/**
 * A database that a search meets in, and that is away. Trainers wait for it as long as their own bounds let them, and end
 * then. That is no failure of the run: a new TrainingJob would have another study, and lose what this one has found.
 */
import { isAway, wordsOf } from './causes.ts';
import type { Now, Observed, SeenPod } from './types.ts';

/** What is said of a search whose workers come and go like that; undefined while one works on, or has made progress since. */
export function storageAway({ said, state }: Observed, pods: readonly SeenPod[]): Now | undefined {
  const last = pods
    .filter(isAway)
    .toSorted((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0))
    .at(-1);
  if (last === undefined) return undefined;
  const { endedAtMs = 0 } = last;
  const outlived = pods.some(
    ({ running, startedAtMs, scheduledAtMs = Infinity }) =>
      running && (startedAtMs ?? scheduledAtMs) < endedAtMs,
  );
  const movedAtMs = Math.max(said.progress?.atMs ?? 0, state.progress?.atMs ?? 0);
  if (outlived || movedAtMs > endedAtMs) return undefined;
  const message = `${wordsOf(last, last.told.error)}; it is started again until it gets there`;
  return { phase: 'Pending', reason: 'StorageAway', message };
}
