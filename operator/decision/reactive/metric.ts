/** One metric of the spec and its reading → a proposal, or HPA's reason why there is none. */
import type { MetricReading, Observation } from '../../observation.ts';
import type { MetricFailure, MetricPlan, MetricProposal, PodView, ReactiveTuning } from '../types.ts';
import { averageReplicas, type PerPodInput, utilizationReplicas } from './per-pod.ts';
import type { Tolerance } from './tolerance.ts';
import { averageValueReplicas, valueReplicas } from './total.ts';

export interface ReactiveContext {
  readonly pods: readonly PodView[];
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly tolerance: Tolerance;
  readonly tuning: ReactiveTuning;
  readonly nowMs: number;
}

const FAILURES = {
  Resource: 'FailedGetResourceMetric',
  ContainerResource: 'FailedGetContainerResourceMetric',
  Pods: 'FailedGetPodsMetric',
  Object: 'FailedGetObjectMetric',
  External: 'FailedGetExternalMetric',
  Prometheus: 'FailedGetPrometheusMetric',
} as const satisfies Record<MetricPlan['type'], MetricFailure>;

export function proposalFor(
  plan: MetricPlan,
  reading: Observation<MetricReading>,
  context: ReactiveContext,
): MetricProposal {
  const reason = FAILURES[plan.type];
  if (reading.kind === 'unknown') {
    return { kind: 'invalid', reason, message: `${plan.name}: ${reading.reason}: ${reading.message}` };
  }
  if (!isNumeric(reading.value))
    return { kind: 'invalid', reason, message: `${plan.name}: not a number ≥ 0` };
  const result =
    reading.value.form === 'total'
      ? fromTotal(plan, reading.value.milli, context)
      : fromPods(plan, reading.value.samples, context);
  if (result.kind === 'invalid')
    return { kind: 'invalid', reason, message: `${plan.name}: ${result.message}` };
  return { ...result, description: describe(plan) };
}

/** The sources let nothing else through; a bug there must end as unknown and not as a replica count. */
function isNumeric(reading: MetricReading): boolean {
  const isLoad = (milli: number) => Number.isFinite(milli) && milli >= 0;
  if (reading.form === 'total') return isLoad(reading.milli);
  for (const { milli } of reading.samples.values()) if (!isLoad(milli)) return false;
  return true;
}

function fromTotal({ target }: MetricPlan, milli: number, context: ReactiveContext) {
  const { specReplicas, statusReplicas, pods, tolerance } = context;
  switch (target.kind) {
    case 'Value':
      return valueReplicas(milli, target.milli, specReplicas, pods, tolerance);
    case 'AverageValue':
      return averageValueReplicas(milli, target.milli, statusReplicas, tolerance);
    case 'Utilization':
      return { kind: 'invalid', message: 'a total has no utilization' } as const;
  }
}

function fromPods(plan: MetricPlan, samples: PerPodInput['samples'], context: ReactiveContext) {
  const isResource = plan.type === 'Resource' || plan.type === 'ContainerResource';
  const input: PerPodInput = {
    pods: context.pods,
    samples,
    currentReplicas: context.specReplicas,
    tolerance: context.tolerance,
    tuning: context.tuning,
    nowMs: context.nowMs,
    ...(isResource ? { resource: plan.name } : {}),
    ...(plan.container === undefined ? {} : { container: plan.container }),
  };
  switch (plan.target.kind) {
    case 'Utilization':
      return utilizationReplicas(input, plan.name, plan.target.percent);
    case 'AverageValue':
      return averageReplicas(input, plan.target.milli);
    case 'Value':
      return { kind: 'invalid', message: 'samples per pod have no single value' } as const;
  }
}

/** The texts that HPA puts into its events, so that people and alerts find what they know. */
function describe(plan: MetricPlan): string {
  const utilization = plan.target.kind === 'Utilization';
  switch (plan.type) {
    case 'Resource':
      return utilization
        ? `${plan.name} resource utilization (percentage of request)`
        : `${plan.name} resource`;
    case 'ContainerResource':
      return utilization
        ? `${plan.name} container resource utilization (percentage of request)`
        : `${plan.name} resource`;
    case 'Pods':
      return `pods metric ${plan.name}`;
    case 'Object':
      return `${plan.objectKind ?? 'object'} metric ${plan.name}`;
    case 'External':
      return `external metric ${plan.name}`;
    case 'Prometheus':
      return `prometheus metric ${plan.name}`;
  }
}
