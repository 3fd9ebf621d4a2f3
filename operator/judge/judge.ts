/**
 * Is the canary's forecast worse than stable's, or can it be promoted? Both forecast the same loads, so their losses
 * are compared pair by pair, and two questions are asked of the pooled differences at every step:
 *
 *   worse      canary loses more than stable on average, and by more than the margin as measured -> Rollback
 *   not worse  canary loses less than (1 + margin) x stable    -> Promote
 *
 * Either may be answered at any step without losing its error rate (`EProcess`). While neither is, the verdict is
 * Inconclusive: an unknown, which neither promotes nor rolls back. docs/guides/how-the-judge-decides.md has the rates.
 */
import { ForesailError } from '../errors.ts';
import { EProcess, type EProcessState } from './e-process.ts';
import { EffectInterval, type EffectState, type Interval } from './effect.ts';
import { type PairedLoss, Pool, type SeriesState } from './pool.ts';

export interface JudgeOptions {
  /** Canary may lose this share more than stable and still be promoted, e.g. 0.02. */
  readonly margin: number;
  /** Pairs of losses, over all series and leads, before any promotion. */
  readonly minLabels: number;
  /** Steps ahead that are judged, e.g. 1 and the lead time. */
  readonly leads: readonly number[];
  /** Chance that a canary which is not worse is rolled back, over the whole rollout. */
  readonly rollbackError: number;
  /** Chance that a canary which is worse by more than the margin is promoted. */
  readonly promoteError: number;
}

export const JUDGE_DEFAULTS = {
  margin: 0.02,
  minLabels: 500,
  rollbackError: 0.02,
  promoteError: 0.05,
} as const;

export type VerdictKind = 'Promote' | 'Rollback' | 'Inconclusive';

export interface Verdict {
  readonly verdict: VerdictKind;
  /** For a condition: CanaryWorse, CanaryNotWorse, MoreLabelsNeeded, NotDecided, NoLabels. */
  readonly reason: string;
  readonly labels: number;
  /** E-values: 1 says nothing; from 1/error on the question is answered. */
  readonly eWorse: number;
  readonly eNotWorse: number;
  /** Canary's loss over stable's, less 1; NaN before anything is known. */
  readonly effect: number;
  readonly interval: Interval;
  readonly worstSeries: readonly { readonly series: string; readonly effect: number }[];
}

interface LeadTests {
  readonly lead: number;
  readonly pool: Pool;
  readonly worse: EProcess;
  readonly notWorse: EProcess;
  readonly effect: EffectInterval;
}

export interface LeadState {
  readonly lead: number;
  readonly series: readonly (readonly [string, SeriesState])[];
  readonly worse: EProcessState;
  readonly notWorse: EProcessState;
  readonly effect: EffectState;
}

export interface JudgeState {
  readonly labels: number;
  readonly leads: readonly LeadState[];
}

const WORST = 3;

export class Judge {
  readonly #options: JudgeOptions;
  readonly #tests: readonly LeadTests[];
  #labels: number;

  /**
   * @param state of a judge of the same canary and options, to go on where it stood
   * @throws JUDGE_OPTION_INVALID names the option
   */
  constructor(options: JudgeOptions, state?: JudgeState) {
    check(options);
    this.#options = options;
    this.#labels = state?.labels ?? 0;
    this.#tests = options.leads.map((lead) => {
      const before = state?.leads.find((one) => one.lead === lead);
      return {
        lead,
        pool: new Pool(before?.series),
        worse: new EProcess(lead, before?.worse),
        notWorse: new EProcess(lead, before?.notWorse),
        effect: new EffectInterval(lead, before?.effect),
      };
    });
  }

  /**
   * Takes in all pairs of one time step and lead, once their load is known.
   *
   * @param step number of the time step, in the order of time
   * @param lead one of the options' leads; others are not judged
   */
  take(step: number, lead: number, pairs: readonly PairedLoss[]): void {
    const tests = this.#tests.find((one) => one.lead === lead);
    if (tests === undefined) return;
    this.#labels += pairs.filter(({ stable, canary }) => Number.isFinite(stable + canary)).length;
    const pooled = tests.pool.take(pairs);
    if (pooled === undefined) return;
    tests.worse.take(step, pooled.difference);
    tests.notWorse.take(step, this.#options.margin * pooled.stable - pooled.difference);
    tests.effect.take(pooled);
  }

  verdict(): Verdict {
    const { minLabels, rollbackError, promoteError } = this.#options;
    // Bonferroni: one lead that is worse is enough, and each may err by its share of the error. The mean would not do:
    // evidence is the most that was ever seen, and those of several leads may be of different times.
    const eWorse = Math.max(...this.#tests.map(({ worse }) => worse.evidence)) / this.#tests.length;
    // Promotion needs every lead: one that is worse must not be outvoted.
    const eNotWorse = Math.min(...this.#tests.map(({ notWorse }) => notWorse.evidence));
    const shown = this.#tests.reduce((a, b) => (sizeOf(b.effect) > sizeOf(a.effect) ? b : a));
    const measured = {
      labels: this.#labels,
      eWorse,
      eNotWorse,
      effect: shown.effect.effect,
      interval: shown.effect.interval(rollbackError + promoteError),
      worstSeries: shown.pool.worst(WORST),
    };
    // What loses a thousandth more is worse beyond doubt one day, and was allowed to be.
    const harms = this.#tests.some(
      ({ worse, effect }) =>
        worse.evidence / this.#tests.length >= 1 / rollbackError && effect.effect > this.#options.margin,
    );
    if (harms) return { verdict: 'Rollback', reason: 'CanaryWorse', ...measured };
    if (this.#labels === 0) return { verdict: 'Inconclusive', reason: 'NoLabels', ...measured };
    // Not "<": nothing but a number that is large enough promotes.
    if (!(eNotWorse >= 1 / promoteError))
      return { verdict: 'Inconclusive', reason: 'NotDecided', ...measured };
    if (this.#labels < minLabels) return { verdict: 'Inconclusive', reason: 'MoreLabelsNeeded', ...measured };
    return { verdict: 'Promote', reason: 'CanaryNotWorse', ...measured };
  }

  /** For a checkpoint. */
  get state(): JudgeState {
    return {
      labels: this.#labels,
      leads: this.#tests.map(({ lead, pool, worse, notWorse, effect }) => ({
        lead,
        series: pool.state,
        worse: worse.state,
        notWorse: notWorse.state,
        effect: effect.state,
      })),
    };
  }
}

function check({ margin, minLabels, leads, rollbackError, promoteError }: JudgeOptions): void {
  if (!(margin >= 0 && margin < 1)) throw invalid('margin', `${margin} is not in [0, 1)`);
  if (!(minLabels >= 0)) throw invalid('minLabels', `${minLabels} is negative`);
  if (leads.length === 0 || leads.some((lead) => !Number.isInteger(lead) || lead < 1))
    throw invalid('leads', 'whole numbers of steps from 1 on are needed');
  for (const [name, error] of Object.entries({ rollbackError, promoteError }))
    if (!(error > 0 && error < 1)) throw invalid(name, `${error} is not in (0, 1)`);
}

function invalid(name: string, text: string): ForesailError {
  return new ForesailError('JUDGE_OPTION_INVALID', 'terminal', `${name}: ${text}`, { subject: name });
}

/** Less than any effect while there is none. */
function sizeOf({ effect }: EffectInterval): number {
  return Number.isNaN(effect) ? -1 : Math.abs(effect);
}
