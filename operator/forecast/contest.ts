/**
 * Which forecaster serves a load best, by its own rolling pinball loss on that load. Weights by fixed share (Herbster
 * & Warmuth 1998): each is multiplied by exp(-eta * loss), then a small share of all is dealt out again, so that
 * nobody is ever out of the race and a change of the load is followed in a few steps. An average with these weights is
 * not much worse than the best sequence of forecasters in hindsight, and pinball loss is convex, so the same holds for
 * the average of their quantiles (`blend.ts`). A change of the one that serves costs trust and makes replicas jump, so
 * the leader stays until another one has many times its weight: a bad one does not stay, a lucky one does not win.
 * Weights forget slowly, on purpose; a leader that a new level has struck blind is left at once (`#flee`).
 */
import { Pending } from './pending.ts';
import { forecastQuantile } from './quantiles.ts';
import { pinball } from './scores.ts';
import type { QuantileForecast } from './types.ts';

/** Steps ahead and levels that are compared; the upper levels are what replicas are bought for. */
const STEPS = [1, 4, 16, 64] as const;
const LEVELS = [0.1, 0.5, 0.9, 0.95, 0.99] as const;
/** Part of the weight that the preferred forecaster starts with, and of what is dealt out again. */
const PREFERRED_SHARE = 0.5;
/** The next step's loss, in typical losses, from which on a leader counts as struck blind, if another sees … */
const BLIND = 3;
/** … at most this share of its loss … */
const SEEING = 0.5;
/** … for so many steps on end. */
const BLIND_STEPS = 5;
/** Scaled losses above it say "far off" and no more: one spike must not decide a contest. */
const LOSS_LIMIT = 20;

export interface ContestOptions {
  readonly stepMs: number;
  /** Observations that the rolling losses remember; default 500. */
  readonly memory?: number;
  /** Weight of a step's loss, which is about 1 on average for the best one; default 0.03. */
  readonly eta?: number;
  /** Part of the weights that is dealt out again at each step; default 0.001. */
  readonly share?: number;
  /** A challenger needs this many times the leader's weight; default 20. */
  readonly ratio?: number;
  /** Settled comparisons of an entrant before it may lead; default 120, which is about half an hour of minutes. */
  readonly patience?: number;
}

interface Entrant {
  /** Rolling mean pinball loss per compared step ahead, in the load's unit; NaN before the first. */
  readonly losses: number[];
  /** Comparisons, over all steps ahead. */
  settled: number;
  /** Logarithm of its weight. */
  log: number;
  /** Steps on end at which it foresaw the next step well and the leader did not at all. */
  seeing: number;
  readonly pending: readonly Pending<Float64Array>[];
}

export interface ContestState {
  readonly leader: string;
  /** Absent in what older versions stored. */
  readonly preferred?: string | undefined;
  readonly entrants: readonly {
    readonly id: string;
    readonly loss: number;
    readonly settled: number;
    /** Absent in what older versions stored, as is the next. */
    readonly weight?: number | undefined;
    /** Per compared step ahead. */
    readonly losses?: readonly number[] | undefined;
  }[];
}

const MAX_ENTRANTS = 8;

export class Contest {
  readonly #options: Required<ContestOptions>;
  #preferred: string;
  readonly #entrants = new Map<string, Entrant>();
  #leader: string;
  #entered = Number.NEGATIVE_INFINITY;

  /** @param preferred id of the forecaster that leads until another one has earned it */
  constructor(preferred: string, options: ContestOptions) {
    this.#preferred = preferred;
    this.#leader = preferred;
    this.#options = { memory: 500, eta: 0.03, share: 0.001, ratio: 20, patience: 120, ...options };
  }

