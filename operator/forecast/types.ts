/**
 * Words that forecasters, calibration, inference and the controller share. Everything here is plain data; times are
 * load time in milliseconds, loads are in the metric's own unit (not thousandths).
 */

/** Input lengths of a window; the trainer's `contract.py` says the same. */
export const CONTEXT_LENGTH = 512;
export const SEASON_LAGS_DAYS = [1, 2, 7, 14] as const;
/** Steps of "the same time then" on either side of the origin minus the lag. */
export const SEASON_WINDOW = 64;
export const MODEL_HORIZON = 64;
export const MODEL_LEVELS = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] as const;

export interface ForecastWindow {
  /** The series this window was cut from. */
  readonly key: string;
  /** [512] the last steps, oldest first, the origin last; NaN = unknown. */
  readonly context: Float32Array;
  /** [4, 128] row-major: per lag the values at origin-63 … origin+64 steps, minus that lag; NaN = unknown. */
  readonly seasonal: Float32Array;
  /** Start of the last step in `context`. The first forecast step starts at `originMs + stepMs`. */
  readonly originMs: number;
  readonly stepMs: number;
  /** The longer past for forecasters that fit per series, oldest first, ending at the origin. */
  readonly past?: (count: number) => Float64Array;
}

export interface ModelRef {
  readonly name: string;
  readonly version: string;
  /** `sha256:…` of the file; `builtin` for a forecaster that is code. */
  readonly digest: string;
}

export interface QuantileForecast {
  readonly originMs: number;
  readonly stepMs: number;
  /** Number of steps ahead; row h (0-based) is the load at `originMs + (h + 1) * stepMs`. */
  readonly horizon: number;
  /** Strictly increasing, inside (0, 1). */
  readonly levels: readonly number[];
  /** [horizon, levels] row-major, finite, not decreasing along the levels. */
  readonly values: Float32Array;
  readonly model: ModelRef;
}

export interface Forecaster {
  readonly id: string;
  /** One forecast per window, in order. Rejects when it cannot forecast at all; never returns fewer. */
  forecast(windows: readonly ForecastWindow[], signal: AbortSignal): Promise<readonly QuantileForecast[]>;
}

/** Why a forecaster did not serve. The name is stable: it is the reason of the condition ForecastReady. */
export type ForecastFailure =
  | 'NoHistory' // the window holds too few known values
  | 'ModelMissing' // no such file, or none configured
  | 'ModelInvalid' // refused by the checks before the first run
  | 'ModelQuarantined' // crashed or failed too often
  | 'ModelLoading'
  | 'ModelTimeout'
  | 'ModelFailed' // the run failed
  | 'ForecastRejected' // non-finite, crossing or absurd values
  | 'Overloaded'; // the queue is full

export interface FailedAttempt {
  readonly id: string;
  readonly reason: ForecastFailure;
  /** For people. */
  readonly message: string;
}

export type ForecastOutcome =
  | {
      readonly kind: 'forecast';
      readonly forecast: QuantileForecast;
      /** Which forecaster made it. */
      readonly by: string;
      /** Those ahead of it in the chain that did not; empty when the chosen one served. */
      readonly failed: readonly FailedAttempt[];
    }
  | {
      readonly kind: 'unavailable';
      readonly reason: ForecastFailure;
      readonly message: string;
      readonly failed: readonly FailedAttempt[];
    };

/**
 * How far the asked coverage can be trusted. `None`: the model's own band, nothing measured yet (condition reason
 * LowConfidence); `Low`: few residuals, the band is widened; `Calibrated`: enough of them.
 */
export type Confidence = 'None' | 'Low' | 'Calibrated';

/** The load that is not exceeded with the asked probability, step by step through the lead window. */
export interface UpperLoadPath {
  /** Thousandths of the metric's unit, first entry = the step that contains `fromMs`. */
  readonly loadMilli: Float64Array;
  readonly stepMs: number;
  readonly fromMs: number;
  readonly confidence: Confidence;
  /** True when the asked window reaches beyond the forecast's horizon; the path ends there. */
  readonly truncated: boolean;
}

/** A pod's start as the lead-time learner sees it. */
export interface PodStart {
  readonly uid: string;
  readonly createdMs: number;
  /** Last transition of the Ready condition to True; undefined while it is not Ready. */
  readonly readyMs: number | undefined;
  /** Sum over its containers; a restarted pod's Ready time says nothing about its start. */
  readonly restarts: number;
}

export interface LeadTime {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly samples: number;
}
