/**
 * The words of the decision room. Everything that enters or leaves `decide` is plain data: no clock, no client,
 * no class instance, so one decision can be stored, explained later and replayed by the simulator.
 *
 * Units: replicas are whole numbers; metric values are thousandths of the metric's unit ("milli", as in HPA);
 * times are milliseconds since the epoch. *Real* time counts for HPA's windows; *load* time is the calendar that
 * forecasts live in (the same thing outside a replay).
 */
import type { MetricReading, Observation, UnknownReason } from '../observation.ts';
import type { SettledReplicas } from './permit.ts';

export type { SettledReplicas } from './permit.ts';

export type Mode = 'Recommend' | 'Reactive' | 'Shadow' | 'Active' | 'Auto';
export type ModeInForce = Exclude<Mode, 'Auto'>;
/** What the replay of the load's own past speaks for; `Undecided` while too little of it is known. */
export type VerdictOnForecast = 'Active' | 'Shadow' | 'Undecided';
export type Objective = 'Availability' | 'Efficiency';

// ---------------------------------------------------------------------------------------------- the spec, resolved

export type TargetPlan =
  | { readonly kind: 'Utilization'; readonly percent: number }
  | { readonly kind: 'AverageValue'; readonly milli: number }
  | { readonly kind: 'Value'; readonly milli: number };

export type MetricType = 'Resource' | 'ContainerResource' | 'Pods' | 'Object' | 'External' | 'Prometheus';

/** One entry of spec.metrics with its quantities parsed. */
export interface MetricPlan {
  readonly type: MetricType;
  /** The resource ("cpu"), the metric's name or the query: what people call it. "cpu" has readiness rules of its own. */
  readonly name: string;
  /** ContainerResource only. */
  readonly container?: string;
  /** Object only: kind of the described object. */
  readonly objectKind?: string;
  /** Tells metrics of one name apart: the selector, the described object, the server that is asked. */
  readonly scope?: string;
  readonly target: TargetPlan;
  /** What one replica can carry, in the metric's unit (milli), when the user said so. */
  readonly capacityMilli?: number;
}

export interface ScalingPolicyPlan {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly periodSeconds: number;
}

/** One direction of `behavior`, completed by HPA's defaults. */
export interface ScalingRulesPlan {
  readonly stabilizationWindowSeconds: number;
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly ScalingPolicyPlan[];
  /** A fraction: 0.1 is 10 %. Absent is the operator's own. */
  readonly tolerance?: number;
}

export interface BehaviorPlan {
  readonly scaleUp: ScalingRulesPlan;
  readonly scaleDown: ScalingRulesPlan;
}

export interface FallbackPlan {
  readonly replicas: number;
  readonly afterMs: number;
}

/** What `decide` needs of a spec: made once per generation by `decisionSpec` (from-spec.ts). */
export interface DecisionSpec {
  readonly mode: Mode;
  readonly objective: Objective;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly metrics: readonly MetricPlan[];
  /** Absent is HPA's algorithm without behaviour, which is not the same as {}. */
  readonly behavior?: BehaviorPlan;
  readonly fallback?: FallbackPlan;
  /** The object's own pause. */
  readonly paused?: boolean;
}

// ------------------------------------------------------------------------------------------------- what was observed

export interface ContainerView {
  readonly name: string;
  /** Requests by resource name, milli. A resource that is absent was not requested. */
  readonly requestsMilli: Readonly<Record<string, number>>;
}

/** What HPA reads of a pod; made by `podView` (pod-view.ts). */
export interface PodView {
  readonly name: string;
  readonly phase: string;
  readonly deleting: boolean;
  readonly startTimeMs?: number;
  /** The pod's Ready condition, absent when it has none. */
  readonly ready?: { readonly status: string; readonly lastTransitionMs: number };
  /** Containers and restartable init containers, in HPA's order. */
  readonly containers: readonly ContainerView[];
  /** Effective requests of the whole pod, present only when pod-level requests are set. */
  readonly podRequestsMilli?: Readonly<Record<string, number>>;
}

