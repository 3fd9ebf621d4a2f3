/** What was trained has to pass the gate; what passes becomes a version. */
import { doubled } from './backoff.ts';
import { causeOf, fullOf, wordsOf as wordsOfPod } from './causes.ts';
import { lostPods } from './lost-pods.ts';
import { act, finish, move } from './steps.ts';
import type { GateWait, Observed, Plan, Verdict } from './types.ts';

const WORDS_LATE_MS = 15_000;

export function gateStage(observed: Observed): Plan {
  const { state, settings, gate, said } = observed;
  const { gateWait } = state;
  if (settings.suspend) return suspended(observed);
  if (state.gate !== undefined) return judged(observed, state.gate);
  if (gate.job === undefined) {
    if (gateWait?.retryAtMs !== undefined) return waiting(observed, gateWait);
    const now = gating('the gate’s Job is made');
    return gate.pods.length === 0 ? act(observed, [{ kind: 'startGate' }], now) : minding(observed, now);
  }
  // Whatever the exit code is: who could say it has judged.
  const verdict = gate.pods.map(({ told }) => told.gate).find((each) => each !== undefined) ?? said.gate;
  const other = verdict?.published?.sha256;
  if (other !== undefined && other !== state.result?.sha256)
    return finish(observed, {
      type: 'Failed',
      reason: 'NotPublished',
      message: `the gate brought a file with the digest ${other} to the store, the one that was trained had ${state.result?.sha256}`,
    });
  if (verdict !== undefined)
    return move(
      { ...state, gate: verdict, gateWait: gateWait && { ...gateWait, retryAtMs: undefined } },
      gating(wordsOf(verdict)),
      eventOf(verdict),
    );
  if (gateWait?.retryAtMs !== undefined) return waiting(observed, gateWait);
  if (gate.job.deleting) return minding(observed, gating('the gate’s Job was deleted and is made anew'));
  return gate.job.done === undefined ? ongoing(observed) : unjudged(observed);
}

function ongoing(observed: Observed): Plan {
  const { pods } = observed.gate;
  const stuck = pods.find((pod) => pod.waiting !== undefined)?.waiting;
  const homeless = pods.some(({ unschedulableSinceMs }) => unschedulableSinceMs !== undefined);
  return minding(
    observed,
    gating(stuck ?? (homeless ? 'no node has room for the gate’s pod' : 'the trained model is judged')),
  );
}

/** Where nothing is done but about pods on a node that is lost: a Job makes others only when they are gone. */
function minding(observed: Observed, now: Plan['now']): Plan {
  const lost = lostPods(observed.gate.pods, observed);
  return act(observed, lost.actions, now, lost.lookInMs);
}

function unjudged(observed: Observed): Plan {
  const { gate, said, nowMs } = observed;
  const full = fullOf(gate.pods);
  if (full !== undefined) return wait(observed, wordsOfPod(full, full.told.error));
  const late = (gate.job?.doneAtMs ?? 0) + WORDS_LATE_MS - nowMs;
  if (late > 0) return act(observed, [], gating('the gate has ended'), late);
  if (gate.job?.failedOn === 'VolumeFull')
    return wait(observed, gate.job.message ?? 'its pod is gone with what it said');
  const message = causeOf(gate, said)?.message ?? 'its pod ended without a verdict';
  return finish(observed, {
    type: 'Failed',
    reason: 'GateError',
    message: `the gate could not judge: ${message}`,
  });
}

/** What was trained lies where it lay, and is judged again: room is made by people, and a verdict is none without its version. */
function wait({ state, settings, nowMs }: Observed, said: string): Plan {
  const times = (state.gateWait?.times ?? 0) + 1;
  const message = `a volume has no room for what the gate writes; ${said}`;
  const retryAtMs = nowMs + doubled(times, settings.restartDelay);
  return move({ ...state, gateWait: { times, message, atMs: nowMs, retryAtMs } }, full(message), {
    type: 'Warning',
    reason: 'GateVolumeFull',
    message,
  });
}

/** Its Job goes first, with every pod: the next one has the same name. */
function waiting(observed: Observed, { retryAtMs = 0, ...wait }: GateWait): Plan {
  const { state, gate, nowMs } = observed;
  if (gate.job !== undefined || gate.pods.length > 0) {
    return gate.job?.deleting === false
      ? act(observed, [{ kind: 'deleteGate' }], full(wait.message))
      : minding(observed, full(wait.message));
  }
  if (retryAtMs > nowMs) return act(observed, [], full(wait.message), retryAtMs - nowMs);
  return move({ ...state, gateWait: wait }, gating('the trained model is judged again'));
}

function full(message: string): Plan['now'] {
  return { phase: 'Pending', reason: 'VolumeFull', message };
}

function judged(observed: Observed, verdict: Verdict): Plan {
  if (verdict.verdict === 'Fail')
    return finish(observed, { type: 'Failed', reason: 'GateFailed', message: wordsOf(verdict) });
  const { settings, state } = observed;
  const { published } = verdict;
  if (!settings.registers)
    return finish(observed, {
      type: 'Complete',
      reason: 'Trained',
      message: 'the model passed the gate; spec.output asks for no version',
    });
  if (state.produced !== undefined)
    return finish(observed, {
      type: 'Complete',
      reason: 'VersionProduced',
      message: `version ${state.produced.version} is registered`,
    });
  if (published === undefined)
    return finish(observed, {
      type: 'Failed',
      reason: 'NotPublished',
      message: 'the model passed the gate, but its file was not brought to the store',
    });
  return act(observed, [{ kind: 'register', published }], gating('the new version is registered'));
}

function suspended(observed: Observed): Plan {
  const { gate } = observed;
  const now = {
    phase: 'Suspended',
    reason: 'Suspended',
    message: 'spec.suspend is set; the gate comes later',
  } as const;
  const running = gate.job !== undefined && gate.job.done === undefined && !gate.job.deleting;
  return running ? act(observed, [{ kind: 'deleteGate' }], now) : minding(observed, now);
}

function gating(message: string): Plan['now'] {
  return { phase: 'Gating', reason: 'Gating', message };
}

export function wordsOf({ verdict, failed }: Verdict): string {
  return verdict === 'Pass' ? 'every gate is passed' : `not passed: ${failed.join(', ')}`;
}

function eventOf(verdict: Verdict): Plan['events'][number] {
  return verdict.verdict === 'Pass'
    ? { type: 'Normal', reason: 'GatePassed', message: wordsOf(verdict) }
    : { type: 'Warning', reason: 'GateFailed', message: wordsOf(verdict) };
}
