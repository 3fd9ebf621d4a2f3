/**
 * An attempt has ended: it is taken down, counted when nothing of it is left, and then the next one starts, or none
 * does. Until nothing is left its cause may still change: a pod that does not go away is one on a node that is lost, and
 * what the other ranks said was about that.
 */
import { counted, countsAgainstLimit, delayMs } from './backoff.ts';
import { act, finish, move, take, takingDown } from './steps.ts';
import { soonest, stuckSince } from './time.ts';
import type { Action, Attempt, Ended, Observed, Plan, Restarts, SeenPod } from './types.ts';

/**
 * For pods of a gang that makes no step. Their own grace period is for a checkpoint, which ranks write once all have made
 * the step that they are in: this one will not be made. What is left to do is to let go of files and sockets.
 */
export const STALLED_GRACE_MS = 10_000;

export function betweenAttempts(observed: Observed, attempt: Attempt, ended: Ended): Plan {
  return ended.retryAtMs === undefined
    ? takeDown(observed, attempt, ended)
    : next(observed, attempt, ended, ended.retryAtMs);
}

function takeDown(observed: Observed, attempt: Attempt, ended: Ended): Plan {
  const { state, attempts, settings, nowMs } = observed;
  const pods = attempts.flatMap((each) => each.pods);
  const stuck = pods.filter((pod) => stuckSince(pod, settings.fencingMs) <= nowMs);
  const [first] = stuck;
  if (first !== undefined && countsAgainstLimit(ended.cause)) {
    const message = `${first.name} does not go away, so its node is lost; before that: ${ended.message}`;
    const changed: Ended = { ...ended, cause: 'Disruption', message };
    return move({ ...state, attempt: { ...attempt, ended: changed } }, takingDown(attempt, changed), {
      type: 'Warning',
      reason: 'NodeLost',
      message: `attempt ${attempt.number}: ${message}`,
    });
  }
  const restarts = withOne(state.restarts, ended);
  const last = lastOne(observed, ended, restarts);
  // Of the last one Jobs that have ended stay, with the logs of their pods.
  const left = pods.filter(({ done }) => last === undefined || !done);
  const jobs = attempts.filter(
    ({ job }) => job !== undefined && (last === undefined || job.done === undefined),
  );
  if (left.length === 0 && jobs.length === 0) {
    if (last !== undefined) return finish(observed, last, { restarts });
    const retryAtMs = nowMs + delayMs(ended.cause, attempt, ended.atMs, restarts, settings.restartDelay);
    const over = { ...state, restarts, attempt: { ...attempt, ended: { ...ended, retryAtMs } } };
    return move(over, waiting(attempt, ended));
  }
  const actions: Action[] = [
    ...jobs
      .filter(({ job }) => job?.deleting === false)
      .map(({ number }): Action => ({ kind: 'deleteAttempt', number })),
    ...hurried(pods, ended, nowMs).map(
      ({ name }): Action => ({ kind: 'deletePod', name, graceMs: STALLED_GRACE_MS }),
    ),
    ...stuck.map(({ name }): Action => ({ kind: 'deletePod', name, graceMs: 0 })),
  ];
  const looks = left.map((pod) => stuckSince(pod, settings.fencingMs) - nowMs).filter(Number.isFinite);
  return act(observed, actions, takingDown(attempt, ended), soonest(...looks.filter((time) => time > 0)));
}

/** Pods that were given longer than they need; those of a Job that is deleted have the grace period of their template. */
function hurried(pods: readonly SeenPod[], { cause }: Ended, nowMs: number): readonly SeenPod[] {
  if (cause !== 'Stalled') return [];
  return pods.filter(({ done, goneByMs = Infinity }) => !done && goneByMs > nowMs + STALLED_GRACE_MS);
}

function next(observed: Observed, attempt: Attempt, ended: Ended, retryAtMs: number): Plan {
  const { settings, nowMs } = observed;
  if (settings.suspend)
    return act(observed, [], {
      phase: 'Suspended',
      reason: 'Suspended',
      message: 'spec.suspend is set; the run goes on from its newest checkpoint later',
    });
  if (retryAtMs > nowMs) return act(observed, [], waiting(attempt, ended), retryAtMs - nowMs);
  return take(observed, attempt);
}

function waiting({ number }: Attempt, { cause, message }: Ended): Plan['now'] {
  if (cause === 'Searched') return { phase: 'Pending', reason: cause, message };
  return cause === 'Suspended'
    ? { phase: 'Suspended', reason: 'Suspended', message: 'the run goes on from its newest checkpoint later' }
    : { phase: 'Pending', reason: cause, message: `attempt ${number} has ended: ${message}` };
}

function withOne(restarts: Restarts, { cause }: Ended): Restarts {
  if (cause === 'Searched') return restarts;
  return { ...restarts, [cause]: (restarts[cause] ?? 0) + 1 };
}

function lastOne({ settings }: Observed, { cause, message }: Ended, restarts: Restarts) {
  if (!countsAgainstLimit(cause) || counted(restarts) <= settings.backoffLimit) return undefined;
  const times = `${counted(restarts)} of ${counted(restarts)} failures, spec.backoffLimit is ${settings.backoffLimit}`;
  return {
    type: 'Failed',
    reason: 'BackoffLimitExceeded',
    message: `${times}; the last: ${message}`,
  } as const;
}