/** The upper path of load (at the asked coverage, calibrated), summed over all pods. Load time. */
export interface LoadPath {
  /** Value i covers [originMs + i·stepMs, originMs + (i+1)·stepMs). */
  readonly originMs: number;
  readonly stepMs: number;
  readonly loadMilli: Float64Array;
}

export interface ForecastInput {
  /** Aligned with spec.metrics; undefined where this metric has no forecast (target type Value, too little history). */
  readonly paths: readonly (LoadPath | undefined)[];
  readonly model: { readonly name: string; readonly version: string; readonly digest: string };
  readonly coverage: number;
  readonly lowConfidence?: boolean;
  /** A path is the present load with a fixed headroom, which served the coverage for less than the forecast did. */
  readonly headroom?: boolean;
}

/** The span that replicas ordered now must survive: [now, now + lead time + decision interval + metric delay]. Load time. */
export interface LoadWindow {
  readonly fromMs: number;
  /**
   * When replicas ordered now are ready. What comes before can be served by keeping replicas, not by ordering more.
   * Absent: the whole window is ordered for.
   */
  readonly readyMs?: number;
  readonly toMs: number;
}

/** Bounds of one schedule that is active now (schedule.ts computes them). */
export interface ActiveSchedule {
  readonly name: string;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly untilMs: number;
}

/** HPA's controller flags. `HPA_DEFAULTS` (reactive/tuning.ts) are kube-controller-manager's own defaults. */
export interface ReactiveTuning {
  readonly tolerance: number;
  readonly downscaleStabilizationMs: number;
  readonly cpuInitializationMs: number;
  readonly initialReadinessDelayMs: number;
}

/** Admin's circuit breakers. An absent one is off. */
export interface GuardsConfig {
  readonly globalPause?: boolean;
  /** Largest change of one decision, in replicas. */
  readonly largestStep?: number;
  /** Creations left in the operator's per-minute budget. */
  readonly creationsLeft?: number;
  /** True while too many targets of the whole fleet are unready (see `fleetFrozen`). */
  readonly frozen?: boolean;
  readonly outlier?: OutlierConfig;
}

/** See guards/outlier.ts for the rule. */
export interface OutlierConfig {
  /** A sample this many times the last accepted level (or its inverse) is not believed at once. */
  readonly spikeFactor: number;
  /** A jump this large looks like a change of unit and needs `unitConfirmMs`. */
  readonly unitFactor: number;
  /** Samples in a row, the first included, that make a jump believed. */
  readonly confirmSamples: number;
  /** How long a jump of `unitFactor` must last as well. Absent: until a person changes the metric. */
  readonly unitConfirmMs?: number;
}

// ---------------------------------------------------------------------------------------------- what is remembered

export interface Recommendation {
  readonly replicas: number;
  readonly atMs: number;
}

export interface ScaleEvent {
  /** Never negative. */
  readonly change: number;
  readonly atMs: number;
}

/** State of the outlier guard for one metric; see guards/outlier.ts. */
export interface OutlierState {
  readonly acceptedMilli: number;
  readonly acceptedAtMs: number;
  readonly suspect?: {
    readonly milli: number;
    readonly sinceMs: number;
    readonly samples: number;
    readonly lastAtMs: number;
  };
}

/** Survives JSON.parse(JSON.stringify(memory)) unchanged; belongs to one scaler. */
export interface DecisionMemory {
  readonly recommendations: readonly Recommendation[];
  readonly scaleUps: readonly ScaleEvent[];
  readonly scaleDowns: readonly ScaleEvent[];
  /** Keyed by `metricKey(plan)`. */
  readonly outliers: Readonly<Record<string, OutlierState>>;
  /** Since when at least one metric has been unusable without a break; null when all are known. */
  readonly unknownSinceMs: number | null;
}

// --------------------------------------------------------------------------------------------------------- decide

