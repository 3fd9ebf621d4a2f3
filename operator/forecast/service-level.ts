/**
 * What to plan for, so that the asked share of *time* is served. A band that holds with 99 % at each step ahead
 * serves far more than 99 % of the time once the highest step of a window is taken, scale-down waits and replicas come
 * whole; how much more depends on the load. So the question is settled by replay: imagined targets, one per level of a
 * grid, are scaled through everything that comes, with the real start-up time and the real reactive rule beside the
 * forecast. So are targets with a fixed headroom above the load as it is, which is what an HPA does at its target: on
 * load that nothing foresees no quantile is as good as the right headroom.
 *
 *   err_j += (short_j - err_j) * w      w = 1 / memory, larger in the beginning; likewise the mean replicas
 *
 * Efficiency follows the cheapest that was short rarely enough (service-level-choice.ts). Availability plans for a level
 * always, since HPA's headroom is there anyway: the lowest one that left it a fifth of the shortage of the reactive
 * rule alone, or alpha where that is less. It does not pay any price for it: on load that nothing foresees the last
 * tenth of a per cent would cost many times the replicas.
 */
import { ReplayedTarget, type ReplayedTargetState } from './replayed-target.ts';
import { type Candidate, choose } from './service-level-choice.ts';
import type { Peaks, ServiceTerms } from './service-terms.ts';

/** Levels that are replayed, increasing. */
export const PLAN_LEVELS = [
  0.3, 0.5, 0.65, 0.75, 0.8, 0.84, 0.87, 0.9, 0.92, 0.94, 0.955, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999,
  0.9995,
] as const;

/** Loads per replica of the fixed headrooms, as shares of what it carries. */
export const PLAN_UTILIZATIONS = [
  0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95,
] as const;
/** A fixed headroom must be cheaper by this share: a forecast says why, a headroom only says how much. */
const HEADROOM_HANDICAP = 1.06;

/** What replicas are ordered for: a quantile of the load ahead, or the load as it is with room above. */
export type Plan =
  | { readonly kind: 'Level'; readonly level: number }
  | { readonly kind: 'Headroom'; readonly utilization: number };

/** Share of HPA's own shortage that Availability accepts. */
const SHARE_OF_REACTIVE = 0.2;
/** A hundredth of the time served more may cost this share of HPA's replicas more, under Availability. */
const PRICE_OF_A_POINT = 0.25;
/** A step up that serves less time more than this, in hundredths, serves nothing. */
const LEAST_POINTS = 0.01;
/** Time that the replay remembers (e-folding), and the weight of the prior in steps while it knows little. */
const MEMORY_MS = 10 * 86_400_000;
const PRIOR_STEPS = 360;

export interface ServiceLevelState {
  readonly steps: number;
  /** Reactive alone first, then PLAN_LEVELS and PLAN_UTILIZATIONS: share of steps short and mean replicas. */
  readonly targets: readonly ReplayedTargetState[];
}

export class ServiceLevel {
  #coverage: number;
  readonly #stepMs: number;
  #steps = 0;
  readonly #reactive: ReplayedTarget;
  /** By level, and by headroom. */
  readonly #targets: readonly ReplayedTarget[];
  readonly #fixed: readonly ReplayedTarget[];
  /** Index of what is followed, of levels and then headrooms. */
  #followed: number | undefined;

  constructor({ coverage, stepMs }: { readonly coverage: number; readonly stepMs: number }) {
    this.#coverage = coverage;
    this.#stepMs = stepMs;
    this.#reactive = new ReplayedTarget(1 - coverage);
    this.#targets = PLAN_LEVELS.map(() => new ReplayedTarget(1 - coverage));
    this.#fixed = PLAN_UTILIZATIONS.map(() => new ReplayedTarget(1 - coverage));
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
    const weight = this.#weight();
    this.#reactive.observe(load, terms, undefined, weight);
    this.#targets.forEach((target, j) => {
      target.observe(load, terms, peaks[j], weight);
    });
    this.#fixed.forEach((target, j) => {
      const peak = load / (PLAN_UTILIZATIONS[j] as number);
      target.observe(load, terms, { near: peak, ready: peak }, weight);
    });
  }

  /** The asked coverage itself until a first few hours have been replayed. */
  plan(objective: ServiceTerms['objective']): Plan {
    if (this.#steps < PRIOR_STEPS) return { kind: 'Level', level: this.#coverage };
    const alpha = 1 - this.#coverage;
    if (objective === 'Efficiency') return this.#cheapest(alpha);
    const { short, replicas } = this.#reactive;
    const level = this.#levelFor(Math.min(alpha, SHARE_OF_REACTIVE * short));
    return { kind: 'Level', level: this.#affordable(level, replicas) };
  }

  #cheapest(alpha: number): Plan {
    const as =
      (handicap: number) =>
      (target: ReplayedTarget): Candidate => {
        const { short, replicas } = target;
        return { short, replicas, handicap };
      };
    const candidates = [...this.#targets.map(as(1)), ...this.#fixed.map(as(HEADROOM_HANDICAP))];
    this.#followed = choose(candidates, this.#reactive, { alpha, weight: this.#weight() }, this.#followed);
    const level = PLAN_LEVELS[this.#followed];
    if (level !== undefined) return { kind: 'Level', level };
    return {
      kind: 'Headroom',
      utilization: PLAN_UTILIZATIONS[this.#followed - PLAN_LEVELS.length] as number,
    };
  }

  /** Of the newest step. */
  #weight(): number {
    return Math.max(this.#stepMs / MEMORY_MS, 1 / (this.#steps + PRIOR_STEPS));
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

  #all(): readonly ReplayedTarget[] {
    return [this.#reactive, ...this.#targets, ...this.#fixed];
  }

  toState(): ServiceLevelState {
    return { steps: this.#steps, targets: this.#all().map((one) => one.toState()) };
  }

  static fromState(
    state: ServiceLevelState,
    options: { readonly coverage: number; readonly stepMs: number },
  ): ServiceLevel {
    const made = new ServiceLevel(options);
    if (state.targets.length !== made.#all().length) return made;
    made.#steps = state.steps;
    made.#all().forEach((one, i) => {
      const stored = state.targets[i];
      if (stored !== undefined) one.restore(stored);
    });
    return made;
  }
}
