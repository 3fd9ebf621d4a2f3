/**
 * Notices when the wall clock jumps (an administrator, NTP after a start, a machine that was asleep). Times that were
 * taken before it can then be moved along, so that "for the last five minutes" goes on meaning five minutes.
 */
import type { Clock } from './clock.ts';

/** A clock that is only slewed drifts by less than this between two readings, and no window minds. */
const LEAST_JUMP_MS = 1_000;

/** @returns reads the sum of all jumps so far, whole milliseconds; forward is positive. */
export function watchClockJumps(clock: Clock): () => number {
  const apart = () => clock.now() - clock.monotonic();
  let usual = apart();
  let total = 0;
  return () => {
    const jump = Math.round(apart() - usual);
    if (Math.abs(jump) < LEAST_JUMP_MS) return total;
    usual += jump;
    total += jump;
    return total;
  };
}
