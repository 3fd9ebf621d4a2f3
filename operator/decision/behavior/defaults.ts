/** A behaviour that is given partly, completed as autoscaling/v2 does: periods of 15 s, not the 60 s of its comments. */
import type { BehaviorPlan, ReactiveTuning, ScalingPolicyPlan, ScalingRulesPlan } from '../types.ts';

export interface FullRules {
  readonly stabilizationWindowMs: number;
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly ScalingPolicyPlan[];
}

export interface FullBehavior {
  readonly scaleUp: FullRules;
  readonly scaleDown: FullRules;
}

const UP_POLICIES: readonly ScalingPolicyPlan[] = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
];
const DOWN_POLICIES: readonly ScalingPolicyPlan[] = [{ type: 'Percent', value: 100, periodSeconds: 15 }];

export function defaultedBehavior(behavior: BehaviorPlan, tuning: ReactiveTuning): FullBehavior {
  // The window of the flag is cut to whole seconds, as the API's field is.
  const flagWindowMs = Math.trunc(tuning.downscaleStabilizationMs / 1000) * 1000;
  return {
    scaleUp: completed(behavior.scaleUp, 0, UP_POLICIES),
    scaleDown: completed(behavior.scaleDown, flagWindowMs, DOWN_POLICIES),
  };
}

function completed(
  rules: ScalingRulesPlan | undefined,
  windowMs: number,
  policies: readonly ScalingPolicyPlan[],
): FullRules {
  const seconds = rules?.stabilizationWindowSeconds;
  return {
    stabilizationWindowMs: seconds === undefined ? windowMs : seconds * 1000,
    selectPolicy: rules?.selectPolicy ?? 'Max',
    policies: rules?.policies ?? policies,
  };
}

export function longestPeriodMs(rules: FullRules): number {
  return rules.policies.reduce((longest, { periodSeconds }) => Math.max(longest, periodSeconds * 1000), 0);
}
