/**
 * Feeds the monitor from forecasts as the operator makes them: notes what was forecast for the end of the lead window,
 * waits until that time has come, and takes the miss in widths of the band, as calibration does. Errors of forecasts
 * that overlap are alike, which a test for change takes for change; so the next one is noted only when the last one's
 * time has come.
 */
import { Pending } from '../pending.ts';
import { forecastQuantile } from '../quantiles.ts';
import type { QuantileForecast } from '../types.ts';
import { DriftMonitor, type DriftReport, type DriftState } from './monitor.ts';

/** Shortest time between two errors that count. */
const SPACING_MS = 300_000;
/** Floor of the yardstick as a share of the load's level: a band of nothing would make every error infinite. */
const FLOOR_SHARE = 0.02;
const LEVEL_MEMORY = 200;
/** So long another forecaster has to serve before its errors are watched instead; less is a fallback for a while. */
const TAKES_OVER_MS = 6 * 3_600_000;
/** A clock that was put back by more than this has another time; what was learned in the old one is let go. */
const PUT_BACK_MS = 3_600_000;

interface Issued {
  readonly median: number;
  readonly width: number;
}

/** Plain JSON. */
export interface DriftWatchState {
  readonly stepMs: number;
  readonly by: string;
  readonly digest: string;
  readonly ahead: number;
  readonly level: number;
  readonly monitor: DriftState;
}

export class DriftWatch {
  readonly #stepMs: number;
  #monitor = new DriftMonitor();
  #pending: Pending<Issued>;
  /** Forecaster and model whose errors are watched, and how many steps ahead. */
  #by = '';
  #digest = '';
  #ahead = 0;
  #otherSinceMs: number | undefined;
  #level = 0;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
    this.#pending = pendingFor(stepMs);
  }

  /**
   * A forecast that the decision sees.
   * @param by id of the forecaster that made it
   * @param ahead step (1-based) at the end of the lead window
   */
  issue(by: string, forecast: QuantileForecast, ahead: number): void {
    const h = Math.min(Math.max(ahead, 1), forecast.horizon);
    const targetMs = forecast.originMs + h * this.#stepMs;
    const spacingMs = Math.max(h * this.#stepMs, SPACING_MS);
    if (targetMs < this.#nextMs - spacingMs - PUT_BACK_MS) this.#restart();
    if (!this.#watches(by, forecast, h) || targetMs < this.#nextMs) return;
    const median = forecastQuantile(forecast, h - 1, 0.5);
    const band = forecastQuantile(forecast, h - 1, 0.9) - median;
    const width = Math.max(band, FLOOR_SHARE * Math.max(Math.abs(median), this.#level), 1e-9);
    if (!this.#pending.add(targetMs, { median, width })) return;
    this.#nextMs = targetMs + spacingMs;
  }

  /** See Calibration.settle; `pinned` is what the calibration says of the forecaster that serves. */
  settle(upToMs: number, read: (atMs: number) => number, pinned: boolean): void {
    for (const { targetMs, payload, value } of this.#pending.settle(upToMs, read)) {
      const weight = this.#level === 0 ? 1 : 1 / LEVEL_MEMORY;
      this.#level += weight * (Math.abs(value) - this.#level);
      this.#monitor.observe(targetMs, (value - payload.median) / payload.width);
    }
    this.#monitor.observePinned(upToMs, pinned);
  }

  report(): DriftReport {
    return this.#monitor.report();
  }

  toState(): DriftWatchState {
    return {
      stepMs: this.#stepMs,
      by: this.#by,
      digest: this.#digest,
      ahead: this.#ahead,
      level: this.#level,
      monitor: this.#monitor.toState(),
    };
  }

  /** Errors belong to a step; with another step the watch starts anew. */
  static fromState(state: DriftWatchState, stepMs: number): DriftWatch {
    const watch = new DriftWatch(stepMs);
    if (state.stepMs !== stepMs) return watch;
    watch.#by = state.by;
    watch.#digest = state.digest;
    watch.#ahead = state.ahead;
    watch.#level = state.level;
    watch.#monitor = DriftMonitor.fromState(state.monitor);
    watch.#nextMs = (state.monitor.lastMs ?? Number.NEGATIVE_INFINITY) + SPACING_MS;
    return watch;
  }

  /** Another model, or a lead time of another order, has other errors: they are watched from their first one on. */
  #watches(by: string, { originMs, model }: QuantileForecast, ahead: number): boolean {
    const similar = ahead <= 2 * this.#ahead && 2 * ahead >= this.#ahead;
    if (by === this.#by && model.digest === this.#digest && similar) {
      this.#otherSinceMs = undefined;
      return true;
    }
    this.#otherSinceMs ??= originMs;
    const newVersion = by === this.#by && model.digest !== this.#digest;
    const first = this.#by === '';
    if (!first && !newVersion && originMs - this.#otherSinceMs < TAKES_OVER_MS) return false;
    this.#by = by;
    this.#digest = model.digest;
    this.#ahead = ahead;
    this.#otherSinceMs = undefined;
    this.#restart();
    return true;
  }

  #restart(): void {
    this.#monitor = new DriftMonitor();
    this.#pending = pendingFor(this.#stepMs);
    this.#nextMs = Number.NEGATIVE_INFINITY;
  }
}

function pendingFor(stepMs: number): Pending<Issued> {
  return new Pending<Issued>(4, 10 * stepMs);
}
