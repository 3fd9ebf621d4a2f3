/** A gang from its first object to its end, whichever that is. */
import { causeOf } from './causes.ts';
import { lostPods } from './lost-pods.ts';
import { lacksSecret, roomFor } from './room.ts';
import { aboutWorkers, causeOfAll, isOver, lostIn, workers } from './search.ts';
import { act, end, finish, move, plan } from './steps.ts';
import { soonest } from './time.ts';
import type { Attempt, BestTrial, Now, Observed, Plan, Progress, SeenAttempt, SeenJob } from './types.ts';

/** What a pod has left comes to the cache a moment after its Job's end. */
const WORDS_LATE_MS = 15_000;
/** Between two writes of nothing but progress. */
export const PROGRESS_EVERY_MS = 10_000;

export function duringAttempt(observed: Observed, attempt: Attempt): Plan {
  const { attempts, settings } = observed;
  const strays = attempts.filter(({ number, job }) => number !== attempt.number && job?.deleting === false);
  if (strays.length > 0)
    return act(
      observed,
      strays.map(({ number }) => ({ kind: 'deleteAttempt', number })),
      { phase: 'Pending', reason: 'WaitingForOldPods', message: 'a Job of another attempt is taken down' },
    );
  const seen = attempts.find(({ number }) => number === attempt.number);
  const job = seen?.job;
  // A gang that has done its work is not asked to stop.
  if (settings.suspend && job?.done !== 'Complete')
    return end(observed, attempt, { cause: 'Suspended', message: 'spec.suspend is set' });
  if (seen === undefined || job === undefined || !job.launched) return launching(observed, attempt, job);
  if (job.deleting) return end(observed, attempt, { cause: 'Disruption', message: 'its Job was deleted' });
  if (attempt.searches === true && (job.done === 'Complete' || isOver(seen)))
    return searched(observed, attempt, seen);
  if (job.done === 'Complete') return trained(observed, attempt, seen, job);
  const finding = (attempt.searches === true ? causeOfAll : causeOf)(seen, observed.said);
  if (finding?.cause === 'ConfigError')
    return finish(
      observed,
      { type: 'Failed', reason: 'ConfigError', message: finding.message },
      { attempt: { ...attempt, ended: { ...finding, atMs: observed.nowMs } } },
    );
  if (finding?.cause === 'VolumeFull')
    return end(observed, attempt, {
      ...finding,
      message: `${fullPlace(settings, attempt)} has no room; ${finding.message}`,
    });
  if (finding !== undefined) return end(observed, attempt, finding);
  if (job.done === 'Failed') return unexplained(observed, attempt, job);
  if (job.suspended) return waiting(observed, attempt);
  if (attempt.searches !== true) return running(observed, attempt, seen);
  return aboutWorkers(observed, attempt, seen) ?? running(observed, attempt, seen);
}

function launching(observed: Observed, attempt: Attempt, job: SeenJob | undefined): Plan {
  const { attempts, strangers, holdsToken } = observed;
  if (attempt.launchedAtMs !== undefined && job === undefined)
    return end(observed, attempt, { cause: 'Disruption', message: 'its Job is gone' });
  if (job?.deleting === true || (job !== undefined && !holdsToken))
    return end(observed, attempt, {
      cause: 'NeverStarted',
      message: 'its start was cut off, and nobody knows its token',
    });
  const old = attempts.filter(({ number }) => number !== attempt.number || job === undefined);
  const pods = [...old.flatMap((each) => each.pods), ...strangers];
  if (pods.length > 0) {
    const lost = lostPods(pods, observed);
    return act(
      observed,
      lost.actions,
      {
        phase: 'Pending',
        reason: 'WaitingForOldPods',
        message: 'pods that had this name before are not gone yet',
      },
      lost.lookInMs,
    );
  }
  const message = `attempt ${attempt.number} gets its Job and its token`;
  return act(observed, [{ kind: 'launch', attempt }], { phase: 'Pending', reason: 'Starting', message });
}

/** Launched, but its pods may not start. */
function waiting(observed: Observed, attempt: Attempt): Plan {
  const { settings, state } = observed;
  if (attempt.startedAtMs !== undefined || !settings.queued)
    return end(observed, attempt, {
      cause: 'Disruption',
      message: settings.queued ? 'its queue has taken its room away' : 'somebody suspended its Job',
    });
  const now: Now = { phase: 'Queued', reason: 'WaitingForQueue', message: 'its queue has not let it go yet' };
  return attempt.launchedAtMs === undefined
    ? move({ ...state, attempt: { ...attempt, launchedAtMs: observed.nowMs } }, now)
    : act(observed, [], now);
}

