/**
 * What `foresail evaluate` reports: the JSON of `--json`, and what its tables and charts are made of. A number that
 * cannot be told (no season known, division by zero) is `null`, never 0. Keys of `pinball` and of every `coverage` are
 * levels: "0.9", "0.95", "0.99".
 */

/** Ends the name of a forecaster with the upper levels that the operator's calibration gives it. */
export const CALIBRATED = '+calibrated';

export type ByLevel<T = number> = Readonly<Record<string, T>>;

/** One forecaster on one series at one horizon. */
export interface EvaluationResult {
  readonly series: string;
  readonly model: string;
  readonly horizonSeconds: number;
  readonly stepSeconds: number;
  readonly days: number;
  /** Forecasts that were scored. */
  readonly n: number;
  /** Every how many steps there was an origin. */
  readonly stride: number;
  /** Origins at which the forecaster gave no forecast. */
  readonly unanswered: number;
  /** Season of the naive forecast that the ratios are to, and of the scale of MASE. */
  readonly season: 'day' | 'week' | 'none';
  readonly mase: number | null;
  readonly wql: number | null;
  /** Ratio to the point forecast of seasonal naive at the same origins; below 1 is better. */
  readonly relMase: number | null;
  readonly relWql: number | null;
  readonly wape: number | null;
  /** Mean of forecast minus value, as a share of the mean load; negative is too low. */
  readonly bias: number | null;
  readonly mae: number;
  readonly rmse: number;
  /** Over values other than 0. */
  readonly mape: number | null;
  readonly r2: number | null;
  /** Share of values above, below the median forecast. */
  readonly underRate: number;
  readonly overRate: number;
  /** Mean pinball loss in the load's unit. */
  readonly pinball: ByLevel;
  /** Ratio to the pinball loss of the seasonal naive point: what a band costs, whatever it covers. */
  readonly relPinball?: ByLevel<number | null>;
  readonly coverage: ByLevel;
  /** Coverage of values in the top decile of the training part; null where none came. */
  readonly coverageTopDecile: ByLevel<number | null>;
  /** The series, or its source, is named in the model's card. */
  readonly trained: boolean;
  readonly inAggregate: boolean;
  /** Why it is not in the aggregate. */
  readonly leftOut: string | null;
}

/** One forecaster at one horizon over all series of the aggregate. */
export interface EvaluationAggregate {
  readonly model: string;
  readonly horizonSeconds: number;
  readonly series: number;
  /** Geometric means. */
  readonly relMase: number | null;
  readonly relWql: number | null;
  readonly worstSeries: string | null;
  readonly worstRelWql: number | null;
  /** Series on which it beats seasonal naive in WQL. */
  readonly betterThanNaive: number;
  readonly wape: number | null;
  /** Geometric means. */
  readonly relPinball?: ByLevel<number | null>;
  /** Means over series. */
  readonly coverage: ByLevel;
  readonly coverageTopDecile: ByLevel<number | null>;
  /** Mean over series of |realised - asked|; 0.004 is 0.4 points. */
  readonly coverageError: ByLevel;
  readonly worstCoverage: ByLevel<{ readonly series: string; readonly realised: number }>;
}

/** A disturbed load: missing data, spikes, a level shift, noise, a week of growth. */
export interface ScenarioResult {
  readonly scenario: string;
  readonly model: string;
  readonly horizonSeconds: number;
  readonly series: number;
  /** Geometric means over series: WQL to the same forecaster's without the disturbance, and to seasonal naive's in it. */
  readonly wqlVsClean: number | null;
  readonly relWql: number | null;
  readonly coverage: ByLevel;
}

export interface SpeedResult {
  readonly model: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** In batches of `batch` on one thread; null for a forecaster that takes one window at a time. */
  readonly batch: number;
  readonly seriesPerSecond: number;
  /** Of the model file; null for code. */
  readonly fileBytes: number | null;
  /** Growth of the resident memory (of the child for a foreign file) by loading and running it; null where unknown. */
  readonly memoryMiB: number | null;
}

/** Name and digest of what was scored: a number without them says nothing. */
export interface EvaluatedModel {
  readonly model: string;
  readonly summary: string;
  readonly digest: string;
  /** Sources that its card or the file itself names as training data. */
  readonly trainingSources: readonly string[];
}

export interface EvaluationNote {
  readonly series: string;
  readonly model?: string;
  readonly horizonSeconds?: number;
  readonly reason: string;
}

/** A series that was begun, or would have been, and has no results. */
export interface FailedSeries {
  readonly series: string;
  readonly reason: string;
}

export interface EvaluationSettings {
  readonly protocol: string;
  readonly horizonSeconds: readonly number[];
  readonly levels: readonly number[];
  readonly excludeTrained: boolean;
}

export interface EvaluationReport {
  readonly results: readonly EvaluationResult[];
  readonly aggregate: readonly EvaluationAggregate[];
  readonly scenarios?: readonly ScenarioResult[];
  readonly speed: readonly SpeedResult[];
  readonly models: readonly EvaluatedModel[];
  readonly settings: EvaluationSettings;
  /** What could not be scored, and why. */
  readonly skipped: readonly EvaluationNote[];
  /** Only where the run was interrupted or a series failed: then the numbers are those of the others. */
  readonly failed?: readonly FailedSeries[];
}
