/**
 * What was measured, or why it is not known. Every number that comes from outside passes through this type, so
 * the compiler asks each reader what to do when there is no number. Unknown is never zero.
 */

export type UnknownReason =
  | 'NoData' // an empty answer, or the series does not exist
  | 'Stale' // the newest sample is too old
  | 'FromTheFuture' // the sample's time is ahead of our clock
  | 'NotANumber' // NaN, infinite, negative, or not parseable
  | 'Partial' // the source warns that data are missing
  | 'OutOfRange' // refused by the spike or unit-change guard
  | 'Unreachable' // refused, DNS, TLS, reset
  | 'Timeout'
  | 'Unauthorized'
  | 'BadAnswer' // not the protocol: HTML, truncated JSON, wrong type
  | 'BadQuery' // the source, or our own reading of the query, refused it: the author must change it
  | 'TooLarge'
  | 'NotAllowed' // the admin's list does not let this namespace use the server
  | 'NotConfigured' // names a server that does not exist
  | 'Overloaded' // our own or the server's limit refused the query
  | 'NotRead'; // not asked yet, since the start

export interface Known<T> {
  readonly kind: 'value';
  readonly value: T;
  /** When it was true, milliseconds since the epoch, by the source's clock. */
  readonly at: number;
}

export interface Unknown {
  readonly kind: 'unknown';
  readonly reason: UnknownReason;
  /** For people; never contains the body of an answer or a credential. */
  readonly message: string;
  /** Since when it has been unknown without a break, milliseconds since the epoch. */
  readonly since: number;
}

export type Observation<T> = Known<T> | Unknown;

export function known<T>(value: T, at: number): Known<T> {
  return { kind: 'value', value, at };
}

export function unknown(reason: UnknownReason, message: string, since: number): Unknown {
  return { kind: 'unknown', reason, message, since };
}

export interface PodSample {
  /** Thousandths of the metric's unit (millicores, milli-bytes, milli-requests), as in HPA. */
  readonly milli: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly windowMs: number;
}

/** One sample per pod: Resource, ContainerResource and Pods metrics. A pod that is absent has no sample. */
export interface PerPodReading {
  readonly form: 'perPod';
  /** Keyed by pod name. */
  readonly samples: ReadonlyMap<string, PodSample>;
}

/** One number for the whole target, several series summed: Object, External and Prometheus metrics. */
export interface TotalReading {
  readonly form: 'total';
  readonly milli: number;
  readonly series: number;
  /**
   * When the newest sample behind the number was taken, where that is known apart from the time at which the
   * number was computed (`at`). Milliseconds since the epoch.
   */
  readonly newestSampleAt?: number;
}

export type MetricReading = PerPodReading | TotalReading;

/** A stretch of one load at a constant step, in the metric's plain unit (not thousandths). */
export interface LoadSeries {
  /** Start of the first step, load time. */
  readonly startMs: number;
  readonly stepMs: number;
  /** Oldest first; NaN = gap. */
  readonly values: Float64Array;
}

/** Load over a stretch of time on an even grid: real time from a metric source, load time in the history. */
export interface LoadSeries {
  /** Time of `values[0]`, milliseconds since the epoch. */
  readonly startMs: number;
  readonly stepMs: number;
  /** In the metric's own unit (not thousandths), several series summed; NaN is a gap, never zero. */
  readonly values: Float64Array;
}
