/**
 * Phase "steps": how far the canary has come. A step is done by what was seen, by time, by the judge or by a person;
 * none is while too few of the canary's pods are ready, so a version is warm before anything rests on it.
 */
import { enoughReady } from './capacity.ts';
import { stepsOf } from './course.ts';
import { type Draft, dropCanary, mirrorOf, type PlanPhase, tell, weightOf, withState } from './draft.ts';
import type { Canary, Judgement, RolloutInput, RolloutState, Step } from './types.ts';

export const advance: PlanPhase = (draft, input) => {
  let next = draft;
  for (;;) {
    const { canary } = next.state;
    const steps = stepsOf(next.state, input);
    if (canary === undefined || input.settings.paused || canary.step >= steps.length) return next;
    if (!enoughReady(next.state, input)) return next;
    const step = steps[canary.step] as Step;
    const outcome = isPromoted(canary, input) ? 'done' : outcomeOf(step, canary, next.state, input);
    if (outcome === 'wait') return next;
    if (outcome !== 'done') return dropCanary(next, input, 'Aborted', outcome.reason, outcome.message);
    next = onwards(next, canary, step, input.nowMs);
  }
};

function isPromoted({ version, step }: Canary, { settings: { promote } }: RolloutInput): boolean {
  return promote?.version === version && (promote.step === undefined || step <= promote.step);
}

function onwards(draft: Draft, canary: Canary, step: Step, nowMs: number): Draft {
  const next = { ...canary, step: canary.step + 1, stepStartedAtMs: nowMs };
  const message = `version ${canary.version}: step ${canary.step} (${nameOf(step)}) is done`;
  return tell(withState(draft, { ...draft.state, canary: next }), 'Normal', 'StepCompleted', message);
}

type StepOutcome = 'done' | 'wait' | { readonly reason: string; readonly message: string };

function outcomeOf(step: Step, canary: Canary, state: RolloutState, input: RolloutInput): StepOutcome {
  // Beside a stable without pods nothing is proved: what the canary carries then was not meant for it.
  if ((input.pods.get(state.stable ?? 0)?.ready ?? 0) === 0) return 'wait';
  // Done when they are published, not when they are decided: the next step counts from there.
  if (step.setWeight !== undefined)
    return weightOf(state.traffic, canary.version) >= step.setWeight ? 'done' : 'wait';
  if (step.shadow !== undefined)
    return mirrorOf(state.traffic, canary.version) >= step.shadow.percent ? 'done' : 'wait';
  if (step.pause !== undefined) {
    const { durationMs } = step.pause;
    return durationMs !== undefined && input.nowMs - canary.stepStartedAtMs >= durationMs ? 'done' : 'wait';
  }
  return analyse(canary, state, input);
}

function analyse(canary: Canary, state: RolloutState, input: RolloutInput): StepOutcome {
  const { judge, nowMs } = input;
  const { maxDurationMs, onInconclusive, onNoData } = input.settings.judge;
  if (judge === 'none') return 'wait';
  const judgement = judgementOf(canary, state, judge);
  // Rollback is not only looked at here: a bad version goes back at any step (see safety.ts).
  if (judgement?.verdict === 'Promote') return 'done';
  if (nowMs - canary.stepStartedAtMs < maxDurationMs) return 'wait';
  if (judgement === undefined || judgement.labels === 0 || judgement.blind === true)
    return onNoData === 'Hold' ? 'wait' : { reason: 'NoData', message: 'nothing was scored in time' };
  if (onInconclusive === 'Promote') return 'done';
  if (onInconclusive === 'Hold') return 'wait';
  return { reason: 'Inconclusive', message: 'the judge came to no verdict in time' };
}

/** The judgement of this canary against this stable; any other is about the past. */
export function judgementOf(
  { version }: Pick<Canary, 'version'>,
  { stable }: Pick<RolloutState, 'stable'>,
  judge: RolloutInput['judge'],
): Judgement | undefined {
  if (judge === 'none' || judge?.candidate !== version || judge.baseline !== stable) return undefined;
  return judge;
}

export function nameOf(step: Step): string {
  if (step.shadow !== undefined) return `shadow ${step.shadow.percent} %`;
  if (step.setWeight !== undefined) return `weight ${step.setWeight} %`;
  return step.pause === undefined ? 'analysis' : 'pause';
}
