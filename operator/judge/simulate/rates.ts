/** How often each judge is wrong: many rollouts of versions whose quality is known, each over another stretch of load. */
import { type Random, seededRandom } from '../../simulate/generated.ts';
import { Judge, type JudgeOptions } from '../judge.ts';
import { type PairedLoss, Pool } from '../pool.ts';
import { type Losses, mannWhitney, threshold } from './rivals.ts';
import { DEFECTS, type Flaw, flawOf, lossesOf, type SeriesForecasts } from './versions.ts';

export const JUDGES = ['foresail', 'mann-whitney', 'threshold'] as const;
export type JudgeName = (typeof JUDGES)[number];

export interface RatePlan {
  readonly lead: number;
  /** Series per rollout. */
  readonly series: number;
  /** 0: canary is as good as stable. */
  readonly delta: number;
  readonly runs: number;
  /** Steps of a rollout. */
  readonly steps: number;
  readonly stepMs: number;
  readonly seed: number;
}

export interface JudgeRate {
  readonly judge: JudgeName;
  readonly lead: number;
  readonly series: number;
  readonly delta: number;
  readonly runs: number;
  /** Share of rollouts that were rolled back: wrongly where delta is 0. */
  readonly falseRollback?: number;
  readonly caught?: number;
  /** One-sided 95 % bound: upper of falseRollback, lower of caught. */
  readonly upper95?: number;
  readonly lower95?: number;
  /** Until the rollback, of those that were; null of none. */
  readonly medianHours: number | null;
  /** Share that was promoted; only our judge promotes. */
  readonly promoted?: number;
  readonly medianHoursToPromotion?: number | null;
}

interface Outcome {
  readonly rolledBack: Readonly<Record<JudgeName, number | undefined>>;
  readonly promoted: number | undefined;
}

export interface Flawed {
  readonly series: SeriesForecasts;
  /** One per defect that can be made as bad as asked. */
  readonly flaws: readonly Flaw[];
}

const NONE: Flaw = { defect: 'noisy', weight: 0 };

/** How to make versions of these series that are worse by `delta`; it takes longer than many rollouts. */
export function flawedBy(delta: number, all: readonly SeriesForecasts[]): Flawed[] {
  return all.map((series) => ({
    series,
    flaws:
      delta === 0
        ? [NONE]
        : DEFECTS.map((defect) => flawOf(series, defect, delta)).filter((flaw) => flaw !== undefined),
  }));
}

/**
 * @param all series to draw from, forecast `plan.lead` steps ahead and flawed by `plan.delta`
 * @param options of our judge, but the leads
 */
export function ratesOf(
  all: readonly Flawed[],
  plan: RatePlan,
  options: Omit<JudgeOptions, 'leads'>,
  done: (runs: number) => void = () => undefined,
): JudgeRate[] {
  const random = seededRandom(plan.seed);
  const outcomes: Outcome[] = [];
  for (let run = 0; run < plan.runs; run++) {
    outcomes.push(rollout(all, plan, options, random, run));
    done(run + 1);
  }
  return JUDGES.map((judge) => rateOf(judge, plan, outcomes));
}

function rollout(
  all: readonly Flawed[],
  { lead, series: count, steps }: RatePlan,
  options: Omit<JudgeOptions, 'leads'>,
  random: Random,
  run: number,
): Outcome {
  const stretches = drawn(all, count, random).map(({ series, flaws }) => {
    const from = Math.floor(random() * Math.max(series.truth.length - steps, 1));
    const stretch = { from, to: from + steps };
    return {
      name: series.name,
      stable: lossesOf(series, stretch, NONE, random),
      canary: lossesOf(series, stretch, flaws[run % flaws.length] ?? NONE, random),
    };
  });
  const judge = new Judge({ ...options, leads: [lead] });
  const pool = new Pool();
  const pooled: Losses = {
    stable: new Float64Array(steps).fill(Number.NaN),
    canary: new Float64Array(steps).fill(Number.NaN),
  };
  let rolledBack: number | undefined;
  let promoted: number | undefined;
  for (let t = 0; t < steps; t++) {
    const pairs: PairedLoss[] = stretches.map(({ name, stable, canary }) => ({
      series: name,
      stable: stable[t] ?? Number.NaN,
      canary: canary[t] ?? Number.NaN,
    }));
    const step = pool.take(pairs);
    if (step !== undefined) {
      pooled.stable[t] = step.stable;
      pooled.canary[t] = step.stable + step.difference;
    }
    if (rolledBack !== undefined || promoted !== undefined) continue;
    judge.take(t, lead, pairs);
    const { verdict } = judge.verdict();
    if (verdict === 'Rollback') rolledBack = t + 1;
    if (verdict === 'Promote') promoted = t + 1;
  }
  return {
    rolledBack: { foresail: rolledBack, 'mann-whitney': mannWhitney(pooled), threshold: threshold(pooled) },
    promoted,
  };
}

/** Different ones as long as there are any. */
function drawn<T>(all: readonly T[], count: number, random: Random): T[] {
  const left = [...all];
  const out: T[] = [];
  while (out.length < count && left.length > 0)
    out.push(...left.splice(Math.floor(random() * left.length), 1));
  return out;
}

function rateOf(judge: JudgeName, plan: RatePlan, outcomes: readonly Outcome[]): JudgeRate {
  const { lead, series, delta, runs, stepMs } = plan;
  const hours = (steps: readonly (number | undefined)[]): number | null => {
    const ended = steps.filter((step) => step !== undefined).sort((a, b) => a - b);
    const middle = ended[Math.floor(ended.length / 2)];
    return middle === undefined ? null : (middle * stepMs) / 3_600_000;
  };
  const ends = outcomes.map(({ rolledBack }) => rolledBack[judge]);
  const count = ends.filter((end) => end !== undefined).length;
  const promotions = outcomes.map(({ promoted }) => promoted);
  return {
    judge,
    lead,
    series,
    delta,
    runs,
    ...(delta === 0
      ? { falseRollback: count / runs, upper95: upperBound(count, runs) }
      : { caught: count / runs, lower95: 1 - upperBound(runs - count, runs) }),
    medianHours: hours(ends),
    ...(judge === 'foresail'
      ? {
          promoted: promotions.filter((end) => end !== undefined).length / runs,
          medianHoursToPromotion: hours(promotions),
        }
      : {}),
  };
}

/** Exact upper 95 % bound of a rate seen `count` times in `runs` (Clopper & Pearson 1934). */
export function upperBound(count: number, runs: number): number {
  if (count >= runs) return 1;
  let low = count / runs;
  let high = 1;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (atMost(count, runs, middle) > 0.05) low = middle;
    else high = middle;
  }
  return high;
}

/** Chance of `count` or fewer in `runs` at a rate of `p`. */
function atMost(count: number, runs: number, p: number): number {
  let term = runs * Math.log1p(-p);
  let sum = Math.exp(term);
  for (let k = 1; k <= count; k++) {
    term += Math.log(((runs - k + 1) / k) * (p / (1 - p)));
    sum += Math.exp(term);
  }
  return sum;
}
