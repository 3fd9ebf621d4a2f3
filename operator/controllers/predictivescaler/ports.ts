/** What the reconciler asks of the rest of the operator, each as narrow as its use. */
import type { MetricSpec, PredictiveScaler, PredictiveScalerStatus } from '../../api/index.ts';
import type { ForecastInput, LoadWindow, MetricPlan } from '../../decision/types.ts';
import type { Forecaster } from '../../forecast/types.ts';
import type { Observation } from '../../observation.ts';
import type { KubeObject } from '../../runtime/index.ts';
import type { Drift } from './drift.ts';
import type { Learned } from './learned.ts';
import type { ForecastReport, OwnCondition } from './status.ts';
import type { Carries } from './target-learning.ts';

/** As it comes from the API server, not validated yet. */
export type Scaler = KubeObject & { readonly status?: PredictiveScalerStatus };

export interface LookRequest {
  readonly uid: string;
  readonly learned: Learned;
  readonly scaler: PredictiveScaler;
  readonly metrics: readonly MetricSpec[];
  readonly plans: readonly MetricPlan[];
  /** Pod selector of the target, for back-fill. */
  readonly podSelector: string;
  /** Absolute load per metric in its own unit; undefined where it is not known. Aligned with `plans`. */
  readonly loads: readonly (number | undefined)[];
  /** Time of each metric's sample, real time; undefined where it is not known. Aligned with `plans`. */
  readonly sampledAtMs: readonly (number | undefined)[];
  /** Load time. */
  readonly nowMs: number;
  readonly window: LoadWindow;
  /** Aligned with `plans`. */
  readonly carries: readonly (Carries | undefined)[];
  /** How long scaling down waits, load time. */
  readonly holdMs: number;
}

export interface Look {
  readonly forecast: Observation<ForecastInput>;
  readonly seasonalProfile: ForecastInput | undefined;
  readonly report: ForecastReport | undefined;
  readonly condition: OwnCondition;
  readonly realisedCoverage: number | undefined;
  /** The model that the scaler names, while it is served. */
  readonly own?: Forecaster | undefined;
  /** Absent while nothing was forecast. */
  readonly drift?: Drift | undefined;
}

/** The forecasting side: history, model, calibration. */
export interface Outlook {
  look(request: LookRequest, signal: AbortSignal): Promise<Look>;
  forget(uid: string): void;
}

/** Breakers that look at the whole fleet. */
export interface Fleet {
  /** The administrator's pause, with its reason. */
  readonly pause: { readonly paused: boolean; readonly reason: string };
  readonly frozen: boolean;
  /** Takes in one target's state. */
  report(key: string, specReplicas: number, readyPods: number): void;
  forget(key: string): void;
  /** Pods that may be ordered now; Infinity without a limit. */
  creationsLeft(): number;
  spend(creations: number): void;
}
