/**
 * What a level of service costs: from the runs of one policy at several settings to replica-hours over tau_U.
 *
 * Rules, and why:
 * - Lower envelope. A run that is dearer than another and short at least as long is one that nobody would choose, so
 *   it is dropped. What is left falls strictly with tau_U, also where the sweep itself was not monotone (HPA's
 *   tolerance, rounding and the five minutes of its window make it jagged).
 * - Straight lines in log tau_U. A target a little lower cuts the time short by a factor, not by an amount.
 * - tau_U of 0 has no logarithm, and a run of n steps cannot see less than 1/n: 0 is drawn at half a step.
 * - Nothing is drawn beyond the sweep. Tighter than the tightest run is `null`: no setting reaches it. Looser than the
 *   cheapest run costs what that run costs: it keeps the looser promise too.
 */
import { ForesailError } from '../errors.ts';

export interface SweepPoint {
  /** Target of HPA (0 to 1) or asked coverage (0 to 1). */
  readonly parameter: number;
  /** Per cent of the scored time with fewer replicas ready than demanded. */
  readonly tauU: number;
  readonly replicaHours: number;
}

export interface Envelope {
  /** From the tightest to the cheapest: tau_U rises, replica-hours fall, both strictly; never empty. */
  readonly points: readonly SweepPoint[];
  /** Where a tau_U of 0 stands, per cent. */
  readonly floor: number;
}

/** @param steps how many steps were scored: sets where a tau_U of 0 stands. */
export function lowerEnvelope(runs: readonly SweepPoint[], steps: number): Envelope {
  if (runs.length === 0 || !(steps >= 1))
    throw new ForesailError(
      'FRONTIER_INVALID',
      'terminal',
      'a sweep needs one run and one scored step at least',
    );
  for (const { parameter, tauU, replicaHours } of runs)
    if (!(tauU >= 0 && tauU <= 100 && replicaHours >= 0 && Number.isFinite(replicaHours)))
      throw new ForesailError(
        'FRONTIER_INVALID',
        'terminal',
        `the run at ${parameter} gave tau_U ${tauU} % and ${replicaHours} replica-hours`,
      );
  const points: SweepPoint[] = [];
  const tightestFirst = runs.toSorted((a, b) => a.tauU - b.tauU || a.replicaHours - b.replicaHours);
  for (const run of tightestFirst)
    if (run.replicaHours < (points.at(-1)?.replicaHours ?? Number.POSITIVE_INFINITY)) points.push(run);
  return { points, floor: 50 / steps };
}

/** Replica-hours that hold tau_U (per cent) or less; null where no setting does. */
export function costAt(envelope: Envelope, tauU: number): number | null {
  const [tighter, looser] = around(envelope, tauU);
  if (tighter === undefined) return null;
  if (looser === undefined) return tighter.replicaHours;
  const [from, to] = [height(envelope, tighter.tauU), height(envelope, looser.tauU)];
  // Two runs below half a step stand at the same place; the first one is certain.
  const share = to > from ? (height(envelope, tauU) - from) / (to - from) : 0;
  return tighter.replicaHours + share * (looser.replicaHours - tighter.replicaHours);
}

/** The runs next to a tau_U: at most as short, and shorter. */
export function around(
  { points }: Envelope,
  tauU: number,
): readonly [tighter: SweepPoint | undefined, looser: SweepPoint | undefined] {
  const looser = points.findIndex((point) => point.tauU > tauU);
  return looser === -1 ? [points.at(-1), undefined] : [points[looser - 1], points[looser]];
}

/** The tau_U of the cheapest run, per cent: up to here the curve says something of its own. */
export function loosest({ points }: Envelope): number {
  return points.at(-1)?.tauU ?? 0;
}

function height({ floor }: Envelope, tauU: number): number {
  return Math.log(Math.max(tauU, floor));
}
