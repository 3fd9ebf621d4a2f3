/**
 * The border of the metric sources. An Observation is the only thing that comes out of a read: whatever the other
 * side does (refuses, drips, answers HTML, lies about the time), the caller gets a number or a reason, and the
 * compiler asks him what to do with the reason.
 */
import type { MetricSpec, MetricType } from '../api/predictivescaler/metrics.ts';
import type { LoadSeries, MetricReading, Observation, UnknownReason } from '../observation.ts';

/** What is asked. Equal requests are one request: many scalers in a namespace may share a metric. */
export interface MetricRequest {
  /** The scaler's own namespace. No metric reference carries another one. */
  readonly namespace: string;
  readonly metric: MetricSpec;
  /** `status.selector` of the target's scale, as text. Only per-pod metrics use it. */
  readonly podSelector: string;
}

export interface MetricSource {
  /** Never throws, except the signal's reason when it aborts. */
  read(request: MetricRequest, signal: AbortSignal): Promise<Observation<MetricReading>>;
}

/** A source that remembers the past. */
export interface BackfillSource {
  /**
   * The load between two real times on the grid of multiples of `stepMs` inside [fromMs, toMs]. Never throws, except
   * the signal's reason when it aborts. After an unknown (or an abort), asking again for an overlapping range goes on
   * where the last call stopped. `NoData` when there is not a single point; `at` is the time of the newest one.
   */
  backfill(
    request: MetricRequest,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Observation<LoadSeries>>;
}

/** A source that knows how often its metric is sampled. */
export interface CadenceSource {
  /** Milliseconds between two samples. Never throws, except the signal's reason when it aborts. */
  cadence(request: MetricRequest, signal: AbortSignal): Promise<Observation<number>>;
}

/** A question to one Prometheus server of the administrator's list, for whoever compares the answer with limits. */
export interface NumberRequest {
  readonly namespace: string;
  readonly server: string;
  readonly query: string;
}

export interface NumberSource {
  /** One number, not rounded; it may be NaN. Never throws, except the signal's reason when it aborts. */
  number(request: NumberRequest, signal: AbortSignal): Promise<Observation<number>>;
}

/** Everything the controller needs of the metric sources. */
export interface MetricSources extends MetricSource, BackfillSource, CadenceSource, NumberSource {
  /** Whether this metric's past and cadence can be asked for (today: Prometheus metrics). */
  canBackfill(metric: MetricSpec): boolean;
  /** Ends connections. Reads after it are unknown. */
  close(): Promise<void>;
}

/** GET a path of the API server (`/apis/metrics.k8s.io/…`), parsed. Rejects with a ForesailError. */
export interface ApiReader {
  getJson(path: string, signal: AbortSignal): Promise<unknown>;
}

/** Finds the resource name of a kind. operator/kube's Discovery satisfies it. */
export interface KindResolver {
  resolve(
    apiVersion: string,
    kind: string,
    signal: AbortSignal,
  ): Promise<{ readonly ref: { readonly group: string; readonly plural: string } }>;
}

/** One finished read, back-fill or question after the cadence, for the operator's own metrics. No field has unbounded values. */
export interface ReadEvent {
  readonly operation: 'read' | 'backfill' | 'cadence' | 'number';
  readonly source: MetricType;
  /** The admin's name of the Prometheus server; '' for the metrics APIs. */
  readonly server: string;
  readonly outcome: 'value' | UnknownReason;
  readonly seconds: number;
}

export type ReadObserver = (event: ReadEvent) => void;
