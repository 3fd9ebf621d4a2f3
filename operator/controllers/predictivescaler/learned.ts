/**
 * What one scaler has learned and cannot find out again by asking: how long its pods take to start, what a replica
 * carries, how far its forecasts can be trusted. This is what a checkpoint holds beside the decision's memory.
 */
import { createHash } from 'node:crypto';
import { metricKey } from '../../decision/observe.ts';
import type { MetricPlan } from '../../decision/types.ts';
import { CapacityLearner, type CapacityState } from '../../forecast/capacity.ts';
import { LeadTimeLearner, type LeadTimeState } from '../../forecast/lead-time.ts';
import { ForecastLearner, type LearnerState } from '../../forecast/learner.ts';

/** Short and stable name of a metric; changes with whatever would change the meaning of its numbers. */
export function metricId(plan: MetricPlan): string {
  return createHash('sha256').update(metricKey(plan)).digest('base64url').slice(0, 16);
}

export interface LearnedState {
  readonly lead: LeadTimeState;
  readonly metrics: Readonly<
    Record<string, { readonly capacity: CapacityState; readonly forecast?: LearnerState | undefined }>
  >;
}

/** The forecaster that serves unless its record speaks against it. */
const PREFERRED = 'loadcast';

interface MetricLearning {
  readonly capacity: CapacityLearner;
  /** The step of the learner below; another step begins anew. */
  stepMs: number;
  forecast: ForecastLearner | undefined;
  /** From a checkpoint, until the step is known. */
  restored: LearnerState | undefined;
}

export class Learned {
  readonly lead: LeadTimeLearner;
  readonly #metrics = new Map<string, MetricLearning>();

  constructor(state?: LearnedState) {
    this.lead = state === undefined ? new LeadTimeLearner() : LeadTimeLearner.fromState(state.lead);
    for (const [id, { capacity, forecast }] of Object.entries(state?.metrics ?? {}))
      this.#metrics.set(id, {
        capacity: CapacityLearner.fromState(capacity),
        stepMs: 0,
        forecast: undefined,
        restored: forecast,
      });
  }

  capacity(plan: MetricPlan): CapacityLearner {
    return this.#of(plan).capacity;
  }

  forecast(plan: MetricPlan, stepMs: number, coverage: number): ForecastLearner {
    const metric = this.#of(plan);
    if (metric.forecast === undefined || metric.stepMs !== stepMs) {
      const options = { stepMs, coverage, preferred: PREFERRED };
      metric.forecast =
        metric.restored === undefined
          ? new ForecastLearner(options)
          : ForecastLearner.fromState(metric.restored, options);
      metric.restored = undefined;
      metric.stepMs = stepMs;
    }
    metric.forecast.ask(coverage);
    return metric.forecast;
  }

  toState(): LearnedState {
    return {
      lead: this.lead.toState(),
      metrics: Object.fromEntries(
        [...this.#metrics].map(([id, { capacity, forecast, restored }]) => [
          id,
          { capacity: capacity.toState(), forecast: forecast?.toState() ?? restored },
        ]),
      ),
    };
  }

  #of(plan: MetricPlan): MetricLearning {
    const id = metricId(plan);
    let metric = this.#metrics.get(id);
    if (metric === undefined) {
      metric = { capacity: new CapacityLearner(), stepMs: 0, forecast: undefined, restored: undefined };
      this.#metrics.set(id, metric);
    }
    return metric;
  }
}
