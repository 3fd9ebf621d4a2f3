/** How long the next attempt waits. */
import type { Attempt, Cause, Restarts, RunSettings } from './types.ts';

/** A gang that lived so long has done something: what took it away is no loop. */
const LIVED_MS = 60_000;

/** What was decided for the run's sake, and not by chance. */
const AT_ONCE = new Set<Cause>(['Suspended', 'NeverStarted', 'Resized', 'CpuFallback', 'Searched']);

/** Neither makes room, nor comes back, by our trying again. */
const PATIENT = new Set<Cause>(['VolumeFull', 'StorageAway']);

/** Restarts that the limit is about. */
export function counted({ Error: errors = 0, Stalled: stalled = 0 }: Restarts): number {
  return errors + stalled;
}

export function countsAgainstLimit(cause: Cause): boolean {
  return cause === 'Error' || cause === 'Stalled';
}

/** @param restarts with this one counted */
export function delayMs(
  cause: Cause,
  { createdAtMs, startedAtMs }: Attempt,
  endedAtMs: number,
  restarts: Restarts,
  restartDelay: RunSettings['restartDelay'],
): number {
  if (AT_ONCE.has(cause)) return 0;
  if (countsAgainstLimit(cause)) return doubled(counted(restarts), restartDelay);
  // Whatever keeps taking gangs away at once must not see a new one each second.
  return !PATIENT.has(cause) && endedAtMs - (startedAtMs ?? createdAtMs) >= LIVED_MS
    ? 0
    : doubled(restarts[cause] ?? 1, restartDelay);
}

/** @param times that it was waited for, this one counted */
export function doubled(times: number, { firstMs, mostMs }: RunSettings['restartDelay']): number {
  return Math.min(mostMs, firstMs * 2 ** Math.min(times - 1, 10));
}
