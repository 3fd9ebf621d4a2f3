/**
 * What one scaler has learned and cannot find out again by asking: how long its pods take to start, what a replica
 * carries, how far its forecasts can be trusted. This is what a checkpoint holds beside the decision's memory.
 */
import { createHash } from 'node:crypto';
import { metricKey } from '../../decision/observe.ts';
import type { MetricPlan } from '../../decision/types.ts';
import { CapacityLearner } from '../../forecast/capacity.ts';
import { DriftWatch, type DriftWatchState } from '../../forecast/drift/watch.ts';
import { LeadTimeLearner } from '../../forecast/lead-time.ts';
import { ForecastLearner, type LearnerState } from '../../forecast/learner.ts';
import type { ScalerState } from '../../history/state.ts';

/** A plan lives as long as a generation of its object, and is asked for its id at every look. */
const idOf = new WeakMap<MetricPlan, string>();

/** Short and stable name of a metric; changes with whatever would change the meaning of its numbers. */
export function metricId(plan: MetricPlan): string {
  let id = idOf.get(plan);
  if (id === undefined) {
    id = createHash('sha256').update(metricKey(plan)).digest('base64url').slice(0, 16);
    idOf.set(plan, id);
  }
  return id;
}

/** As a checkpoint stores it (history/state.ts). */
export type LearnedState = Pick<ScalerState, 'leadTime' | 'metrics'>;

interface MetricLearning {
  readonly capacity: CapacityLearner;
  /** The step of the learner below; another step begins anew. */
  stepMs: number;
  forecast: ForecastLearner | undefined;
  drift: DriftWatch | undefined;
  /** From a checkpoint, until the step is known. */
  restored: LearnerState | undefined;
  restoredDrift: DriftWatchState | undefined;
}

export class Learned {
  readonly lead: LeadTimeLearner;
  readonly #metrics = new Map<string, MetricLearning>();

  constructor(state?: LearnedState) {
    this.lead = state === undefined ? new LeadTimeLearner() : LeadTimeLearner.fromState(state.leadTime);
    for (const { key, capacity, learner, drift } of state?.metrics ?? [])
      this.#metrics.set(key, {
        capacity: capacity === undefined ? new CapacityLearner() : CapacityLearner.fromState(capacity),
        stepMs: 0,
        forecast: undefined,
        drift: undefined,
        restored: learner,
        restoredDrift: drift as DriftWatchState | undefined,
      });
  }

  capacity(plan: MetricPlan): CapacityLearner {
    return this.#of(plan).capacity;
  }

  /** The step that what is known of this metric's forecasts belongs to. */
  stepOf(plan: MetricPlan): number | undefined {
    const metric = this.#metrics.get(metricId(plan));
    return metric?.restored?.stepMs ?? (metric?.forecast === undefined ? undefined : metric.stepMs);
  }

  /** @param preferred id of the forecaster that serves unless its record speaks against it */
  forecast(plan: MetricPlan, stepMs: number, coverage: number, preferred: string): ForecastLearner {
    const metric = this.#of(plan);
    if (metric.forecast === undefined || metric.stepMs !== stepMs) {
      const options = { stepMs, coverage, preferred };
      metric.forecast =
        metric.restored === undefined
          ? new ForecastLearner(options)
          : ForecastLearner.fromState(metric.restored, options);
      metric.drift =
        metric.restoredDrift === undefined
          ? new DriftWatch(stepMs)
          : DriftWatch.fromState(metric.restoredDrift, stepMs);
      metric.restored = undefined;
      metric.restoredDrift = undefined;
      metric.stepMs = stepMs;
    }
    metric.forecast.ask(coverage, preferred);
    return metric.forecast;
  }

  /** What `forecast` gave last. */
  learner(plan: MetricPlan): ForecastLearner | undefined {
    return this.#metrics.get(metricId(plan))?.forecast;
  }

  /** Undefined until `forecast` was asked for: the watch belongs to its step. */
  drift(plan: MetricPlan): DriftWatch | undefined {
    return this.#of(plan).drift;
  }

  /** Forgets every metric that the spec no longer has: a checkpoint that grew with each edit would end unreadable. */
  keep(plans: readonly MetricPlan[]): void {
    const ids = new Set(plans.map(metricId));
    for (const id of this.#metrics.keys()) if (!ids.has(id)) this.#metrics.delete(id);
  }

  toState(): LearnedState {
    return {
      leadTime: { witnessed: [...this.lead.toState().witnessed] },
      metrics: [...this.#metrics].map(([key, { capacity, forecast, drift, restored, restoredDrift }]) => ({
        key,
        capacity: capacity.toState(),
        learner: forecast?.toState() ?? restored,
        drift: drift?.toState() ?? restoredDrift,
      })) as unknown as LearnedState['metrics'],
    };
  }

  #of(plan: MetricPlan): MetricLearning {
    const id = metricId(plan);
    let metric = this.#metrics.get(id);
    if (metric === undefined) {
      metric = {
        capacity: new CapacityLearner(),
        stepMs: 0,
        forecast: undefined,
        drift: undefined,
        restored: undefined,
        restoredDrift: undefined,
      };
      this.#metrics.set(id, metric);
    }
    return metric;
  }
}
