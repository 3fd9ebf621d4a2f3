/**
 * A search while its workers work. Each works alone, and what it has found lies in the journal, or in a database: so its
 * Job starts one that fails again, alone, and the others go on. What is decided here is when that is not enough.
 */
import { TRAINING_EXIT as EXIT } from '../../../api/index.ts';
import { counted } from './backoff.ts';
import { causeOf } from './causes.ts';
import { act, end, move } from './steps.ts';
import { soonest, stuckSince } from './time.ts';
import type { Attempt, Finding, Observed, Plan, SeenAttempt, SeenPod, Told } from './types.ts';

/** What every worker would meet, or has. */
const OF_ALL: readonly number[] = [EXIT.config, EXIT.full, EXIT.fenced];
/** Ends that are no failure of the worker's own. */
const NOT_ITS_OWN: readonly number[] = [0, EXIT.stopped, EXIT.away, ...OF_ALL];

/** Why a search ends; undefined while at most some of its workers have. */
export function causeOfAll({ job, pods }: SeenAttempt, said: Told): Finding | undefined {
  if (job?.done === 'Failed') return causeOf({ job, pods }, said);
  return causeOf({ job, pods: pods.filter(({ exit }) => exit && OF_ALL.includes(exit.code)) }, said);
}

/** Each ends well when all trials have ended; who has no room then, or is about to start again, has nothing to do. */
export function isOver({ pods }: SeenAttempt): boolean {
  return pods.some(({ exit }) => exit?.code === 0) && !pods.some(({ running }) => running);
}

/** Those that work or may do so: what is left of one that has failed is not one of them. */
export function workers(pods: readonly SeenPod[]): readonly SeenPod[] {
  return pods.filter(({ done, exit }) => !done || exit?.code === 0);
}

/** What is to be done about a worker; undefined: nothing. */
export function aboutWorkers(observed: Observed, attempt: Attempt, seen: SeenAttempt): Plan | undefined {
  return failure(observed, attempt, seen) ?? lost(observed, attempt, seen);
}

/** Its Job keeps the pods that failed, so counting them again after a crash counts none twice. */
function failure(observed: Observed, attempt: Attempt, { pods }: SeenAttempt): Plan | undefined {
  const { state, settings, said } = observed;
  const failed = pods
    .filter(({ exit, disrupted }) => exit && disrupted === undefined && !NOT_ITS_OWN.includes(exit.code))
    // Killed when its time to go was over: somebody had deleted it.
    .filter(({ goneByMs }) => goneByMs === undefined)
    .toSorted((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0));
  const { failures = 0 } = attempt;
  const next = failed[failures];
  const finding = next && causeOf({ pods: [next] }, said);
  if (finding === undefined) return undefined;
  if (counted(state.restarts) >= settings.backoffLimit) return end(observed, attempt, finding);
  const restarts = { ...state.restarts, Error: (state.restarts.Error ?? 0) + 1 };
  const message = `${finding.message}; it is started again, and the others go on`;
  return move(
    { ...state, restarts, attempt: { ...attempt, failures: failures + 1 } },
    { phase: 'Searching', reason: 'Searching', message },
    { type: 'Warning', reason: 'WorkerFailed', message: `attempt ${attempt.number}: ${message}` },
  );
}

/** Its Job replaces a pod when it is gone; one on a node that is lost does not go by itself. */
function lost(observed: Observed, attempt: Attempt, { pods }: SeenAttempt): Plan | undefined {
  const { settings, nowMs } = observed;
  const stuck = pods.filter((pod) => !pod.done && stuckSince(pod, settings.fencingMs) <= nowMs);
  const [first] = stuck;
  if (first === undefined) return undefined;
  return act(
    observed,
    stuck.map(({ name }) => ({ kind: 'deletePod', name, graceMs: 0 })),
    {
      phase: 'Searching',
      reason: 'Searching',
      message: `${first.name} does not go away, so its node is lost; attempt ${attempt.number} goes on without it`,
    },
  );
}

/** When to look again whether one is lost. */
export function lostIn({ settings, nowMs }: Observed, { pods }: SeenAttempt): number | undefined {
  const times = pods.filter(({ done }) => !done).map((pod) => stuckSince(pod, settings.fencingMs) - nowMs);
  return soonest(...times.filter((time) => time > 0 && time < Infinity));
}
