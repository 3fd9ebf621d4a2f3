/**
 * How long a replica that is ordered now takes until it works: creation to Ready, learned from the workload's own
 * pods. Only a start that we saw happen counts fully. A pod that is Ready at first sight may have lost and regained
 * readiness before, so it is hearsay, used with care until there are enough witnessed starts. Pods that never become
 * Ready and pods that restarted teach nothing about a start.
 */
import type { LeadTime, PodStart } from './types.ts';

const SAMPLES = 64;
const ENOUGH = 3;
const SEEN_PODS = 4096;
const LONGEST_MS = 30 * 60_000;

export interface LeadTimeState {
  /** Milliseconds from creation to Ready, oldest first. */
  readonly witnessed: readonly number[];
}

export class LeadTimeLearner {
  #witnessed: number[] = [];
  readonly #hearsay = new Map<string, number>();
  /** Pods by what we know: waiting for Ready, or done with. Insertion order bounds it. */
  readonly #seen = new Map<string, 'waiting' | 'done'>();

  /** Each pod of the target, at every look. Returns true when a new start was learned. */
  observe(pod: PodStart): boolean {
    const known = this.#seen.get(pod.uid);
    if (known === 'done') return false;
    const took = pod.readyMs === undefined ? undefined : pod.readyMs - pod.createdMs;
    if (took === undefined) {
      this.#see(pod.uid, pod.restarts > 0 ? 'done' : 'waiting');
      return false;
    }
    this.#see(pod.uid, 'done');
    if (pod.restarts > 0 || !(took >= 0 && took <= LONGEST_MS)) return false;
    if (known === 'waiting') {
      this.#witnessed.push(took);
      if (this.#witnessed.length > SAMPLES) this.#witnessed.shift();
      return true;
    }
    this.#hearsay.set(pod.uid, took);
    if (this.#hearsay.size > SAMPLES) this.#hearsay.delete(this.#hearsay.keys().next().value ?? '');
    return false;
  }

  /**
   * P50 and P90 of the last 64 witnessed starts. With fewer than three, of the starts we were told of, the P90 then
   * limited to three times the median. Undefined without any.
   */
  leadTime(): LeadTime | undefined {
    if (this.#witnessed.length >= ENOUGH) {
      return summary(this.#witnessed, this.#witnessed.length, Number.POSITIVE_INFINITY);
    }
    const all = [...this.#witnessed, ...this.#hearsay.values()];
    return all.length === 0 ? undefined : summary(all, this.#witnessed.length, 3);
  }

  toState(): LeadTimeState {
    return { witnessed: this.#witnessed };
  }

  static fromState(state: LeadTimeState): LeadTimeLearner {
    const learner = new LeadTimeLearner();
    learner.#witnessed = state.witnessed.slice(-SAMPLES);
    return learner;
  }

  #see(uid: string, what: 'waiting' | 'done'): void {
    this.#seen.set(uid, what);
    if (this.#seen.size > SEEN_PODS) this.#seen.delete(this.#seen.keys().next().value ?? '');
  }
}

/** Nearest-rank percentiles: with fewer than ten samples the P90 is the longest. */
function summary(times: readonly number[], samples: number, limit: number): LeadTime {
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (level: number): number => sorted[Math.ceil(level * sorted.length) - 1] ?? 0;
  const p50Ms = rank(0.5);
  return { p50Ms, p90Ms: Math.min(rank(0.9), limit * Math.max(p50Ms, 1000)), samples };
}