export interface DecisionInput {
  /** Of this decision, made by the caller: in status, log and events. */
  readonly id: string;
  /** Real time. Best taken as a wall-clock start plus monotonic time, so that a jump of the clock moves no window. */
  readonly nowMs: number;
  readonly spec: DecisionSpec;
  /** From the target's /scale. */
  readonly specReplicas: number;
  readonly statusReplicas: number;
  /** All pods that the target's selector selects. */
  readonly pods: readonly PodView[];
  /** Why the selector cannot be used, when it cannot. */
  readonly selectorProblem?: {
    readonly reason: 'InvalidSelector' | 'AmbiguousSelector';
    readonly message: string;
  };
  /** Aligned with spec.metrics. */
  readonly readings: readonly Observation<MetricReading>[];
  /** Now: paths that reach at least to window.toMs. */
  readonly forecast: Observation<ForecastInput>;
  /** First rung when `forecast` is unknown: used only while its own horizon still covers the whole window. */
  readonly lastForecast?: ForecastInput;
  /** Second rung: the profile of the season over the window. */
  readonly seasonalProfile?: ForecastInput;
  readonly window: LoadWindow;
  /** Learned capacity of one replica per metric (milli), aligned with spec.metrics; undefined while unknown. */
  readonly learnedCapacityMilli: readonly (number | undefined)[];
  readonly activeSchedules: readonly ActiveSchedule[];
  readonly tuning: ReactiveTuning;
  readonly guards: GuardsConfig;
  /** Whether the forecast has proven itself on this load: what mode Auto goes by. Absent: not yet. */
  readonly verdict?: VerdictOnForecast;
  /** Undefined on first sight of this scaler. */
  readonly memory: DecisionMemory | undefined;
}

export type BoundBy =
  | 'Reactive'
  | 'Forecast'
  | 'LastForecast'
  | 'SeasonalProfile'
  | 'Fallback'
  | 'Hold'
  | 'Schedule'
  | 'Min'
  | 'Max'
  | 'ScaleUpStabilization'
  | 'ScaleDownStabilization'
  | 'ScaleUpPolicy' // behaviour's rate limit
  | 'ScaleDownPolicy'
  | 'ScaleUpLimit' // max(2·cur, 4) without behaviour
  | 'StepLimit'
  | 'CreationLimit'
  | 'GlobalPause'
  | 'Pause'
  | 'Freeze'
  | 'Disabled'; // scaled to zero by hand

/**
 * Which rung of degradation the decision stands on. `None`: everything that the mode uses is known. With the metrics
 * known and only the forecast missing: `LastForecast`, `SeasonalProfile` or `ReactiveOnly`. With a metric unknown
 * nothing may go down, and the first that has an answer acts: `Forecast`, `LastForecast`, `SeasonalProfile`,
 * `Fallback`, `PartialMetrics` (the known metrics ask for more), `Hold`.
 */
export type Rung =
  | 'None'
  | 'Forecast'
  | 'LastForecast'
  | 'SeasonalProfile'
  | 'ReactiveOnly'
  | 'Fallback'
  | 'PartialMetrics'
  | 'Hold';

/** HPA's reasons of ScalingActive=False for one metric. */
export type MetricFailure =
  | 'FailedGetResourceMetric'
  | 'FailedGetContainerResourceMetric'
  | 'FailedGetPodsMetric'
  | 'FailedGetObjectMetric'
  | 'FailedGetExternalMetric'
  | 'FailedGetPrometheusMetric'
  | 'InvalidMetricSourceType'
  | 'InvalidSelector'
  | 'AmbiguousSelector';

/** What status.currentMetrics shows for one metric. */
export interface CurrentValue {
  readonly averageUtilization?: number;
  readonly averageValueMilli?: number;
  readonly valueMilli?: number;
}

export type MetricProposal =
  | {
      readonly kind: 'valid';
      readonly replicas: number;
      /** HPA's description, e.g. "cpu resource utilization (percentage of request)". */
      readonly description: string;
      readonly current: CurrentValue;
      /** Why the number is what it is: the ratio, and the pods that were counted. Not bound by HPA. */
      readonly detail: string;
    }
  | { readonly kind: 'invalid'; readonly reason: MetricFailure; readonly message: string };

