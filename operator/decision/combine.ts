/**
 * Reactive rule and need together, for the case that every metric is known. Availability never runs fewer replicas
 * than HPA would; Efficiency lets the calibrated forecast replace the headroom between target and capacity.
 */
import { averageRequest, perReplica } from './need/per-replica.ts';
import { computeReactive, reactiveContext } from './reactive/compute.ts';
import type { DecisionInput, MetricPlan, NeedResult, ReactiveResult } from './types.ts';

/**
 * The reactive result that enters the max: at the target, or in Efficiency at the capacity for each metric that
 * the forecast covers. A metric without a forecast keeps its target, for nothing else protects it.
 */
export function reactiveToCombine(
  input: DecisionInput,
  atTarget: ReactiveResult,
  need: NeedResult,
): ReactiveResult {
  if (input.spec.objective === 'Availability' || need.kind === 'unknown') return atTarget;
  const plans = input.spec.metrics.map((plan, index) =>
    need.metrics[index] ? atCapacity(plan, input.learnedCapacityMilli[index], input) : plan,
  );
  return computeReactive(plans, input.readings, reactiveContext(input), input.selectorProblem);
}

function atCapacity(plan: MetricPlan, learned: number | undefined, input: DecisionInput): MetricPlan {
  const carries = perReplica(plan, learned, input.pods);
  if (carries === undefined || carries.from === 'target') return plan;
  switch (plan.target.kind) {
    case 'Value':
      return plan;
    case 'AverageValue':
      return { ...plan, target: { kind: 'AverageValue', milli: carries.milli } };
    case 'Utilization': {
      const request = averageRequest(input.pods, plan);
      if (request === undefined) return plan;
      return { ...plan, target: { kind: 'Utilization', percent: (carries.milli / request) * 100 } };
    }
  }
}
