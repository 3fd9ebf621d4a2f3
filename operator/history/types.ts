/**
 * The past of every load that is scaled: what windows are cut from and what training reads later. Times are load
 * time (see Calendar). A missing step is NaN, never zero.
 */
import type { LoadSeries } from '../observation.ts';

/** Opaque name of one load, e.g. `namespace/scaler-uid/metric-0`. At most 512 bytes of UTF-8. */
export type SeriesKey = string;

export interface SeriesOptions {
  /** Resolution of the stored series; one value per step. */
  readonly stepMs: number;
  /** How far back the series is kept in memory. Default: 15 days, bounded by `maxPoints` of the store. */
  readonly retainMs?: number;
}

/** What became of a sample. Only `stored` and `late` changed the series. */
export type AppendOutcome =
  | 'stored' // the newest step, or a newer reading inside it
  | 'late' // filled a gap in the past
  | 'duplicate' // that step is already known from a reading at least as new
  | 'tooOld' // before the kept past
  | 'future' // ahead of the clock by more than the tolerance
  | 'notANumber' // NaN, infinite or negative
  | 'undeclared'; // no such series

export interface SeriesSpan {
  readonly stepMs: number;
  /** Start of the oldest and of the newest known step. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Number of known steps between them. */
  readonly known: number;
}

/** Why the past cannot be written; scaling goes on from memory. */
export interface HistoryHealth {
  readonly persistent: boolean;
  /** `Ok`, or what stands in the way. */
  readonly reason: 'Ok' | 'MemoryOnly' | 'Loading' | 'DiskFull' | 'ReadOnly' | 'WriteFailed';
  readonly message: string;
  /** Load-independent wall clock of the last complete flush. */
  readonly lastFlushMs: number | undefined;
  readonly quarantined: number;
}

export interface QuarantinedFile {
  readonly path: string;
  readonly reason: string;
}

export interface HistoryStore {
  /** Makes a series known. Idempotent; another step re-bins what is in memory. */
  declare(key: SeriesKey, options: SeriesOptions): void;
  append(key: SeriesKey, atMs: number, value: number): AppendOutcome;
  /** Back-fill: fills gaps only, live readings win. Returns the number of steps filled. */
  fill(key: SeriesKey, series: LoadSeries): number;
  /**
   * `count` steps of `stepMs`, oldest first, the last one being the step that contains `endMs`. NaN where unknown.
   * A coarser step than the stored one is the mean of the known steps inside it; a finer one repeats.
   */
  window(key: SeriesKey, endMs: number, stepMs: number, count: number): Float64Array;
  span(key: SeriesKey): SeriesSpan | undefined;
  /** Drops a series from memory; what is on disk ages out. */
  forget(key: SeriesKey): void;
  health(): HistoryHealth;
  /** Writes what is new. Never throws for a bad disk (see `health`); rejects only when the signal aborts. */
  flush(signal: AbortSignal): Promise<void>;
  /** A last flush, then the worker ends. */
  close(): Promise<void>;
}
