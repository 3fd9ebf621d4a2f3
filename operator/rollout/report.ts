/** What a plan says to people: a phase for the column, conditions with one reason each, and when to look again. */
import { acceleratedCondition } from './accelerator.ts';
import { enoughReady } from './capacity.ts';
import { stepsOf, targetWeight } from './course.ts';
import { newestOfDigest, recordOf } from './history.ts';
import { judgementOf, nameOf } from './steps.ts';
import type {
  Canary,
  Judgement,
  Phase,
  RolloutCondition,
  RolloutInput,
  RolloutState,
  Step,
} from './types.ts';
import { isTested, testCondition } from './variants.ts';

export function phaseOf(state: RolloutState, input: RolloutInput): Phase {
  const { stable, canary } = state;
  const ready = stable !== undefined && (input.pods.get(stable)?.ready ?? 0) > 0;
  if (canary !== undefined && stable !== undefined)
    return isHeld(state, canary, input) ? 'Paused' : 'Progressing';
  if (stable === undefined) return canary === undefined && state.history.length > 0 ? 'Degraded' : 'Pending';
  if (ready && isRefused(state, input) && isTested(state, input.settings)) return 'Paused';
  return ready && !isRefused(state, input) ? 'Healthy' : 'Degraded';
}

/** Whether what serves is not what is asked for, and nothing is on its way to change that. */
function isRefused(state: RolloutState, { wanted }: RolloutInput): boolean {
  return wanted !== undefined && recordOf(state, state.stable)?.digest !== wanted.digest;
}

function isHeld(state: RolloutState, canary: Canary, input: RolloutInput): boolean {
  if (input.settings.paused) return true;
  const step = stepsOf(state, input)[canary.step];
  if (step === undefined || !enoughReady(state, input)) return false;
  if (step.pause !== undefined) return true;
  return step.analysis !== undefined && (input.judge === 'none' || isOverdue(canary, input));
}

function isOverdue(canary: Canary, { nowMs, settings }: RolloutInput): boolean {
  return nowMs - canary.stepStartedAtMs >= settings.judge.maxDurationMs;
}

export function conditionsOf(state: RolloutState, input: RolloutInput): readonly RolloutCondition[] {
  return [
    readyCondition(state),
    progressing(state, input),
    ...judged(state, input),
    ...acceleratedCondition(state, input),
    ...testCondition(state, input),
  ];
}

/** By the traffic that is published. */
export function readyCondition({ traffic }: Pick<RolloutState, 'traffic'>): RolloutCondition {
  const serving = traffic.filter(({ weight }) => weight > 0);
  if (serving.length === 0)
    return { type: 'Ready', status: 'False', reason: 'NoReadyPods', message: 'no version has a ready pod' };
  const shares = serving.map(({ version, weight }) => `version ${version} answers ${weight} %`);
  return { type: 'Ready', status: 'True', reason: 'Serving', message: shares.join(', ') };
}

function progressing(state: RolloutState, input: RolloutInput): RolloutCondition {
  const is = (status: RolloutCondition['status'], reason: string, message: string): RolloutCondition => ({
    type: 'Progressing',
    status,
    reason,
    message,
  });
  const { canary, stable } = state;
  if (canary !== undefined) {
    const { version } = canary;
    if (input.settings.paused)
      return is('Unknown', 'Paused', `version ${version} is paused by spec.rollout.paused`);
    const steps = stepsOf(state, input);
    const step = steps[canary.step];
    if (canary.unreadySinceMs !== undefined)
      return is('True', 'WaitingForPods', waitingText(state, canary, input));
    if (step === undefined) return is('True', 'Promoting', `version ${version} is being promoted`);
    const at = `version ${version} is at step ${canary.step} of ${steps.length} (${nameOf(step)})`;
    return is(
      isHeld(state, canary, input) ? 'Unknown' : 'True',
      reasonOfStep(step, canary, input),
      `${at}${hint(step, canary, input)}`,
    );
  }
  if (isRefused(state, input) && isTested(state, input.settings))
    return is(
      'Unknown',
      'TestRunning',
      'another file is asked for; it begins when spec.abTest is taken away',
    );
  const refused = isRefused(state, input) ? newestOfDigest(state, input.wanted?.digest ?? '') : undefined;
  if (refused !== undefined)
    return is(
      'False',
      refused.reason ?? refused.outcome,
      `version ${refused.version} went back: ${refused.message}`,
    );
  if (stable === undefined) return is('Unknown', 'NoVersion', 'no version has begun yet');
  const all = (state.variants ?? []).length === 0 ? ' serves all of the traffic' : ' is stable';
  return is('True', 'Complete', `version ${stable}${all}`);
}

