/**
 * What one replica can carry, learned from what replicas have carried. A load per replica above the target, borne for
 * a while with every pod ready and none restarted, is evidence that it can be borne; pods that failed under a load
 * are evidence that it cannot. Without such evidence there is no learned capacity and the target stands. It is never
 * below the target (the user said that much) and never above twice the target.
 */
import { ScoreWindow } from './score-window.ts';

const EVIDENCE = 240;
const ENOUGH = 60;
const HIGHEST_SHARE = 2;
/** A failure at load x says: not more than this share of x. */
const FAILURE_MARGIN = 0.9;

export interface CapacityState {
  readonly borne: readonly number[];
  readonly ceiling: number | null;
}

export interface ReplicaLoad {
  /** Load of the whole target in the metric's unit. */
  readonly load: number;
  /** Pods that were ready through the whole interval. */
  readonly readyReplicas: number;
  /** False when a pod that had been ready stopped being so, or restarted, in the interval. */
  readonly healthy: boolean;
}

export class CapacityLearner {
  readonly #borne = new ScoreWindow(EVIDENCE);
  #ceiling = Number.POSITIVE_INFINITY;

  /** One observation per step. `target`: what one replica should carry. */
  observe(seen: ReplicaLoad, target: number): void {
    const each = seen.load / seen.readyReplicas;
    if (!(seen.readyReplicas >= 1) || !Number.isFinite(each) || each <= target) return;
    if (seen.healthy) this.#borne.push(each);
    else this.#ceiling = Math.min(this.#ceiling, Math.max(FAILURE_MARGIN * each, target));
  }

  /**
   * The load per replica that was borne in three of four of the last 240 steps above the target (at least 60), below
   * what made pods fail. Undefined without evidence.
   */
  capacity(target: number): number | undefined {
    if (this.#borne.count < ENOUGH) return undefined;
    const borne = this.#borne.quantile(0.25);
    const capacity = Math.min(borne, this.#ceiling, HIGHEST_SHARE * target);
    return capacity > target ? capacity : undefined;
  }

  toState(): CapacityState {
    return {
      borne: Array.from(this.#borne.values(), (value) => Number(value.toPrecision(4))),
      ceiling: Number.isFinite(this.#ceiling) ? this.#ceiling : null,
    };
  }

  static fromState(state: CapacityState): CapacityLearner {
    const learner = new CapacityLearner();
    for (const value of state.borne.slice(-EVIDENCE)) learner.#borne.push(value);
    learner.#ceiling = state.ceiling ?? Number.POSITIVE_INFINITY;
    return learner;
  }
}
