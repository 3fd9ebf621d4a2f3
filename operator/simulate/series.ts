/**
 * From every step of a simulation to the few hundred points that a chart can show. Two views: the whole scored time,
 * and as a close-up the hours in which we and HPA differ most, whoever was better there.
 *
 * A point is the mean over its time, but its minutes short are counted on the full steps: a mean shows no shortage of a
 * minute, and a peak of demand against a low of replicas would show shortages that never were.
 */
import type { BacktestSeries, ObjectiveName, PolicyName } from './report-types.ts';

/** One simulated trace over its scored time; each list has one entry per step of the simulator. */
export interface ScoredSteps {
  readonly trace: string;
  readonly startUpSeconds: number;
  readonly objective: ObjectiveName;
  readonly capacity: number;
  readonly startMs: number;
  readonly stepMs: number;
  readonly load: ArrayLike<number>;
  readonly demanded: ArrayLike<number>;
  /** Forecast for this step, as made one lead time before; NaN where there was none. */
  readonly median: ArrayLike<number>;
  readonly upper: ArrayLike<number>;
  readonly ready: Readonly<Partial<Record<PolicyName, ArrayLike<number>>>>;
}

const CLOSE_UP_MS = 8 * 3_600_000;
const MOST_POINTS = { whole: 720, closeUp: 1920 } as const;

/** The whole, then the close-up; a scored time that is no longer than a close-up has only the whole. */
export function drawnSeries(steps: ScoredSteps): BacktestSeries[] {
  const all = steps.load.length;
  const close = Math.round(CLOSE_UP_MS / steps.stepMs);
  if (all === 0) return [];
  if (all <= close) return [thinned(steps, 'whole', 0, all, MOST_POINTS.closeUp)];
  const from = whereTheyDiffer(steps, close);
  return [
    thinned(steps, 'whole', 0, all, MOST_POINTS.whole),
    thinned(steps, 'closeUp', from, from + close, MOST_POINTS.closeUp),
  ];
}

/** First step of the window in which minutes short differ most; without any difference, of the one with the peak. */
function whereTheyDiffer({ demanded, ready, load }: ScoredSteps, length: number): number {
  const { hpa = [], foresail = [] } = ready;
  const isShort = (by: ArrayLike<number>, i: number) => Number((by[i] ?? Infinity) < (demanded[i] ?? 0));
  let difference = 0;
  let best = { difference: 0, from: -1 };
  let peak = 0;
  for (let i = 0; i < demanded.length; i += 1) {
    difference += isShort(hpa, i) - isShort(foresail, i);
    const out = i - length;
    if (out >= 0) difference -= isShort(hpa, out) - isShort(foresail, out);
    if (out >= -1 && Math.abs(difference) > Math.abs(best.difference)) best = { difference, from: out + 1 };
    if ((load[i] ?? 0) > (load[peak] ?? 0)) peak = i;
  }
  const from = best.from === -1 ? peak - Math.floor(length / 2) : best.from;
  return Math.max(0, Math.min(from, demanded.length - length));
}

function thinned(
  steps: ScoredSteps,
  view: BacktestSeries['view'],
  from: number,
  to: number,
  mostPoints: number,
): BacktestSeries {
  const { trace, startUpSeconds, objective, capacity, startMs, stepMs, demanded } = steps;
  const per = Math.max(1, Math.ceil((to - from) / mostPoints));
  const starts = Array.from({ length: Math.ceil((to - from) / per) }, (_, i) => from + i * per);
  const each = (of: (start: number, end: number) => number) =>
    starts.map((start) => of(start, Math.min(start + per, to)));
  const byPolicy = (of: (ready: ArrayLike<number>) => number[]) =>
    Object.fromEntries(Object.entries(steps.ready).map(([policy, ready]) => [policy, of(ready)]));
  return {
    trace,
    startUpSeconds,
    objective,
    capacity,
    view,
    pointSeconds: (per * stepMs) / 1000,
    atMs: starts.map((start) => startMs + start * stepMs),
    load: each((start, end) => meanOf(steps.load, start, end)),
    demanded: each((start, end) => meanOf(demanded, start, end)),
    median: each((start, end) => meanOf(steps.median, start, end)),
    upper: each((start, end) => meanOf(steps.upper, start, end)),
    replicas: byPolicy((ready) => each((start, end) => meanOf(ready, start, end))),
    shortMinutes: byPolicy((ready) =>
      each((start, end) => {
        let short = 0;
        for (let i = start; i < end; i += 1) if ((ready[i] ?? 0) < (demanded[i] ?? 0)) short += 1;
        return (short * stepMs) / 60_000;
      }),
    ),
  };
}

/** Unknown entries do not count; NaN where all are unknown. */
function meanOf(values: ArrayLike<number>, start: number, end: number): number {
  let sum = 0;
  let known = 0;
  for (let i = start; i < end; i += 1) {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    sum += value;
    known += 1;
  }
  return known === 0 ? Number.NaN : sum / known;
}
