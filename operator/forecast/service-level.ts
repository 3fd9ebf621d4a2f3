/**
 * Which quantile of the load to plan for, so that the asked share of *time* is served. A band that holds with 99 % at
 * each step ahead serves far more than 99 % of the time once the highest step of a window is taken, scale-down waits
 * and replicas come whole; how much more depends on the load. So the question is settled by replay: one imagined
 * target per level of a grid is scaled through everything that comes, with the real start-up time and the real
 * reactive rule beside the forecast, and the lowest level whose target was short rarely enough is planned for.
 *
 *   err_j += (short_j - err_j) * w      w = 1 / memory, larger in the beginning; likewise the mean replicas
 *   level  = the lowest p_j with err_j <= alpha, else the highest
 *
 * One more target is scaled by the reactive rule alone: what HPA would have done. Objective Availability asks for a
 * fifth of *its* shortage where that is less than alpha, and does not pay any price for it: on load that nothing
 * foresees the last tenth of a per cent would cost many times the replicas.
 */
import { ReplayedTarget, type ReplayedTargetState } from './replayed-target.ts';

/** Levels that are replayed, increasing. */
export const PLAN_LEVELS = [
  0.3, 0.5, 0.65, 0.75, 0.8, 0.84, 0.87, 0.9, 0.92, 0.94, 0.955, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999,
  0.9995,
] as const;

/** Share of HPA's own shortage that Availability accepts. */
const SHARE_OF_REACTIVE = 0.2;
/** A hundredth of the time served more may cost this share of HPA's replicas more, under Availability. */
const PRICE_OF_A_POINT = 0.25;
/** A step up that serves less time more than this, in hundredths, serves nothing. */
const LEAST_POINTS = 0.01;
/** Time that the replay remembers (e-folding), and the weight of the prior in steps while it knows little. */
const MEMORY_MS = 5 * 86_400_000;
const PRIOR_STEPS = 360;

/** What the load meets; all of one metric. */
export interface ServiceTerms {
  readonly objective: 'Availability' | 'Efficiency';
  /** Load that one replica carries, in the load's unit. */
  readonly capacity: number;
  /** Load per replica that the reactive rule aims at. */
  readonly reactiveTarget: number;
  /** Steps from a load that has just been read to the first one that replicas ordered on it serve whole. */
  readonly readySteps: number;
  /** Steps that the highest recommendation is held before scaling down. */
  readonly holdSteps: number;
}

/** Highest load of the steps that replicas ordered now serve (`ready`), and of those before (`near`). */
export interface Peaks {
  readonly near: number;
  readonly ready: number;
}

export interface ServiceLevelState {
  readonly steps: number;
  /** Reactive alone first, then PLAN_LEVELS: share of steps short and mean replicas. */
  readonly targets: readonly ReplayedTargetState[];
}

export class ServiceLevel {
  #coverage: number;
  readonly #stepMs: number;
  #steps = 0;
  readonly #reactive: ReplayedTarget;
  readonly #targets: readonly ReplayedTarget[];

  constructor({ coverage, stepMs }: { readonly coverage: number; readonly stepMs: number }) {
    this.#coverage = coverage;
    this.#stepMs = stepMs;
    this.#reactive = new ReplayedTarget(1 - coverage);
    this.#targets = PLAN_LEVELS.map(() => new ReplayedTarget(1 - coverage));
  }

  ask(coverage: number): void {
    this.#coverage = coverage;
  }

  /**
   * One new step: what the imagined targets had for its load, then what they order on it.
   *
   * @param load of the newest step, in the load's unit; not NaN
   * @param peaks at each of PLAN_LEVELS
   */
  observe(load: number, terms: ServiceTerms, peaks: readonly Peaks[]): void {
    this.#steps += 1;
    const weight = Math.max(this.#stepMs / MEMORY_MS, 1 / (this.#steps + PRIOR_STEPS));
    this.#reactive.observe(load, terms, undefined, weight);
    this.#targets.forEach((target, j) => {
      target.observe(load, terms, peaks[j], weight);
    });
  }

  /** The level to plan for; the asked coverage itself until a first day or so has been replayed. */
  level(objective: ServiceTerms['objective']): number {
    if (this.#steps < PRIOR_STEPS) return this.#coverage;
    const alpha = 1 - this.#coverage;
    if (objective === 'Efficiency') return this.#levelFor(alpha);
    const { short, replicas } = this.#reactive;
    return this.#affordable(this.#levelFor(Math.min(alpha, SHARE_OF_REACTIVE * short)), replicas);
  }

  #levelFor(alpha: number): number {
    // Between two grid points nothing was replayed, and whole replicas make the shortage jump there.
    const at = this.#targets.findIndex(({ short }) => short <= alpha);
    return PLAN_LEVELS.at(at) as number;
  }

  /** Steps down from `level` while the last step up buys its time too dearly. */
  #affordable(level: number, reactiveReplicas: number): number {
    let affordable = level;
    for (let j = PLAN_LEVELS.length - 1; j > 0; j--) {
      const low = PLAN_LEVELS[j - 1] as number;
      if (low >= level) continue;
      const [cheap, dear] = [this.#targets[j - 1], this.#targets[j]];
      if (cheap === undefined || dear === undefined) break;
      const points = 100 * (cheap.short - dear.short);
      const worth = PRICE_OF_A_POINT * points * reactiveReplicas;
      if (points >= LEAST_POINTS && dear.replicas - cheap.replicas <= worth) break;
      affordable = low;
    }
    return affordable;
  }

  toState(): ServiceLevelState {
    return { steps: this.#steps, targets: [this.#reactive, ...this.#targets].map((one) => one.toState()) };
  }

  static fromState(
    state: ServiceLevelState,
    options: { readonly coverage: number; readonly stepMs: number },
  ): ServiceLevel {
    const made = new ServiceLevel(options);
    if (state.targets.length !== PLAN_LEVELS.length + 1) return made;
    made.#steps = state.steps;
    [made.#reactive, ...made.#targets].forEach((one, i) => {
      const stored = state.targets[i];
      if (stored !== undefined) one.restore(stored);
    });
    return made;
  }
}
