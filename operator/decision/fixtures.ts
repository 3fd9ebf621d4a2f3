/** Builders for tests: a plain input in which nothing special happens, to be changed in one place at a time. */
import { known, type MetricReading, type Observation, type PodSample, unknown } from '../observation.ts';
import { HPA_DEFAULTS } from './reactive/tuning.ts';
import type {
  BehaviorPlan,
  DecisionInput,
  DecisionSpec,
  ForecastInput,
  MetricPlan,
  PodView,
  ScalingRulesPlan,
} from './types.ts';

/** A Friday noon; everything in these fixtures happened long before it. */
export const NOW = Date.UTC(2026, 0, 2, 12, 0, 0);
export const SECOND = 1000;
export const MINUTE = 60_000;

export function pod(name: string, change: Partial<PodView> = {}): PodView {
  return {
    name,
    phase: 'Running',
    deleting: false,
    startTimeMs: NOW - 60 * MINUTE,
    ready: { status: 'True', lastTransitionMs: NOW - 59 * MINUTE },
    containers: [{ name: 'app', requestsMilli: { cpu: 100 } }],
    ...change,
  };
}

export function pods(count: number, change: Partial<PodView> = {}): PodView[] {
  return Array.from({ length: count }, (_, index) => pod(`p${index}`, change));
}

/** Samples of p0, p1, … in millis; undefined leaves that pod without one. */
export function perPod(values: readonly (number | undefined)[], at = NOW): Observation<MetricReading> {
  const samples = new Map<string, PodSample>();
  for (const [index, milli] of values.entries()) {
    if (milli !== undefined) samples.set(`p${index}`, { milli, at, windowMs: 30 * SECOND });
  }
  return known({ form: 'perPod', samples }, at);
}

export function total(value: number, at = NOW): Observation<MetricReading> {
  return known({ form: 'total', milli: Math.round(value * 1000), series: 1 }, at);
}

export function lost(since = NOW - MINUTE): Observation<never> {
  return unknown('Timeout', 'no answer within 10 s', since);
}

export function cpu(percent: number): MetricPlan {
  return { type: 'Resource', name: 'cpu', target: { kind: 'Utilization', percent } };
}

export function external(kind: 'Value' | 'AverageValue', target: number): MetricPlan {
  return { type: 'External', name: 'queue_len', target: { kind, milli: target * 1000 } };
}

export function rules(change: Partial<ScalingRulesPlan> = {}): ScalingRulesPlan {
  return {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...change,
  };
}

/** `behavior: {}` as HPA completes it. */
export const DEFAULT_BEHAVIOR: BehaviorPlan = {
  scaleUp: rules({
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  }),
  scaleDown: rules({ stabilizationWindowSeconds: 300 }),
};

export function spec(change: Partial<DecisionSpec> = {}): DecisionSpec {
  return {
    mode: 'Reactive',
    objective: 'Availability',
    minReplicas: 1,
    maxReplicas: 100,
    metrics: [external('AverageValue', 100)],
    ...change,
  };
}

/** A flat upper path for each metric, an hour long from NOW, in whole units. */
export function forecast(...loads: readonly (number | undefined)[]): ForecastInput {
  return {
    paths: loads.map((load) =>
      load === undefined
        ? undefined
        : { originMs: NOW, stepMs: MINUTE, loadMilli: new Float64Array(60).fill(load * 1000) },
    ),
    model: { name: 'loadcast', version: '1', digest: 'sha256:0' },
    coverage: 0.99,
  };
}

/** @param replicas spec and status of the target, with as many ready pods. */
export function input(replicas: number, change: Partial<DecisionInput> = {}): DecisionInput {
  return {
    id: 'd1',
    nowMs: NOW,
    spec: spec(),
    specReplicas: replicas,
    statusReplicas: replicas,
    pods: pods(replicas),
    readings: [total(replicas * 100)],
    forecast: unknown('NotRead', 'no forecast yet', NOW),
    window: { fromMs: NOW, toMs: NOW + 2 * MINUTE },
    learnedCapacityMilli: [],
    activeSchedules: [],
    tuning: HPA_DEFAULTS,
    guards: {},
    // A scaler that has been seen before and has nothing in its windows.
    memory: { recommendations: [], scaleUps: [], scaleDowns: [], outliers: {}, unknownSinceMs: null },
    ...change,
  };
}

/** A change for `pod`: its container requests nothing. */
export const unreadable: Partial<PodView> = { containers: [{ name: 'app', requestsMilli: {} }] };
