/**
 * What `foresail backtest` reports: the JSON of `--json`, and what the table, the charts and the frontier are made of.
 * Numbers are plain; a ratio is relative to HPA (-0.6 = 60 % less) and `null` where HPA's own number is 0.
 */

import type { SweepPoint } from './envelope.ts';

export type ObjectiveName = 'availability' | 'efficiency';
export type PolicyName = 'hpa' | 'foresail' | 'shadow' | 'static' | 'profile' | 'oracle';

/** One policy on one trace at one start-up time. */
export interface BacktestResult {
  readonly trace: string;
  readonly startUpSeconds: number;
  readonly objective: ObjectiveName;
  readonly policy: PolicyName;
  /** Per cent: mean relative shortage and surplus over time. */
  readonly thetaU: number;
  readonly thetaO: number;
  /** Per cent of the time with a shortage, with a surplus. */
  readonly tauU: number;
  readonly tauO: number;
  readonly underProvisionedMinutes: number;
  readonly replicaMinutesShort: number;
  readonly replicaHours: number;
  readonly actionsPerDay: number;
  /** Elastic speed-up against HPA (Herbst et al.): above 1 is better than HPA. */
  readonly eps: number;
  /** Of the forecast at lead time; null for a policy without one. */
  readonly coverageAsked: number | null;
  readonly coverageRealised: number | null;
  /** The same inside the top decile of the scored load. */
  readonly coverageRealisedTopDecile: number | null;
}

/** One policy over all traces at one start-up time. */
export interface BacktestAggregate {
  readonly startUpSeconds: number;
  readonly objective: ObjectiveName;
  readonly policy: PolicyName;
  readonly traces: number;
  /** Minutes of all traces together, against HPA's. */
  readonly underProvisionedMinutesVsHpa: number | null;
  /** Geometric mean over the traces. */
  readonly replicaHoursVsHpa: number | null;
  /** Where under-provisioned minutes grew most (fell least); null where HPA had none on any trace. */
  readonly worstTrace: string | null;
  readonly worstUnderProvisionedMinutesVsHpa: number | null;
  /** Traces without a ratio, because HPA had no under-provisioned minute there. */
  readonly tracesWithoutHpaMinutes: number;
  readonly worstReplicaHoursTrace: string | null;
  readonly worstReplicaHoursVsHpa: number | null;
  /** Mean over traces of |realised - asked|, and the trace where it is largest. */
  readonly coverageError: number | null;
  readonly worstCoverageTrace: string | null;
  readonly worstCoverageError: number | null;
}

/** `--frontier`: replica-hours at equal tau_U, objective Efficiency; the rules stand in envelope.ts and frontier.ts. */
export interface FrontierCell {
  readonly trace: string;
  readonly startUpSeconds: number;
  /** Per cent. */
  readonly tauU: number;
  /** Per cent: below tauU where HPA's cheapest target was short for less than that. */
  readonly comparedAtTauU: number;
  /** Null where no setting reaches that tau_U. */
  readonly replicaHours: number | null;
  readonly hpaReplicaHoursAtSameTauU: number | null;
  /** Ours to HPA's: 0.75 is a quarter cheaper. */
  readonly ratio: number | null;
}

export interface FrontierAggregate {
  readonly startUpSeconds: number;
  readonly tauU: number;
  /** Geometric mean over the traces that have a ratio. */
  readonly ratio: number | null;
  readonly worstTrace: string | null;
  readonly worstRatio: number | null;
  /** How many traces have a ratio, and how many have none because HPA, or we, cannot reach that tau_U. */
  readonly traces: number;
  readonly hpaUnreachable: number;
  readonly oursUnreachable: number;
}

/** The default coverage, untouched, against HPA tuned to the tau_U it realised. */
export interface DefaultCoverageCell {
  readonly trace: string;
  readonly startUpSeconds: number;
  readonly coverage: number;
  /** Realised, per cent. */
  readonly tauU: number;
  readonly replicaHours: number;
  readonly hpaReplicaHoursAtSameTauU: number | null;
  readonly ratio: number | null;
}

