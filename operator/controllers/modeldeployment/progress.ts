/** What one pass has moved, for whoever counts rollouts: ends and steps, out of the plan's own words. */
import type { ModelDeploymentStatus } from '../../api/index.ts';
import { nameOfKind, stepsOf } from '../../rollout/course.ts';
import type { RolloutEvent, RolloutPlan, RolloutSettings, RolloutState } from '../../rollout/types.ts';

export interface Progress {
  readonly namespace: string;
  readonly name: string;
  readonly before: RolloutState;
  readonly plan: RolloutPlan;
  readonly settings: RolloutSettings;
  readonly status: ModelDeploymentStatus;
  readonly nowMs: number;
}

const ENDS = {
  Promoted: 'Promoted',
  CanaryAborted: 'Aborted',
  CanarySuperseded: 'Superseded',
  CanaryUndone: 'Undone',
  RolledBack: 'RolledBack',
} as const;

export function sampleOf({ namespace, name, before, plan, settings, status, nowMs }: Progress) {
  const { stable, canary, judge } = status;
  return {
    namespace,
    name,
    phase: plan.phase,
    versions: { ...(stable === undefined ? {} : { stable }), ...(canary === undefined ? {} : { canary }) },
    verdict: judge?.verdict,
    ended: plan.events.flatMap(({ reason }: RolloutEvent) =>
      reason in ENDS ? [ENDS[reason as keyof typeof ENDS]] : [],
    ),
    steps: stepsDone(before, plan, settings, nowMs),
  };
}

/** Steps that ended with this plan; those after the first took no time. */
function stepsDone(before: RolloutState, { events }: RolloutPlan, settings: RolloutSettings, nowMs: number) {
  const { canary } = before;
  if (canary === undefined) return [];
  const count = events.filter(({ reason }) => reason === 'StepCompleted').length;
  return stepsOf(before, { settings })
    .slice(canary.step, canary.step + count)
    .map((step, i) => ({
      kind: nameOfKind(step),
      seconds: i === 0 ? (nowMs - canary.stepStartedAtMs) / 1000 : 0,
    }));
}
