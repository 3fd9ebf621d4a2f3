/**
 * Forecasts wait here until the load that they forecast is known. Labels come a lead time later, in any order, twice
 * or never, so the ledger is bounded: the oldest step goes first, and says how much went unlabelled.
 */
import { forecastLoss, type Quantiles } from './loss.ts';
import type { PairedLoss } from './pool.ts';

export interface IssuedForecast extends Quantiles {
  readonly series: string;
  /** End of the step that is forecast: from then on its load can be known. */
  readonly targetMs: number;
  /** How far ahead, in any unit that all forecasts of a ledger share. */
  readonly lead: number;
  readonly version: number;
  /** `sha256:…` of the file that made it. */
  readonly digest: string;
}

/** All series' pairs of one step and lead. */
export interface LabelledStep {
  readonly targetMs: number;
  readonly lead: number;
  readonly pairs: readonly PairedLoss[];
}

export interface Versions {
  readonly stable: number;
  readonly canary: number;
}

/** Forecasts of one target time. */
type Waiting = Map<string, IssuedForecast[]>;

export class Ledger {
  readonly #mostWaiting: number;
  /** By target time. */
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #dropped = 0;

  constructor(mostWaiting: number, issued: Iterable<IssuedForecast> = []) {
    this.#mostWaiting = mostWaiting;
    for (const forecast of issued) this.issue(forecast);
  }

  /** A second forecast of the same series, step, lead and version is left out: the first one was acted upon. */
  issue(forecast: IssuedForecast): void {
    const at = this.#waiting.get(forecast.targetMs) ?? new Map<string, IssuedForecast[]>();
    const mine = at.get(forecast.series) ?? [];
    if (mine.some(({ lead, version }) => lead === forecast.lead && version === forecast.version)) return;
    if (this.#count >= this.#mostWaiting && !this.#makeRoom(forecast.targetMs)) {
      this.#dropped++;
      return;
    }
    at.set(forecast.series, [...mine, forecast]);
    this.#waiting.set(forecast.targetMs, at);
    this.#count++;
  }

  /**
   * The load of one step has become known.
   *
   * @param loadOf load of a series; NaN = unknown: its forecasts go without a label
   * @returns one entry per lead that has a pair of stable and canary; they are scored on the quantiles of both
   */
  label(targetMs: number, loadOf: (series: string) => number, { stable, canary }: Versions): LabelledStep[] {
    const at = this.#waiting.get(targetMs);
    if (at === undefined) return [];
    this.#remove(targetMs);
    const steps = new Map<number, PairedLoss[]>();
    for (const [series, forecasts] of at) {
      const load = loadOf(series);
      if (Number.isNaN(load)) {
        this.#dropped += forecasts.length;
        continue;
      }
      for (const mine of forecasts) {
        if (mine.version !== canary) continue;
        const other = forecasts.find(({ version, lead }) => version === stable && lead === mine.lead);
        if (other === undefined) continue;
        const levels = other.levels.filter((level) => mine.levels.includes(level));
        if (levels.length === 0) continue;
        const pair = {
          series,
          stable: forecastLoss(other, load, levels),
          canary: forecastLoss(mine, load, levels),
        };
        steps.set(mine.lead, [...(steps.get(mine.lead) ?? []), pair]);
      }
    }
    return [...steps].map(([lead, pairs]) => ({ targetMs, lead, pairs }));
  }

  /** Targets up to `ms`, in the order of time. */
  due(ms: number): number[] {
    return [...this.#waiting.keys()].filter((targetMs) => targetMs <= ms).sort((a, b) => a - b);
  }

  /** Forecasts without a label yet. */
  get waiting(): number {
    return this.#count;
  }

  /** Forecasts that never got one. */
  get dropped(): number {
    return this.#dropped;
  }

  /** For a checkpoint. */
  *[Symbol.iterator](): Generator<IssuedForecast> {
    for (const at of this.#waiting.values()) for (const forecasts of at.values()) yield* forecasts;
  }

  /** False when all that waits is for `targetMs` itself or later: half a step would be judged in place of it. */
  #makeRoom(targetMs: number): boolean {
    let oldest = targetMs;
    for (const waiting of this.#waiting.keys()) oldest = Math.min(oldest, waiting);
    if (oldest === targetMs) return false;
    this.#dropped += this.#remove(oldest);
    return true;
  }

  #remove(targetMs: number): number {
    let count = 0;
    for (const forecasts of this.#waiting.get(targetMs)?.values() ?? []) count += forecasts.length;
    this.#waiting.delete(targetMs);
    this.#count -= count;
    return count;
  }
}