/** All metrics together, by HPA's rules. */
export interface ReactiveResult {
  /** Aligned with spec.metrics; empty when metrics were not looked at (outside the bounds, scaled to zero). */
  readonly metrics: readonly MetricProposal[];
  /** The largest valid proposal; undefined when there is none. */
  readonly replicas?: number;
  /** The description of the metric that proposed it. */
  readonly description?: string;
  /** True when HPA would stop here: all metrics invalid, or some invalid and the rest would scale down. */
  readonly hold: boolean;
}

export type NeedResult =
  | {
      readonly kind: 'known';
      readonly replicas: number;
      /** Aligned with spec.metrics; null where the metric has no forecast. */
      readonly metrics: readonly (NeedOfMetric | null)[];
      readonly model: { readonly name: string; readonly version: string; readonly digest: string };
      readonly coverage: number;
      readonly lowConfidence: boolean;
      readonly headroom?: boolean;
    }
  | { readonly kind: 'unknown'; readonly reason: UnknownReason | 'HorizonPassed'; readonly message: string };

export interface NeedOfMetric {
  readonly replicas: number;
  /** The peak of the upper path over the window. */
  readonly peakMilli: number;
  /** Load time of the peak's step. */
  readonly peakAtMs: number;
  readonly perReplicaMilli: number;
  readonly perReplicaFrom: 'spec' | 'learned' | 'target';
}

export interface ConditionPlan {
  readonly type: 'AbleToScale' | 'ScalingActive' | 'ScalingLimited' | 'MetricsDegraded';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** One line of the chain: what a step made of the number it got. */
export interface DecisionStep {
  readonly step: BoundBy;
  readonly from: number;
  readonly to: number;
  readonly note: string;
}

/** Everything that a person needs to follow the decision; JSON, a few KB at most. */
export interface Explanation {
  readonly sentence: string;
  readonly inputs: {
    readonly specReplicas: number;
    readonly statusReplicas: number;
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly pods: { readonly total: number; readonly ready: number };
    readonly readings: readonly ReadingSummary[];
    readonly window: LoadWindow;
    readonly activeSchedules: readonly ActiveSchedule[];
  };
  readonly steps: readonly DecisionStep[];
}

export type ReadingSummary =
  | { readonly kind: 'total'; readonly milli: number; readonly series: number; readonly at: number }
  | { readonly kind: 'perPod'; readonly samples: number; readonly sumMilli: number; readonly at: number }
  | {
      readonly kind: 'unknown';
      readonly reason: UnknownReason;
      readonly message: string;
      readonly since: number;
    };

/** Survives JSON.stringify: no Map, no NaN, no typed array. */
export interface Decision {
  readonly id: string;
  readonly atMs: number;
  /** The number that should stand in /scale; in Recommend mode the number that would. */
  readonly desiredReplicas: SettledReplicas;
  /** False when nothing may be written: the same number, Recommend mode, a pause or a freeze. */
  readonly write: boolean;
  /** Pods that a write would create: what to take from the creation budget. */
  readonly creations: number;
  readonly mode: { readonly asked: Mode; readonly inForce: ModeInForce; readonly note?: string };
  /** What HPA would propose before its behaviour, and why. */
  readonly reactive: ReactiveResult;
  readonly forecast: NeedResult;
  readonly boundBy: BoundBy;
  readonly rung: Rung;
  /** HPA's text for the SuccessfulRescale event, empty when nothing changes. */
  readonly rescaleReason: string;
  /** To be merged into status; a type that is absent keeps what it had (as in HPA). */
  readonly conditions: readonly ConditionPlan[];
  readonly explanation: Explanation;
  /** Store it whatever happens. After a successful write store `recordScale(memory, …)` instead. */
  readonly memory: DecisionMemory;
}
