/**
 * The judge at work on two versions while they run: takes in what both forecast for each series, waits until the loads
 * are known, and hands them to the judge as steps over all series. Series may have different cadences and lead times,
 * so leads are times here: a series takes part in every lead that its own step divides.
 */
import type { QuantileForecast } from '../forecast/types.ts';
import { GUARD_DEFAULTS, type GuardState, RateGuard } from './guard.ts';
import { JUDGE_DEFAULTS, Judge, type JudgeState, type Verdict } from './judge.ts';
import { type IssuedForecast, Ledger } from './ledger.ts';

/** What both versions said of one series at one step. */
export interface Round {
  readonly series: string;
  readonly stepMs: number;
  /** End of the series' lead window after the forecast's origin; what lies beyond the forecast's end is its end. */
  readonly leadMs: number;
  /** Undefined: it was asked and had no sound answer. */
  readonly candidate: QuantileForecast | undefined;
  readonly baseline: QuantileForecast | undefined;
}

export interface DeskOptions {
  readonly margin: number;
  readonly minLabels: number;
  /** Load of a series' step by its start, in the load's unit; NaN = unknown. */
  readonly read: (series: string, startMs: number, stepMs: number) => number;
  readonly mostWaiting?: number;
}

/** The leads that are judged, fixed when the first labels are due: what was bet on cannot be chosen later. */
interface Leads {
  /** The shortest step. */
  readonly baseMs: number;
  readonly leadsMs: readonly number[];
}

export interface DeskState {
  readonly leads: Leads;
  readonly judge: JudgeState;
  readonly answers: GuardState;
}

/** Forecasts whose loads are not known yet. */
export interface WaitingForecasts {
  /** Step of each series, ms. */
  readonly steps: readonly (readonly [series: string, stepMs: number])[];
  readonly forecasts: readonly IssuedForecast[];
}

export interface DeskVerdict extends Omit<Verdict, 'reason'> {
  /** A verdict's reasons, and `CanaryFails`: it fails to answer where the other one answers. */
  readonly reason: string;
  /** Forecasts whose load is not known yet. */
  readonly waiting: number;
}

/** Two versions, two leads: room for ten thousand series that wait for minutes. */
const MOST_WAITING = 100_000;
/** Rounds that wait for the leads to be fixed. */
const MOST_EARLY = 2_000;
const CANDIDATE = 1;
const BASELINE = 0;
/** A late sample is waited for this long after its step, or for one step where that is longer. */
const GRACE_MS = 60_000;

export class Desk {
  readonly #options: DeskOptions;
  readonly #ledger: Ledger;
  readonly #answers: RateGuard;
  readonly #steps = new Map<string, number>();
  #early: Round[] = [];
  #revision = 0;
  #opened: (Leads & { readonly judge: Judge }) | undefined;

  /**
   * @param state of a desk for the same two versions and the same options
   * @param waiting of the same desk at the same moment: one that was scored already would count twice
   */
  constructor(options: DeskOptions, state?: DeskState, waiting?: WaitingForecasts) {
    this.#options = options;
    this.#ledger = new Ledger(options.mostWaiting ?? MOST_WAITING, waiting?.forecasts);
    for (const [series, stepMs] of waiting?.steps ?? []) this.#steps.set(series, stepMs);
    this.#answers = new RateGuard(GUARD_DEFAULTS, state?.answers);
    if (state !== undefined) this.#opened = this.#open(state.leads, state.judge);
  }

  note(round: Round): void {
    this.#revision++;
    const failures = (forecast: QuantileForecast | undefined) => ({
      requests: 1,
      failures: forecast === undefined ? 1 : 0,
    });
    this.#answers.take(failures(round.baseline), failures(round.candidate));
    this.#steps.set(round.series, round.stepMs);
    if (this.#opened !== undefined) this.#issue(round, this.#opened);
    else if (this.#early.length < MOST_EARLY) this.#early.push(round);
  }

  /** Takes in the loads that are known by now. */
  settle(nowMs: number): void {
    this.#opened ??= this.#openAt(nowMs);
    const opened = this.#opened;
    if (opened === undefined) return;
    const { judge, baseMs } = opened;
    const grace = Math.max(baseMs, GRACE_MS);
    for (const endMs of this.#ledger.due(nowMs - grace)) {
      this.#revision++;
      const loadOf = (series: string): number => {
        const stepMs = this.#steps.get(series) ?? baseMs;
        return this.#options.read(series, endMs - stepMs, stepMs);
      };
      for (const { lead, pairs } of this.#ledger.label(endMs, loadOf, {
        stable: BASELINE,
        canary: CANDIDATE,
      }))
        judge.take(Math.round(endMs / baseMs), Math.round(lead / baseMs), pairs);
    }
  }