  /**
   * Another one is preferred from now on, such as the next version of a model. It takes the place of its predecessor,
   * which speaks no more or begins anew; a leader that has earned its place keeps it.
   */
  prefer(id: string): void {
    if (id === this.#preferred) return;
    const before = this.#entrants.get(this.#preferred);
    this.#entrants.delete(this.#preferred);
    if (this.#leader === this.#preferred) this.#leader = id;
    this.#preferred = id;
    if (before !== undefined && !this.#entrants.has(id)) this.#newEntrant(id, 0, Math.exp(before.log));
    this.#normalise();
  }

  get leader(): string {
    return this.#leader;
  }

  /** Origin of the newest forecast that entered; one per step is enough. */
  get enteredMs(): number {
    return this.#entered;
  }

  /** A forecast of one entrant; all entrants should forecast from the same origins. */
  enter(id: string, forecast: QuantileForecast): void {
    const entrant = this.#entrants.get(id) ?? this.#newEntrant(id, 0);
    if (entrant === undefined) return;
    this.#entered = Math.max(this.#entered, forecast.originMs);
    STEPS.forEach((h, i) => {
      if (h > forecast.horizon) return;
      const quantiles = new Float64Array(LEVELS.length);
      LEVELS.forEach((level, k) => {
        quantiles[k] = forecastQuantile(forecast, h - 1, level);
      });
      entrant.pending[i]?.add(forecast.originMs + h * forecast.stepMs, quantiles);
    });
  }

  /** As Calibration.settle; then the leader may change. */
  settle(upToMs: number, read: (atMs: number) => number): void {
    const rounds = new Map<number, Map<Entrant, number>[]>();
    for (const entrant of this.#entrants.values()) {
      entrant.pending.forEach((pending, i) => {
        for (const { targetMs, payload, value } of pending.settle(upToMs, read)) {
          let round = rounds.get(targetMs);
          if (round === undefined) rounds.set(targetMs, (round = STEPS.map(() => new Map())));
          round[i]?.set(entrant, meanPinball(payload, value));
        }
      });
    }
    if (rounds.size === 0) return;
    for (const targetMs of [...rounds.keys()].sort((a, b) => a - b)) {
      const round = rounds.get(targetMs) ?? [];
      this.#flee(round[0] ?? new Map());
      this.#judge(round);
    }
    this.#elect();
  }

  /** Mean pinball loss per entrant in the load's unit; undefined before the first settled forecast. */
  losses(): ReadonlyMap<string, number> {
    const known = [...this.#entrants].filter(([, entrant]) => entrant.settled > 0);
    return new Map(known.map(([id, entrant]) => [id, meanOf(entrant.losses)]));
  }

  /** Ids by weight, the leader first whatever it weighs. */
  order(): string[] {
    const others = [...this.#entrants].filter(([id]) => id !== this.#leader);
    return [this.#leader, ...others.toSorted(([, a], [, b]) => b.log - a.log).map(([id]) => id)];
  }

  /** Weights of all entrants, together 1. */
  weights(): ReadonlyMap<string, number> {
    return new Map([...this.#entrants].map(([id, entrant]) => [id, Math.exp(entrant.log)]));
  }

  toState(): ContestState {
    return {
      leader: this.#leader,
      preferred: this.#preferred,
      entrants: [...this.#entrants].map(([id, { losses, settled, log }]) => ({
        id,
        loss: meanOf(losses),
        settled,
        weight: Math.min(Math.exp(log), 1),
        losses: losses.map((loss) => (Number.isNaN(loss) ? 0 : loss)),
      })),
    };
  }

  /** @param preferred defaults to that of the state */
  static fromState(
    state: ContestState,
    options: ContestOptions,
    preferred = state.preferred ?? state.leader,
  ): Contest {
    const contest = new Contest(state.preferred ?? preferred, options);
    contest.#leader = state.leader;
    for (const { id, loss, settled, weight, losses } of state.entrants) {
      const entrant = contest.#newEntrant(id, settled, weight);
      if (settled > 0) STEPS.forEach((_, i) => entrant && (entrant.losses[i] = losses?.[i] ?? loss));
    }
    contest.#normalise();
    contest.prefer(preferred);
    return contest;
  }

  #newEntrant(id: string, settled: number, weight?: number): Entrant | undefined {
    if (this.#entrants.size >= MAX_ENTRANTS) return undefined;
    const patienceMs = 10 * this.#options.stepMs;
    const pending = STEPS.map((h) => new Pending<Float64Array>(h + 16, patienceMs));
    const losses = STEPS.map(() => Number.NaN);
    const entrant: Entrant = { losses, settled, log: 0, seeing: 0, pending };
    this.#entrants.set(id, entrant);
    entrant.log = Math.log(Math.max(weight ?? this.#dealt(id), 1e-300));
    if (weight === undefined) this.#normalise();
    return entrant;
  }

  /** What this entrant gets of what is dealt out. */
  #dealt(id: string): number {
    const others = this.#entrants.size - (this.#entrants.has(this.#preferred) ? 1 : 0);
    if (id === this.#preferred) return others === 0 ? 1 : PREFERRED_SHARE;
    return (this.#entrants.has(this.#preferred) ? 1 - PREFERRED_SHARE : 1) / others;
  }

  /**
   * Leaves a leader that a change of level has struck blind: for some steps on end it has been off by far more than
   * usual one step ahead, and another one has not. The two change weights, so that it does not come straight back.
   */
  #flee(losses: ReadonlyMap<Entrant, number>): void {
    const leader = this.#entrants.get(this.#leader);
    const own = leader && losses.get(leader);
    if (leader === undefined || own === undefined) return;
    const blind = own > BLIND * Math.max(leader.losses[0] ?? 0, 1e-12);
    for (const [id, entrant] of this.#entrants) {
      const loss = losses.get(entrant) ?? Number.POSITIVE_INFINITY;
      entrant.seeing = blind && loss < SEEING * own ? entrant.seeing + 1 : 0;
      if (entrant.seeing < BLIND_STEPS || entrant.settled < this.#options.patience) continue;
      [entrant.log, leader.log] = [leader.log, entrant.log];
      this.#leader = id;
      for (const other of this.#entrants.values()) other.seeing = 0;
      return;
    }
  }

  /** One target time: the losses of those who spoke about it, per compared step ahead. */
  #judge(round: readonly ReadonlyMap<Entrant, number>[]): void {
    const { eta, share, memory } = this.#options;
    round.forEach((losses, i) => {
      if (losses.size === 0) return;
      // The best one's typical loss is the yardstick: a bad one shall not make itself look usual.
      let scale = Number.POSITIVE_INFINITY;
      for (const [entrant, loss] of losses) {
        entrant.settled++;
        const before = entrant.losses[i] ?? Number.NaN;
        const step = Math.max(STEPS.length / entrant.settled, STEPS.length / memory);
        const mean = Number.isNaN(before) ? loss : before + Math.min(step, 1) * (loss - before);
        entrant.losses[i] = mean;
        scale = Math.min(scale, mean);
      }
      const scaled = (loss: number): number =>
        loss === 0 ? 0 : Math.min(loss / Math.max(scale, 1e-12), LOSS_LIMIT);
      let mixed = 0;
      let awake = 0;
      for (const [entrant, loss] of losses) {
        const weight = Math.max(Math.exp(entrant.log), 1e-300);
        mixed += weight * scaled(loss);
        awake += weight;
      }
      // Who did not speak is neither praised nor blamed: it fares as the average of the others.
      for (const entrant of this.#entrants.values()) {
        const loss = losses.get(entrant);
        entrant.log -= (eta / STEPS.length) * (loss === undefined ? mixed / awake : scaled(loss));
      }
    });
    this.#normalise();
    for (const [id, entrant] of this.#entrants) {
      entrant.log = Math.log((1 - share) * Math.exp(entrant.log) + share * this.#dealt(id));
    }
  }

  #normalise(): void {
    let most = Number.NEGATIVE_INFINITY;
    for (const { log } of this.#entrants.values()) most = Math.max(most, log);
    let sum = 0;
    for (const { log } of this.#entrants.values()) sum += Math.exp(log - most);
    for (const entrant of this.#entrants.values()) entrant.log -= most + Math.log(sum);
  }

  #elect(): void {
    const { patience, ratio } = this.#options;
    let best: { id: string; log: number } | undefined;
    for (const [id, entrant] of this.#entrants) {
      if (entrant.settled < patience) continue;
      if (best === undefined || entrant.log > best.log) best = { id, log: entrant.log };
    }
    if (best === undefined || best.id === this.#leader) return;
    const leader = this.#entrants.get(this.#leader);
    // One that has never spoken is missing, not bad: whoever serves in its place shall say why.
    if (leader === undefined) return;
    if (best.log - leader.log < Math.log(ratio)) return;
    this.#leader = best.id;
  }
}

function meanOf(losses: readonly number[]): number {
  const known = losses.filter((loss) => !Number.isNaN(loss));
  return known.reduce((sum, loss) => sum + loss, 0) / Math.max(known.length, 1);
}

function meanPinball(quantiles: Float64Array, value: number): number {
  let loss = 0;
  LEVELS.forEach((level, i) => {
    loss += pinball(level, quantiles[i] ?? value, value) / LEVELS.length;
  });
  return loss;
}
