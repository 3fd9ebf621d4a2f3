/**
 * A PredictiveScaler's spec with its quantities and durations parsed and HPA's defaults filled in: done once per
 * generation of the object, so that a decision only computes.
 */
import { applyHpaDefaults, type ResolvedScalingRules } from '../api/predictivescaler/hpa-defaults.ts';
import type { MetricIdentifier, MetricSpec, MetricTarget } from '../api/predictivescaler/metrics.ts';
import type { Schedule } from '../api/predictivescaler/schedules.ts';
import type { PredictiveScalerSpec } from '../api/predictivescaler/spec.ts';
import { parseDurationMs } from '../duration.ts';
import { formatSelector } from '../labels.ts';
import { parseQuantityMilli } from '../quantity.ts';
import { parseFraction } from './fraction.ts';
import type { SchedulePlan } from './schedule.ts';
import type { DecisionSpec, MetricPlan, ReactiveTuning, ScalingRulesPlan, TargetPlan } from './types.ts';

/** @throws ForesailError QUANTITY_INVALID or DURATION_INVALID for a spec that never met the API server's checks. */
export function decisionSpec(spec: PredictiveScalerSpec, tuning: ReactiveTuning): DecisionSpec {
  // The API's field holds whole seconds; HPA cuts its flag to them.
  const windowSeconds = Math.trunc(tuning.downscaleStabilizationMs / 1000);
  const { minReplicas, maxReplicas, metrics, behavior } = applyHpaDefaults(spec, windowSeconds);
  const { fallback } = spec;
  return {
    mode: spec.mode,
    objective: spec.objective,
    minReplicas,
    maxReplicas,
    metrics: metrics.map(metricPlan),
    paused: spec.paused,
    ...(behavior === undefined
      ? {}
      : { behavior: { scaleUp: rules(behavior.scaleUp), scaleDown: rules(behavior.scaleDown) } }),
    ...(fallback === undefined
      ? {}
      : { fallback: { replicas: fallback.replicas, afterMs: parseDurationMs(fallback.after) } }),
  };
}

/** For `compileSchedule`. */
export function schedulePlan({
  name,
  schedule,
  duration,
  timeZone,
  minReplicas,
  maxReplicas,
}: Schedule): SchedulePlan {
  return {
    name,
    schedule,
    durationMs: parseDurationMs(duration),
    timeZone,
    ...(minReplicas === undefined ? {} : { minReplicas }),
    ...(maxReplicas === undefined ? {} : { maxReplicas }),
  };
}

export function metricPlan(metric: MetricSpec): MetricPlan {
  const capacity =
    metric.capacity === undefined ? {} : { capacityMilli: parseQuantityMilli(metric.capacity) };
  switch (metric.type) {
    case 'Resource': {
      const { name, target } = metric.resource;
      return { type: metric.type, name, target: targetPlan(target), ...capacity };
    }
    case 'ContainerResource': {
      const { name, container, target } = metric.containerResource;
      return { type: metric.type, name, container, target: targetPlan(target), ...capacity };
    }
    case 'Pods': {
      const { metric: identifier, target } = metric.pods;
      const scope = scopeOf(identifier);
      return { type: metric.type, name: identifier.name, ...scope, target: targetPlan(target), ...capacity };
    }
    case 'Object': {
      const { metric: identifier, target, describedObject } = metric.object;
      const plan = { type: metric.type, name: identifier.name, target: targetPlan(target) } as const;
      const scope = scopeOf(identifier, describedObject.name);
      return { ...plan, objectKind: describedObject.kind, ...scope, ...capacity };
    }
    case 'External': {
      const { metric: identifier, target } = metric.external;
      const scope = scopeOf(identifier);
      return { type: metric.type, name: identifier.name, ...scope, target: targetPlan(target), ...capacity };
    }
    case 'Prometheus': {
      const { query, target, serverRef } = metric.prometheus;
      const scope = { scope: serverRef.name };
      return { type: metric.type, name: query, ...scope, target: targetPlan(target), ...capacity };
    }
  }
}

function scopeOf({ selector }: MetricIdentifier, object?: string): { readonly scope?: string } {
  const parts = [object, selector && formatSelector(selector)].filter((part) => part !== undefined);
  return parts.length === 0 ? {} : { scope: parts.join(' ') };
}

function targetPlan(target: MetricTarget): TargetPlan {
  switch (target.type) {
    case 'Utilization':
      return { kind: 'Utilization', percent: target.averageUtilization };
    case 'AverageValue':
      return { kind: 'AverageValue', milli: parseQuantityMilli(target.averageValue) };
    case 'Value':
      return { kind: 'Value', milli: parseQuantityMilli(target.value) };
  }
}

function rules({ tolerance, ...rest }: ResolvedScalingRules): ScalingRulesPlan {
  return { ...rest, ...(tolerance === undefined ? {} : { tolerance: parseFraction(tolerance) }) };
}
