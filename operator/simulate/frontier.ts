/**
 * The frontier: ours against HPA with its target tuned in hindsight, at equal tau_U.
 *
 * HPA at 70 % is one point on its curve, so beating it may only mean standing elsewhere on the same curve. The fair
 * question is: at the same share of time short, who is cheaper? Both policies are swept, HPA by its target, ours
 * (objective Efficiency) by its coverage, and the lower envelopes of replica-hours over tau_U (envelope.ts) are
 * compared at tau_U of 0.1, 0.5 and 1 %.
 *
 * Rules, and why:
 * - Around each mark the sweep is halved twice more between the two settings that enclose it, for both policies alike:
 *   tuned in hindsight means tuned, not taken from a coarse grid.
 * - A mark that HPA cannot reach at any target has no ratio and is counted, not scored: dividing by nothing is no win.
 *   A mark that ours cannot reach has no ratio either and is counted apart: that one is a loss.
 * - Where HPA's cheapest target is still short for less than the mark, both are compared at HPA's tau_U. A target above
 *   0.95 might have been cheaper yet, and HPA is not to pay for a sweep that ended. Where our own sweep ends first, our
 *   cheapest run counts as it is: it keeps more than the mark asks for, at our expense.
 * - The coverage was tuned by the sweep as well. So the default coverage, untouched, is compared with HPA tuned to the
 *   tau_U that it realised.
 * - Means over traces are geometric: a ratio of 2 and one of 0.5 cancel.
 */

import { around, costAt, type Envelope, loosest, lowerEnvelope, type SweepPoint } from './envelope.ts';
import type {
  DefaultCoverageAggregate,
  DefaultCoverageCell,
  FrontierAggregate,
  FrontierCell,
  FrontierSweep,
} from './report-types.ts';

/** tau_U at which the two are compared, per cent. */
export const FRONTIER_MARKS = [0.1, 0.5, 1] as const;

export const HPA_TARGETS: readonly number[] = Array.from({ length: 16 }, (_, i) => (20 + 5 * i) / 100);

/** Closer together towards 1, where a little coverage costs much. */
export const COVERAGES: readonly number[] = [
  0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
];

const HALVINGS = 2;

export type SweptPolicy = 'hpa' | 'foresail';

/** @param parameter target of `hpa`, coverage of `foresail`; @returns tau_U in per cent of the scored time. */
export type SweepRun = (
  policy: SweptPolicy,
  parameter: number,
) => { readonly tauU: number; readonly replicaHours: number };

export interface SweepSubject {
  readonly trace: string;
  readonly startUpSeconds: number;
  /** Steps that are scored. */
  readonly steps: number;
  readonly defaultCoverage: number;
}

/** Runs both policies over their settings on one trace at one start-up time. */
export function sweep(
  { trace, startUpSeconds, steps, defaultCoverage }: SweepSubject,
  run: SweepRun,
): FrontierSweep {
  const at =
    (policy: SweptPolicy) =>
    (parameter: number): SweepPoint => ({ parameter, ...only(run(policy, parameter)) });
  const untouched = at('foresail')(defaultCoverage);
  const coverages = COVERAGES.filter((coverage) => coverage !== defaultCoverage);
  const ours = [untouched, ...coverages.map(at('foresail'))];
  const hpa = HPA_TARGETS.map(at('hpa'));
  const middle = (a: number, b: number) => (a + b) / 2;
  // Coverage is halved in the logarithm of what may be missed.
  const middleCoverage = (a: number, b: number) => 1 - Math.sqrt((1 - a) * (1 - b));
  return {
    trace,
    startUpSeconds,
    steps,
    untouched,
    ours: refined(ours, steps, FRONTIER_MARKS, middleCoverage, at('foresail')),
    hpa: refined(hpa, steps, [...FRONTIER_MARKS, untouched.tauU], middle, at('hpa')),
  };
}

/** Ours against tuned HPA at each mark. */
export function frontierCells(swept: FrontierSweep): FrontierCell[] {
  const [hpa, ours] = [lowerEnvelope(swept.hpa, swept.steps), lowerEnvelope(swept.ours, swept.steps)];
  return FRONTIER_MARKS.map((tauU) => {
    const comparedAtTauU = Math.min(tauU, loosest(hpa));
    return {
      trace: swept.trace,
      startUpSeconds: swept.startUpSeconds,
      tauU,
      comparedAtTauU,
      ...compared(costAt(ours, comparedAtTauU), costAt(hpa, comparedAtTauU)),
    };
  });
}