function running(observed: Observed, attempt: Attempt, seen: SeenAttempt): Plan {
  const { state, nowMs } = observed;
  const room = roomFor(observed, attempt, seen);
  if (attempt.startedAtMs === undefined) {
    const launchedAtMs = attempt.launchedAtMs ?? nowMs;
    return move({ ...state, attempt: { ...attempt, launchedAtMs, startedAtMs: nowMs } }, room.now);
  }
  if (observed.lastReason === 'WaitingForVolume' && room.lacksRoom === true) {
    const since = { ...attempt, roomSinceMs: nowMs };
    return move({ ...state, attempt: since }, roomFor(observed, since, seen).now);
  }
  if (room.giveUp !== undefined) return end(observed, attempt, room.giveUp);
  const stalled = stalledFor(observed, attempt, seen);
  const { progressDeadlineMs } = observed.settings;
  if (stalled !== undefined && stalled >= progressDeadlineMs) {
    // A worker ends well when all trials have ended and the result lies there: the one that hangs has nothing to do any more.
    if (attempt.searches === true && seen.pods.some(({ exit }) => exit?.code === 0))
      return searched(observed, attempt, seen);
    return end(observed, attempt, { cause: 'Stalled', message: stallMessage(observed, seen) });
  }
  const { progress } = observed.said;
  const news = progress !== undefined && !sameProgress(progress, state.progress);
  const early = news && state.progress !== undefined ? state.progress.atMs + PROGRESS_EVERY_MS - nowMs : 0;
  return plan(observed, {
    state:
      news && early <= 0
        ? { ...state, progress: { ...progress, atMs: nowMs }, ...bestOf(observed.said.best) }
        : state,
    now: withoutCheckpoints(observed) ?? room.now,
    requeueAfterMs: soonest(
      room.requeueAfterMs,
      attempt.searches === true ? lostIn(observed, seen) : undefined,
      stalled === undefined ? undefined : progressDeadlineMs - stalled,
      early > 0 ? early : undefined,
    ),
  });
}

/** It trains, but what it does may be lost, and somebody should know before it is. */
function withoutCheckpoints({ said: { progress }, settings }: Observed): Now | undefined {
  if (progress?.checkpointError === undefined) return undefined;
  const { checkpointStep, checkpointError } = progress;
  const newest =
    checkpointStep === undefined ? 'there is none yet' : `the newest is of step ${checkpointStep}`;
  return {
    phase: 'Training',
    reason: 'CheckpointFailed',
    message: `it trains, but the claim ${settings.claim} takes no checkpoint, ${newest}: ${checkpointError}`,
  };
}

function sameProgress(now: Progress, before: Progress | undefined): boolean {
  return (
    now.step === before?.step && now.total === before.total && now.checkpointStep === before.checkpointStep
  );
}

/** Undefined while it is not its own fault: somebody still waits for room, or for a Secret that a person makes. */
function stalledFor(
  { nowMs, watchedSinceMs, said }: Observed,
  { nodes, searches }: Attempt,
  { pods }: SeenAttempt,
): number | undefined {
  const those = searches === true ? workers(pods) : pods;
  const scheduled = those.flatMap(({ scheduledAtMs }) => scheduledAtMs ?? []);
  if (scheduled.length < (searches === true ? 1 : nodes)) return undefined;
  if (searches === true ? those.every(lacksSecret) : those.some(lacksSecret)) return undefined;
  const started = those.flatMap(({ startedAtMs }) => startedAtMs ?? []);
  return nowMs - Math.max(watchedSinceMs, said.progress?.atMs ?? 0, ...scheduled, ...started);
}

function fullPlace({ claim, searchScratch }: Observed['settings'], { searches }: Attempt): string {
  return searches === true && searchScratch ? 'the disk of a node' : `the claim ${claim}`;
}

function stallMessage({ settings, said }: Observed, { pods }: SeenAttempt): string {
  const stuck = pods.find((pod) => pod.waiting !== undefined);
  const since = `no step for ${Math.round(settings.progressDeadlineMs / 1000)} s`;
  if (stuck !== undefined) return `${since}: ${stuck.waiting}`;
  return said.progress === undefined
    ? `${since}, none at all`
    : `${since}, the last was ${said.progress.step}`;
}

/** A pod that fails by itself stays; where none has, one was taken away. */
function unexplained(observed: Observed, attempt: Attempt, { doneAtMs = 0 }: SeenJob): Plan {
  const late = doneAtMs + WORDS_LATE_MS - observed.nowMs;
  const message = 'its Job has failed';
  if (late > 0) return act(observed, [], { phase: 'Pending', reason: 'Starting', message }, late);
  return end(observed, attempt, { cause: 'Disruption', message: `${message}: a pod of it was deleted` });
}

function trained(observed: Observed, attempt: Attempt, { pods }: SeenAttempt, job: SeenJob): Plan {
  const { state, said, nowMs } = observed;
  const result = pods.map(({ told }) => told.result).find((each) => each !== undefined) ?? said.result;
  const done = `attempt ${attempt.number} has trained a model`;
  if (result !== undefined)
    return move(
      { ...state, result: { ...result, attempt: attempt.number }, progress: last(observed) },
      { phase: 'Gating', reason: 'Gating', message: done },
      { type: 'Normal', reason: 'Trained', message: done },
    );
  const late = (job.doneAtMs ?? 0) + WORDS_LATE_MS - nowMs;
  if (late > 0) return act(observed, [], { phase: 'Training', reason: 'Training', message: done }, late);
  const message = 'its pods have ended well, but told of no model';
  return end(observed, attempt, { cause: 'Error', message });
}

/** What was found lies on the volume, or in a database; that its workers have ended well is all that training needs. */
function searched(observed: Observed, attempt: Attempt, { pods }: SeenAttempt): Plan {
  const best = pods.map(({ told }) => told.best).find((each) => each !== undefined) ?? observed.said.best;
  const found = { ...observed, state: { ...observed.state, ...bestOf(best) } };
  return end(found, attempt, { cause: 'Searched', message: 'the search has ended' });
}

function bestOf(best: BestTrial | undefined): { readonly best?: BestTrial } {
  return best === undefined ? {} : { best };
}

function last({ state, said, nowMs }: Observed): Progress | undefined {
  return said.progress === undefined ? state.progress : { ...said.progress, atMs: nowMs };
}