export interface DefaultCoverageAggregate {
  readonly startUpSeconds: number;
  readonly coverage: number;
  readonly ratio: number | null;
  readonly worstTrace: string | null;
  readonly worstRatio: number | null;
  readonly traces: number;
  /** HPA is short for longer at every target. */
  readonly hpaUnreachable: number;
  /** HPA is short for less at every target, so it was not tuned to that tau_U. */
  readonly hpaNeverAsShort: number;
}

/** All runs of one sweep: the two curves of the frontier chart. */
export interface FrontierSweep {
  readonly trace: string;
  readonly startUpSeconds: number;
  /** Steps that were scored: tau_U cannot be told finer. */
  readonly steps: number;
  readonly hpa: readonly SweepPoint[];
  readonly ours: readonly SweepPoint[];
  /** Ours at the default coverage. */
  readonly untouched: SweepPoint;
}

/** Under which conditions the numbers were made: a number without them says nothing. */
export interface BacktestSettings {
  readonly startUpSeconds: readonly number[];
  readonly metricDelaySeconds: number;
  readonly target: number;
  /** As asked: `p95/20` or a number. */
  readonly capacity: string;
  readonly coverage: number;
  readonly policies: readonly PolicyName[];
  readonly objectives: readonly ObjectiveName[];
  /** Name, version and digest of the model whose forecasts were used; null where no policy needed one. */
  readonly model: string | null;
}

/** What was simulated and scored of one trace. */
export interface ScoredTrace {
  readonly trace: string;
  readonly stepSeconds: number;
  /** Load that one replica carries, in the load's unit. */
  readonly capacity: number;
  /** Scored time, ISO 8601, and how long it is. */
  readonly from: string;
  readonly to: string;
  readonly days: number;
}

export interface SkippedTrace {
  readonly trace: string;
  readonly startUpSeconds?: number;
  readonly reason: string;
}

/** A trace that was begun, or would have been, and has no results. */
export interface FailedTrace {
  readonly trace: string;
  readonly reason: string;
}

export interface BacktestReport {
  readonly results: readonly BacktestResult[];
  readonly aggregate: readonly BacktestAggregate[];
  readonly frontier?: readonly FrontierCell[];
  readonly frontierAggregate?: readonly FrontierAggregate[];
  readonly frontierDefault?: readonly DefaultCoverageCell[];
  readonly frontierDefaultAggregate?: readonly DefaultCoverageAggregate[];
  readonly frontierSweeps?: readonly FrontierSweep[];
  readonly settings: BacktestSettings;
  readonly traces: readonly ScoredTrace[];
  readonly skipped: readonly SkippedTrace[];
  /** Only where the run was interrupted or a trace failed: then the numbers are those of the others. */
  readonly failed?: readonly FailedTrace[];
}

/** For charts: a stretch of the scored time, thinned (series.ts). Each list has one entry per point. */
export interface BacktestSeries {
  readonly trace: string;
  readonly startUpSeconds: number;
  readonly objective: ObjectiveName;
  readonly capacity: number;
  /** All of the scored time, or the hours in which we and HPA differ most. */
  readonly view: 'whole' | 'closeUp';
  /** Time that one point stands for. */
  readonly pointSeconds: number;
  readonly atMs: readonly number[];
  /** Means over the point; NaN where the load is unknown, or where there was no forecast. */
  readonly load: readonly number[];
  readonly demanded: readonly number[];
  /** Forecast for this instant, as made one lead time before. */
  readonly median: readonly number[];
  readonly upper: readonly number[];
  /** Replicas ready, by policy. */
  readonly replicas: Readonly<Partial<Record<PolicyName, readonly number[]>>>;
  /** Minutes with fewer replicas ready than demanded, by policy. */
  readonly shortMinutes: Readonly<Partial<Record<PolicyName, readonly number[]>>>;
}