export function defaultCoverageCell({
  trace,
  startUpSeconds,
  steps,
  untouched,
  hpa,
}: FrontierSweep): DefaultCoverageCell {
  const { parameter: coverage, tauU, replicaHours } = untouched;
  const tuned = lowerEnvelope(hpa, steps);
  const hpaHours = isBeyond(tuned, tauU) ? null : costAt(tuned, tauU);
  return {
    trace,
    startUpSeconds,
    coverage,
    tauU,
    replicaHours,
    hpaReplicaHoursAtSameTauU: hpaHours,
    ratio: compared(replicaHours, hpaHours).ratio,
  };
}

/** One line per start-up time and mark, in the order in which they came. */
export function frontierAggregate(cells: readonly FrontierCell[]): FrontierAggregate[] {
  return grouped(cells, ({ startUpSeconds, tauU }) => `${startUpSeconds} ${tauU}`).map((group) => ({
    startUpSeconds: group[0].startUpSeconds,
    tauU: group[0].tauU,
    ...overTraces(group),
    hpaUnreachable: group.filter((cell) => cell.hpaReplicaHoursAtSameTauU === null).length,
    oursUnreachable: group.filter(
      (cell) => cell.replicaHours === null && cell.hpaReplicaHoursAtSameTauU !== null,
    ).length,
  }));
}

export function defaultCoverageAggregate(sweeps: readonly FrontierSweep[]): DefaultCoverageAggregate[] {
  return grouped(sweeps, ({ startUpSeconds }) => String(startUpSeconds)).map((group) => {
    const missing = group.filter((swept) => defaultCoverageCell(swept).hpaReplicaHoursAtSameTauU === null);
    const never = missing.filter(({ hpa, steps, untouched }) =>
      isBeyond(lowerEnvelope(hpa, steps), untouched.tauU),
    );
    return {
      startUpSeconds: group[0].startUpSeconds,
      coverage: group[0].untouched.parameter,
      ...overTraces(group.map(defaultCoverageCell)),
      hpaUnreachable: missing.length - never.length,
      hpaNeverAsShort: never.length,
    };
  });
}

/** Half a step of tau_U is no difference that a run can show. */
function isBeyond(hpa: Envelope, tauU: number): boolean {
  return tauU > loosest(hpa) + hpa.floor;
}

function compared(replicaHours: number | null, hpaReplicaHoursAtSameTauU: number | null) {
  const ratio =
    replicaHours === null || hpaReplicaHoursAtSameTauU === null || hpaReplicaHoursAtSameTauU === 0
      ? null
      : replicaHours / hpaReplicaHoursAtSameTauU;
  return { replicaHours, hpaReplicaHoursAtSameTauU, ratio };
}

function overTraces(cells: readonly { readonly trace: string; readonly ratio: number | null }[]) {
  const rated = cells.flatMap(({ trace, ratio }) => (ratio === null ? [] : [{ trace, ratio }]));
  const worst = rated.toSorted((a, b) => b.ratio - a.ratio)[0];
  return {
    ratio: geometricMean(rated.map(({ ratio }) => ratio)),
    worstTrace: worst?.trace ?? null,
    worstRatio: worst?.ratio ?? null,
    traces: rated.length,
  };
}

/** Null of nothing. */
export function geometricMean(ratios: readonly number[]): number | null {
  if (ratios.length === 0) return null;
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

function refined(
  coarse: readonly SweepPoint[],
  steps: number,
  marks: readonly number[],
  middle: (a: number, b: number) => number,
  at: (parameter: number) => SweepPoint,
): readonly SweepPoint[] {
  const runs = [...coarse];
  for (let round = 0; round < HALVINGS; round += 1)
    for (const mark of marks) {
      const [tighter, looser] = around(lowerEnvelope(runs, steps), mark);
      if (tighter === undefined || looser === undefined) continue;
      const parameter = rounded(middle(tighter.parameter, looser.parameter));
      if (runs.every((known) => known.parameter !== parameter)) runs.push(at(parameter));
    }
  return runs.toSorted((a, b) => a.parameter - b.parameter);
}

/** As a person would write it. */
function rounded(parameter: number): number {
  return Math.round(parameter * 1e5) / 1e5;
}

/** A run may bring more along than belongs in the report. */
function only({ tauU, replicaHours }: ReturnType<SweepRun>) {
  return { tauU, replicaHours };
}

function grouped<T>(items: readonly T[], key: (item: T) => string): [T, ...T[]][] {
  return [...Map.groupBy(items, key).values()].flatMap(([first, ...rest]): [T, ...T[]][] =>
    first === undefined ? [] : [[first, ...rest]],
  );
}
