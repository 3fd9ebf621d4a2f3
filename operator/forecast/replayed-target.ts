/**
 * An imagined target that is scaled by one rule through the real load, a step at a time: its replicas, those that are
 * still starting, and how often it was short. Coarser than the simulator (operator/simulate), whose clock is finer
 * than a step, and cheap enough to run dozens of beside every forecast.
 */
import type { Peaks, ServiceTerms } from './service-terms.ts';

/** Looked up once: this runs dozens of times a step, and in jest's contexts a global costs more than the arithmetic. */
const { abs, ceil, max, min } = Math;
const { POSITIVE_INFINITY } = Number;

/** HPA's tolerance: a ratio this near to one changes nothing. */
const TOLERANCE = 0.1;
/** Rounding noise of a load that is a whole number of replicas. */
const NOISE = 1e-9;

export interface ReplayedTargetState {
  readonly short: number;
  readonly replicas: number;
}

export class ReplayedTarget {
  /** Share of steps with fewer ready replicas than the load demanded, and mean replicas ordered; decayed. */
  #short: number;
  #replicas = 0;
  #ordered = 0;
  #ready = 0;
  #step = 0;
  /** Replicas that become ready at a step, oldest first. */
  readonly #starting: { readonly at: number; count: number }[] = [];
  /** Recommendations that scaling down still has to heed: steps increasing, replicas decreasing. */
  readonly #recent: { readonly at: number; readonly replicas: number }[] = [];

  /** @param short what is assumed before anything was seen */
  constructor(short: number) {
    this.#short = short;
  }

  get short(): number {
    return this.#short;
  }

  get replicas(): number {
    return this.#replicas;
  }

  observe(load: number, terms: ServiceTerms, peaks: Peaks | undefined, weight: number): void {
    this.#step += 1;
    const demanded = replicasFor(load, terms.capacity);
    if (this.#step === 1) {
      this.#ordered = max(demanded, replicasFor(load, terms.reactiveTarget));
      this.#ready = this.#ordered;
      this.#replicas = this.#ordered;
    }
    while (this.#starting[0] !== undefined && this.#starting[0].at <= this.#step)
      this.#ready += this.#starting.shift()?.count ?? 0;
    this.#short += weight * ((this.#ready < demanded ? 1 : 0) - this.#short);
    this.#replicas += weight * (this.#ordered - this.#replicas);
    this.#order(this.#wanted(load, terms, peaks), terms.readySteps);
  }

  toState(): ReplayedTargetState {
    const digits = (value: number): number => Number(value.toPrecision(5));
    return { short: digits(this.#short), replicas: digits(this.#replicas) };
  }

  /** Goes on with what was measured; the imagined target itself begins anew. */
  restore({ short, replicas }: ReplayedTargetState): void {
    this.#short = short;
    this.#replicas = replicas;
  }

  #wanted(
    load: number,
    { capacity, reactiveTarget, holdSteps }: ServiceTerms,
    peaks: Peaks | undefined,
  ): number {
    const ratio = load / (reactiveTarget * this.#ordered);
    const reactive = abs(ratio - 1) <= TOLERANCE ? this.#ordered : replicasFor(load, reactiveTarget);
    const ahead =
      peaks === undefined
        ? 0
        : max(replicasFor(peaks.ready, capacity), min(this.#ordered, replicasFor(peaks.near, capacity)));
    const recommended = max(reactive, ahead);
    const recent = this.#recent;
    while ((recent.at(-1)?.replicas ?? POSITIVE_INFINITY) <= recommended) recent.pop();
    recent.push({ at: this.#step, replicas: recommended });
    while ((recent[0]?.at ?? this.#step) < this.#step - holdSteps) recent.shift();
    const highest = recent[0]?.replicas ?? recommended;
    return min(highest, max(2 * this.#ordered, 4));
  }

  #order(wanted: number, readySteps: number): void {
    if (wanted > this.#ordered)
      this.#starting.push({ at: this.#step + readySteps, count: wanted - this.#ordered });
    // What has not started yet goes first, as a ReplicaSet does it.
    let surplus = max(this.#ordered - wanted, 0);
    for (let last = this.#starting.at(-1); surplus > 0 && last !== undefined; last = this.#starting.at(-1)) {
      const taken = min(surplus, last.count);
      last.count -= taken;
      surplus -= taken;
      if (last.count === 0) this.#starting.pop();
    }
    this.#ready -= surplus;
    this.#ordered = wanted;
  }
}

function replicasFor(load: number, perReplica: number): number {
  return max(ceil((load / perReplica) * (1 - NOISE)), 1);
}
