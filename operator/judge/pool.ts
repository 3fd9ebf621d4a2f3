/**
 * Losses of two versions on many series, made one number per time step. Series of one step are hit by the same things,
 * so they are pooled before anything is tested. Each counts in units of its own usual loss: a series of a million
 * requests must not drown one of ten.
 */

/** Both versions' losses on the same series, step and lead. */
export interface PairedLoss {
  readonly series: string;
  readonly stable: number;
  readonly canary: number;
}

export interface PooledStep {
  /** Mean over series of (canary - stable) / usual loss of the series. */
  readonly difference: number;
  /** Mean over series of stable / usual loss: about 1. */
  readonly stable: number;
  readonly series: number;
}

/** Steps until a series' usual loss is known. */
const LEARN = 8;
const FORGET = 1 / 256;

export interface SeriesState {
  readonly count: number;
  /** Trailing mean of stable's loss. */
  readonly usual: number;
  /** Trailing mean of canary's loss less stable's. */
  readonly excess: number;
}

export class Pool {
  readonly #series: Map<string, SeriesState>;

  constructor(series: Iterable<readonly [string, SeriesState]> = []) {
    this.#series = new Map(series);
  }

  /** @returns undefined while no series has a usual loss yet, or none of the pairs is known, or one is beyond numbers */
  take(pairs: readonly PairedLoss[]): PooledStep | undefined {
    let difference = 0;
    let stable = 0;
    let series = 0;
    for (const pair of pairs) {
      const excess = pair.canary - pair.stable;
      if (!Number.isFinite(excess)) continue;
      const before = this.#series.get(pair.series) ?? { count: 0, usual: 0, excess: 0 };
      // What scales a step must be known before it, or a large loss would shrink itself.
      if (before.count >= LEARN && before.usual > 0) {
        difference += excess / before.usual;
        stable += pair.stable / before.usual;
        series++;
      }
      const weight = Math.max(1 / (before.count + 1), FORGET);
      this.#series.set(pair.series, {
        count: before.count + 1,
        usual: before.usual + weight * (pair.stable - before.usual),
        excess: before.excess + weight * (excess - before.excess),
      });
    }
    if (series === 0 || !Number.isFinite(difference) || !Number.isFinite(stable)) return undefined;
    return { difference: difference / series, stable: stable / series, series };
  }

  /** Those that canary hurts most, as a share of stable's loss, the worst first. */
  worst(count: number): { readonly series: string; readonly effect: number }[] {
    return [...this.#series]
      .filter(([, { usual, count: seen }]) => usual > 0 && seen >= LEARN)
      .map(([series, { excess, usual }]) => ({ series, effect: excess / usual }))
      .sort((a, b) => b.effect - a.effect)
      .slice(0, count);
  }

  forget(series: string): void {
    this.#series.delete(series);
  }

  get state(): readonly (readonly [string, SeriesState])[] {
    return [...this.#series];
  }
}