  /** Undefined before the first loads were due. */
  verdict(): DeskVerdict | undefined {
    if (this.#opened === undefined) return undefined;
    const verdict = { ...this.#opened.judge.verdict(), waiting: this.#ledger.waiting };
    // One that answers nothing where it is hard would be scored on what is easy.
    return this.#answers.breached ? { ...verdict, verdict: 'Rollback', reason: 'CanaryFails' } : verdict;
  }

  /** Whether there is a verdict and a state; once true it stays true. */
  get opened(): boolean {
    return this.#opened !== undefined;
  }

  /** For a checkpoint; what waits for its load is `waiting`. */
  get state(): DeskState | undefined {
    if (this.#opened === undefined) return undefined;
    const { baseMs, leadsMs, judge } = this.#opened;
    return { leads: { baseMs, leadsMs }, judge: judge.state, answers: this.#answers.state };
  }

  /** Grows with everything that is taken in. */
  get revision(): number {
    return this.#revision;
  }

  get waiting(): WaitingForecasts {
    return { steps: [...this.#steps], forecasts: [...this.#ledger] };
  }

  #openAt(nowMs: number): (Leads & { readonly judge: Judge }) | undefined {
    const due = this.#early.some(({ stepMs, candidate, baseline }) => {
      const originMs = (candidate ?? baseline)?.originMs;
      return originMs !== undefined && originMs + 2 * stepMs <= nowMs;
    });
    if (!due) return undefined;
    const series = new Map(this.#early.map((round) => [round.series, round]));
    const opened = this.#open(leadsOf([...series.values()]));
    for (const round of this.#early) this.#issue(round, opened);
    this.#early = [];
    return opened;
  }

  #open(leads: Leads, state?: JudgeState): Leads & { readonly judge: Judge } {
    const { margin, minLabels } = this.#options;
    const steps = leads.leadsMs.map((leadMs) => Math.round(leadMs / leads.baseMs));
    return { ...leads, judge: new Judge({ ...JUDGE_DEFAULTS, margin, minLabels, leads: steps }, state) };
  }

  #issue({ series, stepMs, candidate, baseline }: Round, { leadsMs }: Leads): void {
    if (candidate === undefined || baseline === undefined) return;
    for (const leadMs of leadsMs) {
      if (leadMs % stepMs !== 0) continue;
      const ahead = leadMs / stepMs;
      if (ahead > Math.min(candidate.horizon, baseline.horizon)) continue;
      this.#ledger.issue(issuedOf(series, candidate, CANDIDATE, ahead));
      this.#ledger.issue(issuedOf(series, baseline, BASELINE, ahead));
    }
  }
}

/** One step and the middle lead window, in whole steps of the middle series. @param series one round of each */
function leadsOf(series: readonly Round[]): Leads {
  const baseMs = Math.min(...series.map(({ stepMs }) => stepMs));
  const stepMs = medianOf(series.map((round) => round.stepMs));
  const leadMs = Math.ceil(medianOf(series.map(reachOf)) / stepMs) * stepMs;
  return { baseMs, leadsMs: leadMs > baseMs ? [baseMs, leadMs] : [baseMs] };
}

/** From the first step on and no further than both versions forecast: a lead without forecasts would never be answered. */
function reachOf({ stepMs, leadMs, candidate, baseline }: Round): number {
  const horizon = Math.min(candidate?.horizon ?? Infinity, baseline?.horizon ?? Infinity);
  return Math.min(Math.max(leadMs, stepMs), horizon * stepMs);
}

/** The lower one of two in the middle, so that it is one of them. */
function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

function issuedOf(
  series: string,
  forecast: QuantileForecast,
  version: number,
  ahead: number,
): IssuedForecast {
  const { originMs, stepMs, levels, model } = forecast;
  return {
    series,
    targetMs: originMs + (ahead + 1) * stepMs,
    lead: ahead * stepMs,
    version,
    digest: model.digest,
    levels,
    // A copy of its row alone: the whole forecast is some sixty times as large.
    values: forecast.values.slice((ahead - 1) * levels.length, ahead * levels.length),
  };
}
