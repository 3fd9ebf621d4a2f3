/**
 * Running model files. The box file, recognised by its compiled-in digest, runs in this process; any other file
 * runs in a child process without credentials, because a model is code.
 */
import type {
  Forecaster,
  ForecastOutcome,
  ForecastWindow,
  ModelRef,
  QuantileForecast,
} from '../forecast/types.ts';
import type { ChainLink } from './chain.ts';

export interface ModelSource {
  readonly path: string;
  /** Hex; the file is refused when it has another. */
  readonly sha256?: string;
}

/** What the file says about itself, after it was checked against the contract. */
export interface ModelDescriptor extends ModelRef {
  readonly contextLength: number;
  readonly horizon: number;
  readonly levels: readonly number[];
  readonly seasonLagsDays: readonly number[];
  readonly seasonWindow: number;
  readonly bytes: number;
}

export type ModelPlace = 'inProcess' | 'child';

export type ModelState =
  | { readonly phase: 'loading'; readonly message: string }
  | { readonly phase: 'ready'; readonly descriptor: ModelDescriptor; readonly place: ModelPlace }
  | {
      readonly phase: 'backoff';
      readonly message: string;
      readonly crashes: number;
      readonly untilMs: number;
    }
  | { readonly phase: 'quarantined'; readonly reason: QuarantineReason; readonly message: string };

/** Stable names of why a file is refused. */
export type QuarantineReason =
  | 'Missing'
  | 'TooLarge'
  | 'Empty'
  | 'DigestMismatch'
  | 'NotOnnx'
  | 'Truncated'
  | 'ExternalData'
  | 'CustomOperator'
  | 'OpsetUnsupported'
  | 'WrongInputs'
  | 'WrongOutputs'
  | 'WrongMetadata'
  | 'LoadFailed'
  | 'NotFinite' // answers NaN or infinity on the probe
  | 'RunFailed'
  | 'TooSlow'
  | 'Crashed'; // three times

/** One model, wherever it runs. `forecast` takes any number of windows and splits them into runs. */
export interface OnnxModel extends Forecaster {
  readonly state: ModelState;
  /** Waits for runs that are under way, then releases the session or the child. Safe to call twice. */
  close(): Promise<void>;
  /** Starts of a child after the first one; absent for a model without a child. */
  readonly restarts?: number;
}

/** Forecasts for one scaler; behind it requests of many scalers are gathered into batches. */
export interface ForecastService {
  /** Never rejects but with the signal's reason. The chain falls back and says so. */
  forecast(window: ForecastWindow, signal: AbortSignal): Promise<ForecastOutcome>;
  /** As `forecast`, with the forecasters asked in the order that this load's own record gives. */
  contest(window: ForecastWindow, request: ContestRequest, signal: AbortSignal): Promise<ContestRound>;
  /** State of the model in the box, for readiness and metrics. */
  readonly model: ModelState;
  /** Drains and ends; requests after it are answered `unavailable`. */
  close(): Promise<void>;
}

export interface ContestRequest {
  /** Ids, first asked first; an unknown id is passed over, who is not named comes after in the service's own order. */
  readonly order: readonly string[];
  /** Asks the others too, for the record. */
  readonly everyone: boolean;
  /** A model of the scaler's own, ahead of the service's. */
  readonly own?: ChainLink | undefined;
}

export interface ContestRound {
  readonly outcome: ForecastOutcome;
  /** Sound forecasts of the others; empty unless everyone was asked. */
  readonly others: readonly { readonly by: string; readonly forecast: QuantileForecast }[];
}

/** Counters for prom-client; monotonic since the start. */
export interface InferenceStats {
  readonly runs: number;
  readonly windows: number;
  readonly failedRuns: number;
  readonly runSeconds: number;
  readonly largestBatch: number;
  readonly childRestarts: number;
}
