/**
 * What a user sees of a decision. HPA's fields carry HPA's meaning. The status is written when something a person or
 * a GitOps tool would act on has changed; numbers that move with every sample are served live instead
 * (`foresail explain`), because a thousand scalers that write each other's noise are a load of their own.
 */
import type {
  Condition,
  MetricSpec,
  MetricStatus,
  PredictiveScaler,
  PredictiveScalerStatus,
} from '../../api/index.ts';
import type { ConditionPlan, CurrentValue, Decision } from '../../decision/types.ts';
import { formatDuration } from '../../duration.ts';
import type { LeadTime, ModelRef } from '../../forecast/types.ts';
import { formatQuantityMilli } from '../../quantity.ts';

export type ConditionType = Condition['type'];

/** Conditions of our own beside those that the decision derives. */
export interface OwnCondition {
  readonly type: 'Ready' | 'ForecastReady' | 'ForecastProven' | 'ForecastDrift' | 'ConflictingScaler';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface ForecastReport {
  /** Id of the forecaster that serves the first metric. */
  readonly forecaster: string;
  readonly model: ModelRef;
  readonly stepMs: number;
  /** Calibrated quantiles of the load at the lead time, unit of the metric. */
  readonly quantiles: readonly { readonly level: number; readonly load: number }[];
}

export interface StatusInput {
  readonly scaler: PredictiveScaler;
  readonly metrics: readonly MetricSpec[];
  /** Undefined when the reconcile ended before a decision. */
  readonly decision: Decision | undefined;
  readonly currentReplicas: number | undefined;
  readonly selector: string | undefined;
  readonly scaledAtMs: number | undefined;
  readonly forecast: ForecastReport | undefined;
  readonly lead: {
    readonly ms: number;
    readonly source: 'Configured' | 'Learned' | 'Assumed';
    readonly learned: LeadTime | undefined;
  };
  readonly realisedCoverage: number | undefined;
  /** Undefined where the mode looks at no forecast. */
  readonly verdict: PredictiveScalerStatus['verdict'];
  readonly conditions: readonly (ConditionPlan | OwnCondition)[];
  readonly nowMs: number;
}

/** The whole status; fields that this reconcile knows nothing new about keep what they had. */
export function buildStatus(input: StatusInput): PredictiveScalerStatus {
  const { scaler, decision, forecast, lead } = input;
  const before = scaler.status ?? {};
  const { scaleTargetRef, forecast: asked } = scaler.spec;
  return {
    ...before,
    observedGeneration: scaler.metadata.generation ?? 0,
    target: `${scaleTargetRef.kind}/${scaleTargetRef.name}`,
    ...(decision === undefined
      ? {}
      : { mode: decision.mode.inForce, desiredReplicas: decision.desiredReplicas }),
    ...(input.currentReplicas === undefined ? {} : { currentReplicas: input.currentReplicas }),
    ...(input.selector === undefined ? {} : { selector: input.selector }),
    ...(input.scaledAtMs === undefined ? {} : { lastScaleTime: timeText(input.scaledAtMs) }),
    ...(decision === undefined ? {} : { currentMetrics: currentMetrics(input.metrics, decision) }),
    conditions: mergeConditions(
      before.conditions ?? [],
      input.conditions,
      scaler.metadata.generation,
      input.nowMs,
    ),
    leadTime: {
      value: formatDuration(roundToSecond(lead.ms)),
      source: lead.source,
      ...(lead.learned === undefined
        ? {}
        : {
            p50: formatDuration(roundToSecond(lead.learned.p50Ms)),
            p90: formatDuration(roundToSecond(lead.learned.p90Ms)),
            samples: lead.learned.samples,
          }),
    },
    ...(forecast === undefined || decision === undefined
      ? { forecast: undefined }
      : { forecast: forecastStatus(forecast, decision) }),
    coverage: {
      asked: asked.coverage,
      ...(input.realisedCoverage === undefined ? {} : { realised: input.realisedCoverage.toFixed(4) }),
    },
    ...(decision === undefined ? {} : { lastDecision: lastDecision(decision), verdict: input.verdict }),
  };
}

/**
 * Whether the difference is worth a write: replicas, a condition, the mode, the verdict, the spec's generation, the
 * forecaster, or the forecast in replicas. A timestamp, a sample or a quantile alone is not.
 */
export function worthWriting(
  before: PredictiveScalerStatus | undefined,
  next: PredictiveScalerStatus,
): boolean {
  return before === undefined || JSON.stringify(significant(before)) !== JSON.stringify(significant(next));
}

function significant(status: PredictiveScalerStatus): unknown {
  return [
    status.observedGeneration,
    status.target,
    status.mode,
    status.selector,
    status.currentReplicas,
    status.desiredReplicas,
    status.lastScaleTime,
    status.leadTime?.source,
    status.forecast?.replicas,
    status.forecast?.forecaster,
    status.forecast?.digest,
    status.forecast?.step,
    status.verdict?.recommendation,
    status.verdict?.reason,
    [...(status.conditions ?? [])]
      .map(({ type, status: value, reason }) => `${type}=${value}/${reason}`)
      .sort(),
  ];
}

/** As metav1 asks: `lastTransitionTime` moves only when the status does. A type that is not named keeps what it had. */
export function mergeConditions(
  before: readonly Condition[],
  next: readonly (ConditionPlan | OwnCondition)[],
  generation: number | undefined,
  nowMs: number,
): Condition[] {
  const merged = new Map(before.map((condition) => [condition.type, condition]));
  for (const { type, status, reason, message } of next) {
    const old = merged.get(type);
    merged.set(type, {
      type,
      status,
      reason,
      message: message.slice(0, 4096),
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : timeText(nowMs),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    });
  }
  return [...merged.values()];
}

function forecastStatus({ forecaster, model, stepMs, quantiles }: ForecastReport, decision: Decision) {
  return {
    ...(decision.forecast.kind === 'known' ? { replicas: decision.forecast.replicas } : {}),
    forecaster,
    model: model.name,
    version: model.version,
    digest: model.digest,
    step: formatDuration(stepMs),
    quantiles: quantiles.map(({ level, load }) => ({
      level: String(level),
      value: formatQuantityMilli(Math.round(load * 1000)),
    })),
  };
}

function lastDecision(decision: Decision) {
  return {
    id: decision.id,
    time: timeText(decision.atMs),
    ...(decision.reactive.replicas === undefined ? {} : { reactive: decision.reactive.replicas }),
    ...(decision.forecast.kind === 'known' ? { forecast: decision.forecast.replicas } : {}),
    boundBy: decision.boundBy,
    result: decision.desiredReplicas,
  };
}

/** As HPA: one entry per metric that has a value. */
function currentMetrics(metrics: readonly MetricSpec[], decision: Decision): MetricStatus[] {
  return metrics.flatMap((metric, i) => {
    const proposal = decision.reactive.metrics[i];
    return proposal?.kind === 'valid' ? [metricStatus(metric, proposal.current)] : [];
  });
}

function metricStatus(metric: MetricSpec, value: CurrentValue): MetricStatus {
  const current = {
    ...(value.averageUtilization === undefined ? {} : { averageUtilization: value.averageUtilization }),
    ...(value.averageValueMilli === undefined
      ? {}
      : { averageValue: formatQuantityMilli(value.averageValueMilli) }),
    ...(value.valueMilli === undefined ? {} : { value: formatQuantityMilli(value.valueMilli) }),
  };
  switch (metric.type) {
    case 'Resource':
      return { type: metric.type, resource: { name: metric.resource.name, current } };
    case 'ContainerResource': {
      const { name, container } = metric.containerResource;
      return { type: metric.type, containerResource: { name, container, current } };
    }
    case 'Pods':
      return { type: metric.type, pods: { metric: metric.pods.metric, current } };
    case 'Object': {
      const { describedObject, metric: named } = metric.object;
      return { type: metric.type, object: { metric: named, describedObject, current } };
    }
    case 'External':
      return { type: metric.type, external: { metric: metric.external.metric, current } };
    case 'Prometheus': {
      const { serverRef, query } = metric.prometheus;
      return { type: metric.type, prometheus: { serverRef, query, current } };
    }
  }
}

function roundToSecond(ms: number): number {
  return Math.max(Math.round(ms / 1000), 1) * 1000;
}

/** metav1.Time has whole seconds. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
