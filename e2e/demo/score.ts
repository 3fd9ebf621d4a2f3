/**
 * Decision metrics of the demo, after the SPEC elasticity metrics (Herbst et al., arXiv 1604.03470): d is the number
 * of replicas demanded, ceil(load / capacity of one), s the number of replicas that are ready.
 */

export interface Tick {
  /** Load time, milliseconds. */
  readonly atMs: number;
  readonly load: number;
  readonly ready: number;
  /** Replicas ordered (spec). */
  readonly ordered: number;
}

export interface Score {
  /** Minutes of load time with fewer ready replicas than demanded. */
  readonly underProvisionedMinutes: number;
  /** Missing replicas summed over those minutes. */
  readonly replicaMinutesShort: number;
  /** Ready or not, what was ordered costs. */
  readonly replicaHours: number;
  /** Per cent of the time, and mean relative shortage in per cent. */
  readonly tauU: number;
  readonly thetaU: number;
  readonly tauO: number;
  readonly thetaO: number;
  readonly scalings: number;
}

export function demanded(load: number, capacity: number): number {
  return Math.max(1, Math.ceil(load / capacity));
}

/** @param ticks in order; a tick holds until the next one, the last one not at all. */
export function score(ticks: readonly Tick[], capacity: number): Score {
  let total = 0;
  const sums = { under: 0, over: 0, short: 0, shortShare: 0, overShare: 0, ordered: 0 };
  let scalings = 0;
  for (const [i, tick] of ticks.entries()) {
    const next = ticks[i + 1];
    if (next === undefined) break;
    const minutes = (next.atMs - tick.atMs) / 60_000;
    const d = demanded(tick.load, capacity);
    const short = Math.max(d - tick.ready, 0);
    const over = Math.max(tick.ready - d, 0);
    total += minutes;
    if (short > 0) sums.under += minutes;
    if (over > 0) sums.over += minutes;
    sums.short += short * minutes;
    sums.shortShare += (short / d) * minutes;
    sums.overShare += (over / d) * minutes;
    sums.ordered += tick.ordered * minutes;
    if (next.ordered !== tick.ordered) scalings += 1;
  }
  const percent = (part: number) => (total === 0 ? 0 : (100 * part) / total);
  return {
    underProvisionedMinutes: sums.under,
    replicaMinutesShort: sums.short,
    replicaHours: sums.ordered / 60,
    tauU: percent(sums.under),
    thetaU: percent(sums.shortShare),
    tauO: percent(sums.over),
    thetaO: percent(sums.overShare),
    scalings,
  };
}
