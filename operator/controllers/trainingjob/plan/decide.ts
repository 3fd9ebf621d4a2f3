/**
 * What becomes of a run: attempts until one has trained, the gate, and the end. Each call takes one step, or says what
 * is to be done about the step that was taken last.
 */
import { duringAttempt } from './attempt.ts';
import { betweenAttempts } from './between.ts';
import { gateStage } from './gate-stage.ts';
import { lostPods } from './lost-pods.ts';
import { act, plan, take } from './steps.ts';
import { soonest } from './time.ts';
import type { Action, Observed, Plan } from './types.ts';

export function decide(observed: Observed): Plan {
  const { state, settings } = observed;
  if (state.outcome !== undefined) return afterwards(observed);
  if (state.result !== undefined) return gateStage(observed);
  const { attempt } = state;
  if (attempt === undefined) {
    if (settings.suspend) return act(observed, [], suspended('spec.suspend is set; nothing has run yet'));
    return take(observed);
  }
  return attempt.ended === undefined
    ? duringAttempt(observed, attempt)
    : betweenAttempts(observed, attempt, attempt.ended);
}

function suspended(message: string): Plan['now'] {
  return { phase: 'Suspended', reason: 'Suspended', message };
}

/** A Job that has failed is ended by its controller, which leaves the logs of its pods; for so long we watch. */
const ENDS_BY_ITSELF_MS = 60_000;

/** Jobs that have ended stay until the run is deleted; nothing goes on running. */
function afterwards(observed: Observed): Plan {
  const { state, settings, attempts, gate, nowMs } = observed;
  const { type, reason, message, atMs } = state.outcome!;
  const left: Action[] = attempts
    .filter(({ job }) => job !== undefined && job.done === undefined && !job.deleting)
    .map(({ number }) => ({ kind: 'deleteAttempt', number }));
  if (gate.job !== undefined && gate.job.done === undefined && !gate.job.deleting)
    left.push({ kind: 'deleteGate' });
  const lost = lostPods([...attempts.flatMap(({ pods }) => pods), ...gate.pods], observed);
  const killIn = left.length === 0 ? undefined : atMs + ENDS_BY_ITSELF_MS - nowMs;
  const goneIn = settings.ttlMs === undefined ? undefined : atMs + settings.ttlMs - nowMs;
  return plan(observed, {
    actions: [
      ...(killIn !== undefined && killIn <= 0 ? left : []),
      ...lost.actions,
      ...(goneIn !== undefined && goneIn <= 0 ? [{ kind: 'deleteRun' } as const] : []),
    ],
    now: { phase: type, reason, message },
    requeueAfterMs: soonest(
      lost.lookInMs,
      ...[killIn, goneIn].filter((time) => time !== undefined && time > 0),
    ),
  });
}
