/**
 * How much more canary loses than stable, as a share, with an interval that may be looked at after every step: the
 * normal-mixture confidence sequence with an estimated variance (Waudby-Smith et al. 2024, "Time-uniform central limit
 * theory and asymptotic confidence sequences", Annals of Statistics). Unlike the verdict's e-values it holds for many
 * steps only; it is there to be read, nothing is decided by it.
 */
import type { PooledStep } from './pool.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface EffectState {
  readonly steps: number;
  readonly stable: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
}

/** Number of steps at which the interval is narrowest for its number of steps. */
const TIGHT_AT = 500;

export class EffectInterval {
  readonly #lead: number;
  #state: EffectState;

  /** @param lead neighbouring differences of a longer lead say the same: that many count as one */
  constructor(lead: number, state: EffectState = { steps: 0, stable: 0, mean: 0, squares: 0 }) {
    this.#lead = lead;
    this.#state = state;
  }

  take({ difference, stable }: PooledStep): void {
    const { steps, mean, squares } = this.#state;
    const moved = mean + (difference - mean) / (steps + 1);
    this.#state = {
      steps: steps + 1,
      stable: this.#state.stable + (stable - this.#state.stable) / (steps + 1),
      mean: moved,
      squares: squares + (difference - mean) * (difference - moved),
    };
  }

  /** Mean difference over stable's mean loss; NaN before the first step. */
  get effect(): number {
    const { mean, stable } = this.#state;
    return mean / stable;
  }

  /** @param error chance that the interval ever misses the effect */
  interval(error: number): Interval {
    const { steps, stable, squares } = this.#state;
    const n = steps / this.#lead;
    if (n < 2) return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    const deviation = Math.sqrt(squares / steps);
    // The paper's rule for rho^2 that is tightest at n = TIGHT_AT.
    const rho = (-2 * Math.log(error) + Math.log(-2 * Math.log(error)) + 1) / TIGHT_AT;
    const spread = n * rho + 1;
    const half =
      (deviation * Math.sqrt(((2 * spread) / (n * n * rho)) * Math.log(Math.sqrt(spread) / error))) / stable;
    return { low: this.effect - half, high: this.effect + half };
  }

  get state(): EffectState {
    return this.#state;
  }
}
