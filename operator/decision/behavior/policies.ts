/**
 * The rate limits of `behavior`. A policy counts from the replicas at the start of its period, which are the present
 * ones less what was added and plus what was removed since, in both directions.
 */
import type { ScaleEvent, ScalingPolicyPlan, ScalingRulesPlan } from '../types.ts';

export interface ScaleEvents {
  readonly scaleUps: readonly ScaleEvent[];
  readonly scaleDowns: readonly ScaleEvent[];
}

/** The most replicas that may run now; may lie below `current` when the budget is overspent. */
export function upLimit(
  current: number,
  events: ScaleEvents,
  rules: ScalingRulesPlan,
  nowMs: number,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = rules.policies.map((policy) => {
    const start = periodStart(current, events, policy, nowMs);
    // Rounded up: otherwise a small percentage of a small number would never move.
    return policy.type === 'Pods' ? start + policy.value : Math.ceil(start * (1 + policy.value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

/** The fewest replicas that must stay now; may lie above `current`. */
export function downLimit(
  current: number,
  events: ScaleEvents,
  rules: ScalingRulesPlan,
  nowMs: number,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = rules.policies.map((policy) => {
    const start = periodStart(current, events, policy, nowMs);
    return policy.type === 'Pods' ? start - policy.value : Math.trunc(start * (1 - policy.value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}

function periodStart(
  current: number,
  events: ScaleEvents,
  { periodSeconds }: ScalingPolicyPlan,
  nowMs: number,
): number {
  const cutoff = nowMs - periodSeconds * 1000;
  return current - changeSince(events.scaleUps, cutoff) + changeSince(events.scaleDowns, cutoff);
}

function changeSince(events: readonly ScaleEvent[], cutoff: number): number {
  return events.reduce((sum, { change, atMs }) => (atMs > cutoff ? sum + change : sum), 0);
}

/** How long a scale event can matter to the policies of its own direction. */
export function longestPeriodMs({ policies }: ScalingRulesPlan): number {
  return policies.reduce((longest, { periodSeconds }) => Math.max(longest, periodSeconds * 1000), 0);
}
