/**
 * All metrics together: the largest valid proposal wins. When some metrics are unusable, the rest may raise but not
 * lower; when all are, nothing moves.
 */
import type { MetricReading, Observation } from '../../observation.ts';
import type { DecisionInput, MetricPlan, MetricProposal, ReactiveResult } from '../types.ts';
import { proposalFor, type ReactiveContext } from './metric.ts';
import { toleranceOf } from './tolerance.ts';

export function reactiveContext(input: DecisionInput): ReactiveContext {
  return {
    pods: input.pods,
    specReplicas: input.specReplicas,
    statusReplicas: input.statusReplicas,
    tolerance: toleranceOf(input.spec.behavior, input.tuning),
    tuning: input.tuning,
    nowMs: input.nowMs,
  };
}

export function computeReactive(
  metrics: readonly MetricPlan[],
  readings: readonly Observation<MetricReading>[],
  context: ReactiveContext,
  selectorProblem?: DecisionInput['selectorProblem'],
): ReactiveResult {
  if (selectorProblem !== undefined) {
    const proposals = metrics.map((): MetricProposal => ({ kind: 'invalid', ...selectorProblem }));
    return { metrics: proposals, hold: true };
  }
  const proposals = metrics.map((plan, index) => {
    const reading = readings[index];
    return reading === undefined ? notAsked(plan) : proposalFor(plan, reading, context);
  });
  let best: Extract<MetricProposal, { kind: 'valid' }> | undefined;
  let invalid = 0;
  for (const proposal of proposals) {
    if (proposal.kind === 'invalid') invalid += 1;
    else if (best === undefined || proposal.replicas > best.replicas) best = proposal;
  }
  if (best === undefined) return { metrics: proposals, hold: true };
  return {
    metrics: proposals,
    replicas: best.replicas,
    description: best.description,
    hold: invalid > 0 && best.replicas < context.specReplicas,
  };
}

function notAsked(plan: MetricPlan): MetricProposal {
  return {
    kind: 'invalid',
    reason: 'InvalidMetricSourceType',
    message: `${plan.name}: no reading was given`,
  };
}

/** The first metric without a usable answer: HPA's condition speaks of that one. */
export function firstInvalid(
  result: ReactiveResult,
): Extract<MetricProposal, { kind: 'invalid' }> | undefined {
  return result.metrics.find((proposal) => proposal.kind === 'invalid');
}
