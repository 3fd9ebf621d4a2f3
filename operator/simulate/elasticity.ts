/**
 * How well supply follows demand, after the SPEC elasticity metrics (Herbst et al., arXiv 1604.03470): d is the number
 * of replicas demanded, ceil(load / capacity of one), s the number of replicas that are ready. The simulator and the
 * demo on a real cluster are scored by this one definition.
 */

export interface Elasticity {
  /** Per cent: mean of max(d - s, 0) / d, and of max(s - d, 0) / d. */
  readonly thetaU: number;
  readonly thetaO: number;
  /** Per cent of the time with s < d, with s > d. */
  readonly tauU: number;
  readonly tauO: number;
  readonly underProvisionedMinutes: number;
  /** Missing replicas summed over those minutes. */
  readonly replicaMinutesShort: number;
  /** Ready or not, what was ordered costs. */
  readonly replicaHours: number;
  /** Changes of the ordered number. */
  readonly actions: number;
  readonly actionsPerDay: number;
  /** Time that was scored. */
  readonly minutes: number;
}

/** At least one replica: nobody is served by none. */
export function demanded(load: number, capacity: number): number {
  return Math.max(1, Math.ceil(load / capacity));
}

/** Sums up one stretch of time after the other. */
export class ElasticityMeter {
  #minutes = 0;
  #under = 0;
  #over = 0;
  #short = 0;
  #shortShare = 0;
  #overShare = 0;
  #ordered = 0;
  #actions = 0;
  #lastOrdered: number | undefined;

  /** `minutes` during which `d` replicas were demanded, `s` were ready and `ordered` were paid for. */
  add(d: number, s: number, ordered: number, minutes: number): void {
    this.#minutes += minutes;
    if (s < d) {
      this.#under += minutes;
      this.#short += (d - s) * minutes;
      this.#shortShare += ((d - s) / d) * minutes;
    } else if (s > d) {
      this.#over += minutes;
      this.#overShare += ((s - d) / d) * minutes;
    }
    this.#ordered += ordered * minutes;
    this.changeTo(ordered);
  }

  /** Counts a change of the ordered number without a stretch of time (at the end, or where the load is unknown). */
  changeTo(ordered: number): void {
    if (this.#lastOrdered !== undefined && ordered !== this.#lastOrdered) this.#actions += 1;
    this.#lastOrdered = ordered;
  }

  result(): Elasticity {
    const total = this.#minutes;
    const percent = (part: number): number => (total === 0 ? 0 : (100 * part) / total);
    return {
      thetaU: percent(this.#shortShare),
      thetaO: percent(this.#overShare),
      tauU: percent(this.#under),
      tauO: percent(this.#over),
      underProvisionedMinutes: this.#under,
      replicaMinutesShort: this.#short,
      replicaHours: this.#ordered / 60,
      actions: this.#actions,
      actionsPerDay: total === 0 ? 0 : (this.#actions * 1440) / total,
      minutes: total,
    };
  }
}

export interface Tick {
  readonly atMs: number;
  readonly load: number;
  readonly ready: number;
  /** Replicas ordered (spec). */
  readonly ordered: number;
}

/** @param ticks in order; a tick holds until the next one, the last one not at all. */
export function elasticityOf(ticks: readonly Tick[], capacity: number): Elasticity {
  const meter = new ElasticityMeter();
  for (const [i, { atMs, load, ready, ordered }] of ticks.entries()) {
    const next = ticks[i + 1];
    if (next === undefined) meter.changeTo(ordered);
    else meter.add(demanded(load, capacity), ready, ordered, (next.atMs - atMs) / 60_000);
  }
  return meter.result();
}

/** No factor of eps may grow beyond all bounds because one of the two was nearly perfect. Per cent. */
const EPS_FLOOR = 0.01;

/**
 * Elastic speed-up of `own` against `baseline`: the geometric mean of the four ratios baseline / own, each number
 * floored at 0.01 %. Above 1 is better than the baseline.
 */
export function elasticSpeedUp(own: Elasticity, baseline: Elasticity): number {
  const ratio = (of: (e: Elasticity) => number): number =>
    Math.max(of(baseline), EPS_FLOOR) / Math.max(of(own), EPS_FLOOR);
  const product =
    ratio((e) => e.thetaU) * ratio((e) => e.thetaO) * ratio((e) => e.tauU) * ratio((e) => e.tauO);
  return product ** 0.25;
}