function waitingText(state: RolloutState, canary: Canary, input: RolloutInput): string {
  const { available = 0, problem } = input.pods.get(canary.version) ?? {};
  const weight = targetWeight(stepsOf(state, input), canary.step);
  const what = state.stable === undefined ? 'its first traffic' : `the pods for ${weight} %`;
  return `version ${canary.version} waits for ${what}; ${available} are available${problem === undefined ? '' : `; ${problem}`}`;
}

function reasonOfStep(step: Step, canary: Canary, input: RolloutInput): string {
  if (step.pause !== undefined) return step.pause.durationMs === undefined ? 'WaitingForPerson' : 'PauseStep';
  if (step.analysis === undefined) return 'Progressing';
  if (input.judge === 'none') return 'NoJudge';
  return isOverdue(canary, input) ? 'AnalysisHeld' : 'Analysing';
}

function hint(step: Step, canary: Canary, input: RolloutInput): string {
  const promote = '`foresail rollout promote` lets it go on';
  if (step.pause !== undefined && step.pause.durationMs === undefined) return `; ${promote}`;
  if (step.analysis === undefined) return '';
  if (input.judge === 'none') return `, and no judge is installed; ${promote}`;
  return isOverdue(canary, input) ? `, and the judge came to no verdict in time; ${promote}` : '';
}

/** About the canary, or about stable while the version before it is watched. */
export function judgementInForce(state: RolloutState, judge: RolloutInput['judge']): Judgement | undefined {
  const { canary, stable, kept } = state;
  if (canary !== undefined) return judgementOf(canary, state, judge);
  if (judge === 'none' || judge?.candidate !== stable) return undefined;
  return kept.some((entry) => entry.for === 'Watch' && entry.version === judge?.baseline) ? judge : undefined;
}

const JUDGED = { Promote: 'True', Rollback: 'False', Inconclusive: 'Unknown' } as const;

function judged(state: RolloutState, { judge }: RolloutInput): readonly RolloutCondition[] {
  if (state.canary === undefined && !state.kept.some((entry) => entry.for === 'Watch')) return [];
  const type = 'Judged';
  if (judge === 'none')
    return [
      { type, status: 'Unknown', reason: 'NoJudge', message: 'no judge is installed; an analysis is held' },
    ];
  const judgement = judgementInForce(state, judge);
  if (judgement === undefined)
    return [{ type, status: 'Unknown', reason: 'NoData', message: 'nothing was scored yet' }];
  const { verdict, candidate, baseline, labels, message } = judgement;
  const text = `version ${candidate} against version ${baseline}: ${message ?? `${labels} forecasts scored`}`;
  return [{ type, status: JUDGED[verdict], reason: verdict, message: text }];
}

/** Milliseconds until time alone changes the plan; undefined when it does not. */
export function nextLook(state: RolloutState, input: RolloutInput): number | undefined {
  const { nowMs, settings } = input;
  const { canary, kept } = state;
  const times = kept.map(({ untilMs }) => untilMs);
  if (settings.gpuFallbackMs !== undefined)
    for (const { unschedulableSinceMs: since } of input.pods.values())
      if (since !== undefined) times.push(since + settings.gpuFallbackMs);
  if (canary !== undefined) {
    const step = stepsOf(state, input)[canary.step];
    if (canary.unreadySinceMs !== undefined) times.push(canary.unreadySinceMs + settings.progressDeadlineMs);
    if (step?.pause?.durationMs !== undefined) times.push(canary.stepStartedAtMs + step.pause.durationMs);
    if (step?.analysis !== undefined) times.push(canary.stepStartedAtMs + settings.judge.maxDurationMs);
  }
  const ahead = times.filter((time) => time > nowMs);
  return ahead.length === 0 ? undefined : Math.min(...ahead) - nowMs;
}
