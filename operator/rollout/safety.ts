/**
 * Phase "safety": what sends a version back at any step, paused or not. Only a version that was not promoted can be
 * aborted; one that was is watched, and the version before it is still warm.
 */
import { enoughReady } from './capacity.ts';
import { type Draft, dropCanary, keep, type PlanPhase, release, tell, withState } from './draft.ts';
import { amend, ended, recordOf } from './history.ts';
import { judgementOf } from './steps.ts';

export const abortByPerson: PlanPhase = (draft, input) => {
  const { abort } = input.settings;
  if (abort === undefined || draft.state.canary?.version !== abort.version) return draft;
  return dropCanary(draft, input, 'Aborted', 'AbortedByUser', 'aborted by a person');
};

export const abortByJudge: PlanPhase = (draft, input) => {
  const { canary } = draft.state;
  if (canary === undefined || recordOf(draft.state, canary.version)?.proven === true) return draft;
  const judgement = judgementOf(canary, draft.state, input.judge);
  if (judgement?.verdict !== 'Rollback') return draft;
  const { reason = 'JudgedWorse', message = 'judged worse than stable' } = judgement;
  return dropCanary(draft, input, 'Aborted', reason, message);
};

/** A version whose pods do not get ready, or are ready and gone again, within the deadline. */
export const abortAtDeadline: PlanPhase = (draft, input) => {
  const { canary, stable } = draft.state;
  if (canary === undefined) return draft;
  if (enoughReady(draft.state, input)) return unreadySince(draft, undefined);
  const since = canary.unreadySinceMs ?? input.nowMs;
  // The first version of all has nothing to go back to.
  if (stable === undefined || input.nowMs - since < input.settings.progressDeadlineMs)
    return unreadySince(draft, since);
  return dropCanary(draft, input, 'Aborted', 'ProgressDeadlineExceeded', 'its pods were not ready in time');
};

/** One crash may be bad luck. */
const MOST_RESTARTS = 3;

/** A version that gets ready and crashes, again and again, is never unready for as long as the deadline. */
export const abortWhenCrashing: PlanPhase = (draft, input) => {
  const { canary, stable } = draft.state;
  if (canary === undefined || stable === undefined) return draft;
  const { restarts = 0 } = input.pods.get(canary.version) ?? {};
  if (restarts < MOST_RESTARTS) return draft;
  return dropCanary(draft, input, 'Aborted', 'CrashLooping', `its server has crashed ${restarts} times`);
};

function unreadySince(draft: Draft, unreadySinceMs: number | undefined): Draft {
  const { state } = draft;
  if (state.canary === undefined || state.canary.unreadySinceMs === unreadySinceMs) return draft;
  return withState(draft, { ...state, canary: { ...state.canary, unreadySinceMs } });
}

/** Back to the version before, which still has all its pods, when the judge says so within the watch. */
export const rollBackPromoted: PlanPhase = (draft, input) => {
  const { state } = draft;
  const { stable, kept, canary } = state;
  const { judge, nowMs, settings } = input;
  if (stable === undefined || canary !== undefined || judge === 'none' || judge?.verdict !== 'Rollback')
    return draft;
  const watched = kept.find((entry) => entry.for === 'Watch' && entry.version === judge.baseline);
  if (watched === undefined || judge.candidate !== stable) return draft;
  if ((input.pods.get(watched.version)?.ready ?? 0) === 0) return draft;
  const why = judge.message ?? 'judged worse than the version before';
  const demoted = amend(state, stable, ended('RolledBack', nowMs, judge.reason ?? 'JudgedWorse', why));
  const restored = amend(
    demoted,
    watched.version,
    ({ endedAtMs: _, reason: _reason, message: _message, ...record }) => ({
      ...record,
      outcome: 'Serving',
    }),
  );
  const next = {
    ...restored,
    stable: watched.version,
    kept: keep(release(kept, watched.version), {
      version: stable,
      untilMs: nowMs + settings.drainMs,
      for: 'Drain',
    }),
  };
  const message = `version ${stable}: ${why}; version ${watched.version} serves again`;
  return tell(withState(draft, next), 'Warning', 'RolledBack', message);
};
