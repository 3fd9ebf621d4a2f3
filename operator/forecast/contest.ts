/**
 * Which forecaster serves a load best, by its own rolling loss on that load. Changing costs trust and makes replicas
 * jump, so a challenger must be clearly better for a while: a bad forecaster does not stay, a lucky one does not win.
 */
import { Pending } from './pending.ts';
import { forecastQuantile } from './quantiles.ts';
import { pinball } from './scores.ts';
import type { QuantileForecast } from './types.ts';

/** Steps ahead and levels that are compared; the upper levels are what replicas are bought for. */
const STEPS = [1, 4, 16, 64] as const;
const LEVELS = [0.1, 0.5, 0.9, 0.95, 0.99] as const;

export interface ContestOptions {
  readonly stepMs: number;
  /** Observations that the rolling loss remembers; default 500. */
  readonly memory?: number;
  /** A challenger's loss must be below this share of the leader's; default 0.95. */
  readonly margin?: number;
  /** Settled comparisons before the first change and between two changes; default 120. */
  readonly patience?: number;
}

interface Entrant {
  loss: number;
  settled: number;
  readonly pending: readonly Pending<Float64Array>[];
}

export interface ContestState {
  readonly leader: string;
  readonly sinceSwitch: number;
  readonly entrants: readonly { readonly id: string; readonly loss: number; readonly settled: number }[];
}

const MAX_ENTRANTS = 8;

export class Contest {
  readonly #options: Required<ContestOptions>;
  readonly #entrants = new Map<string, Entrant>();
  #leader: string;
  #sinceSwitch = 0;

  /** @param leader id of the forecaster that serves until another one has earned it */
  constructor(leader: string, options: ContestOptions) {
    this.#leader = leader;
    this.#options = { memory: 500, margin: 0.95, patience: 120, ...options };
  }

  get leader(): string {
    return this.#leader;
  }

  /** A forecast of one entrant; all entrants should forecast from the same origins. */
  enter(id: string, forecast: QuantileForecast): void {
    const entrant = this.#entrants.get(id) ?? this.#newEntrant(id, 0, 0);
    if (entrant === undefined) return;
    STEPS.forEach((h, i) => {
      if (h > forecast.horizon) return;
      const quantiles = Float64Array.from(LEVELS, (level) => forecastQuantile(forecast, h - 1, level));
      entrant.pending[i]?.add(forecast.originMs + h * forecast.stepMs, quantiles);
    });
  }

  /** As Calibration.settle; then the leader may change. */
  settle(upToMs: number, read: (atMs: number) => number): void {
    let most = 0;
    for (const entrant of this.#entrants.values()) {
      let count = 0;
      for (const pending of entrant.pending) {
        for (const { payload, value } of pending.settle(upToMs, read)) {
          this.#score(entrant, payload, value);
          count++;
        }
      }
      most = Math.max(most, count);
    }
    this.#sinceSwitch += most;
    this.#elect();
  }

  /** Mean pinball loss per entrant in the load's unit; undefined before the first settled forecast. */
  losses(): ReadonlyMap<string, number> {
    const known = [...this.#entrants].filter(([, entrant]) => entrant.settled > 0);
    return new Map(known.map(([id, entrant]) => [id, entrant.loss]));
  }

  toState(): ContestState {
    return {
      leader: this.#leader,
      sinceSwitch: this.#sinceSwitch,
      entrants: [...this.#entrants].map(([id, { loss, settled }]) => ({ id, loss, settled })),
    };
  }

  static fromState(state: ContestState, options: ContestOptions): Contest {
    const contest = new Contest(state.leader, options);
    contest.#sinceSwitch = state.sinceSwitch;
    for (const { id, loss, settled } of state.entrants) contest.#newEntrant(id, loss, settled);
    return contest;
  }

  #newEntrant(id: string, loss: number, settled: number): Entrant | undefined {
    if (this.#entrants.size >= MAX_ENTRANTS) return undefined;
    const patienceMs = 10 * this.#options.stepMs;
    const pending = STEPS.map((h) => new Pending<Float64Array>(h + 16, patienceMs));
    const entrant: Entrant = { loss, settled, pending };
    this.#entrants.set(id, entrant);
    return entrant;
  }

  #score(entrant: Entrant, quantiles: Float64Array, value: number): void {
    let loss = 0;
    LEVELS.forEach((level, i) => {
      loss += pinball(level, quantiles[i] ?? value, value) / LEVELS.length;
    });
    entrant.settled++;
    const weight = Math.max(1 / entrant.settled, 1 / this.#options.memory);
    entrant.loss += weight * (loss - entrant.loss);
  }

  #elect(): void {
    const { patience, margin } = this.#options;
    if (this.#sinceSwitch < patience) return;
    const leader = this.#entrants.get(this.#leader);
    let best: { id: string; loss: number } | undefined;
    for (const [id, entrant] of this.#entrants) {
      if (entrant.settled < patience) continue;
      if (best === undefined || entrant.loss < best.loss) best = { id, loss: entrant.loss };
    }
    if (best === undefined || best.id === this.#leader) return;
    if (leader !== undefined && leader.settled > 0 && best.loss >= margin * leader.loss) return;
    this.#leader = best.id;
    this.#sinceSwitch = 0;
  }
}
