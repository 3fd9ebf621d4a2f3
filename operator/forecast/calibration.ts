/**
 * Makes the asked coverage the realised coverage. Conformal quantile tracking (Angelopoulos, Candes & Tibshirani 2023,
 * arXiv 2307.16895) per horizon on one-sided scaled residuals:
 *
 *   score      s = (y - median) / w,  w = max(q90 - q50, a floor)      the model's own band is the yardstick
 *   band       upper = median + (Q(1 - alpha) + shift_t * u) * w        Q over the last scores, conformal rank
 *   unit       u = Q(0.95) - Q(0.75)
 *   feedback   shift_{t+1} = shift_t + step * (err_t - alpha)           err_t = 1 when y > the upper that was issued
 *
 * The model's band knows the state of the load, the scores know how wrong that band is, and the shift corrects what
 * both miss when the load changes. It acts on the band and not, as adaptive conformal inference does (arXiv 2106.00170),
 * on alpha: there a few misses in a row, which come late and together when the horizon is long, ask for the far end of
 * the tail. Coverage holds on average over time; inside a burst it can be lower.
 */
import { ForesailError } from '../errors.ts';
import { ANCHORS, betweenAnchors } from './horizons.ts';
import { Pending } from './pending.ts';
import { forecastQuantile } from './quantiles.ts';
import { ScoreWindow } from './score-window.ts';
import type { Confidence, QuantileForecast } from './types.ts';

/** Scores kept per horizon. 99 are enough for a coverage of 0.99 in theory; more make its rank less jumpy. */
const SCORES = 320;
/**
 * Time that they span once the window is full: older than a few hours, a score is kept only every so many steps. The
 * band then has seen every hour of the day on several days and does not forget the evening's bursts by morning.
 */
const SPAN_MS = 3 * 86_400_000;
/** Beyond it a score says "far outside" and no more; it keeps one spike from owning the tail. */
const SCORE_LIMIT = 500;
/**
 * Floor of the yardstick as a share of the median: where the model's own band is narrower, errors are measured
 * relative to the load, which is steadier than a narrow band. And as a share of the usual level, for a load near zero.
 */
const FLOOR_SHARE = 0.2;
const LEVEL_SHARE = 0.02;
/** Memory of the level and of the realised coverage, in observations. */
const LEVEL_MEMORY = 200;
const COVERAGE_MEMORY = 1000;
/** The shift ends here, in units: upwards where no band repairs the forecast, downwards where a long run cannot be missed. */
const HIGHEST = 6;
const LOWEST = -2;
/** Least unit, in yardsticks: after a long constant run the scores show no spread, and feedback must not go deaf. */
const LEAST_UNIT = 0.1;
/**
 * Step of the feedback: the first at short horizons, at longer ones the second over the root of the steps ahead. A miss
 * is learned of that many steps late, when most of what was issued since has been missed by the same burst.
 */
const STEP = 0.16;
const LATE_STEP = 0.36;
/** How much wider few scores make a band at most. */
const FEW_STRETCH = 0.5;

interface Issued {
  readonly median: number;
  readonly width: number;
  readonly upper: number;
}

interface Horizon {
  /** Steps ahead. */
  readonly steps: number;
  shift: number;
  readonly scores: ScoreWindow;
  readonly pending: Pending<Issued>;
  /** Settled since the window was full. */
  passed: number;
  /** Decayed counts of settled forecasts and of covered ones. */
  settled: number;
  covered: number;
  /** Multiplier of the current scores and shift; undefined when either has changed. */
  learned: number | undefined;
}

export interface CalibrationOptions {
  /** Step of the load; sets how long a missing value is waited for. */
  readonly stepMs: number;
  /** Asked probability that the load stays at or below the upper path, in [0.5, 0.9999]. */
  readonly coverage: number;
}

/** What survives a restart. Plain JSON. */
export interface CalibrationState {
  readonly coverage: number;
  readonly level: number;
  readonly horizons: readonly {
    /** Absent in what an older version stored. */
    readonly shift?: number;
    readonly settled: number;
    readonly covered: number;
    /** Oldest first, rounded to three digits after the point. */
    readonly scores: readonly number[];
  }[];
}

export interface RealisedCoverage {
  readonly asked: number;
  /** Share of settled forecasts that held, over about the last 1000; undefined before the first. */
  readonly realised: number | undefined;
  readonly settled: number;
}

export class Calibration {
  #coverage: number;
  readonly #stride: number;
  #horizons: Horizon[];
  #level = 0;

  /** @throws COVERAGE_INVALID */
  constructor(options: CalibrationOptions) {
    this.#coverage = checked(options.coverage);
    this.#stride = Math.max(Math.floor(SPAN_MS / SCORES / options.stepMs), 1);
    this.#horizons = ANCHORS.map((steps) => ({
      steps,
      shift: 0,
      scores: new ScoreWindow(SCORES),
      pending: new Pending<Issued>(steps + 16, 10 * options.stepMs),
      passed: 0,
      settled: 0,
      covered: 0,
      learned: undefined,
    }));
  }

  get coverage(): number {
    return this.#coverage;
  }

  /** Another asked coverage: the scores stay, what was learned about the old one goes. */
  ask(coverage: number): void {
    if (coverage === this.#coverage) return;
    this.#coverage = checked(coverage);
    for (const horizon of this.#horizons) {
      horizon.shift = 0;
      horizon.settled = 0;
      horizon.covered = 0;
      horizon.learned = undefined;
    }
  }

  /** Upper load at step `h` (1-based) of a forecast, in the load's unit, not below zero. */
  upper(forecast: QuantileForecast, h: number): number {
    const median = forecastQuantile(forecast, h - 1, 0.5);
    const width = this.#width(forecast, h, median);
    const own = (forecastQuantile(forecast, h - 1, this.#coverage) - median) / width;
    const { low, high, share } = betweenAnchors(h);
    const a = this.#multiplier(this.#horizons[low], own);
    const b = this.#multiplier(this.#horizons[high], own);
    return Math.max(median + (a + share * (b - a)) * width, 0);
  }

  /**
   * Loads at step `h` that the scores of the last days put at `levels`, without the feedback on the asked coverage; for a
   * caller that closes a loop of its own (ServiceLevel).
   *
   * @param out as long as `levels`
   */
  quantiles(forecast: QuantileForecast, h: number, levels: readonly number[], out: Float64Array): void {
    const median = forecastQuantile(forecast, h - 1, 0.5);
    const width = this.#width(forecast, h, median);
    const { low, high, share } = betweenAnchors(h);
    const [lower, upper] = [this.#horizons[low]?.scores, this.#horizons[high]?.scores];
    const least = Math.min(lower?.count ?? 0, upper?.count ?? 0);
    levels.forEach((level, i) => {
      const needed = enough(1 - Math.max(level, 0.5));
      const own = least >= needed ? 0 : (forecastQuantile(forecast, h - 1, level) - median) / width;
      const a = plain(lower, level, own, needed);
      const b = share === 0 ? a : plain(upper, level, own, needed);
      out[i] = Math.max(median + (a + share * (b - a)) * width, 0);
    });
  }

  /** One of them. */
  quantile(forecast: QuantileForecast, h: number, level: number): number {
    const out = new Float64Array(1);
    this.quantiles(forecast, h, [level], out);
    return out[0] as number;
  }

  /** How far the band up to step `h` can be trusted: as far as its least known horizon. */
  confidence(h: number): Confidence {
    const { high } = betweenAnchors(h);
    const counts = this.#horizons.slice(0, high + 1).map((horizon) => horizon.scores.count);
    const least = Math.min(...counts);
    if (least >= enough(1 - this.#coverage)) return 'Calibrated';
    return least === 0 ? 'None' : 'Low';
  }

  /** Notes a forecast that was used, to be settled when its time comes. Only the first of a step counts. */
  issue(forecast: QuantileForecast): void {
    this.#horizons.forEach((horizon, i) => {
      const h = ANCHORS[i] ?? 0;
      if (h > forecast.horizon) return;
      const median = forecastQuantile(forecast, h - 1, 0.5);
      horizon.pending.add(forecast.originMs + h * forecast.stepMs, {
        median,
        width: this.#width(forecast, h, median),
        upper: this.upper(forecast, h),
      });
    });
  }

  /**
   * Compares what was issued with what came. `read` gives the load of the step that starts at a time (NaN = unknown);
   * `upToMs` is the start of the newest step that is complete. Returns how many forecasts were settled.
   */
  settle(upToMs: number, read: (atMs: number) => number): number {
    let count = 0;
    for (const horizon of this.#horizons) {
      for (const { payload, value } of horizon.pending.settle(upToMs, read)) {
        this.#learn(horizon, payload, value);
        count++;
      }
    }
    return count;
  }

  /** Realised coverage at the horizon nearest to `h` steps. */
  realised(h: number): RealisedCoverage {
    const horizon = this.#horizons[betweenAnchors(h).high];
    const settled = horizon?.settled ?? 0;
    return {
      asked: this.#coverage,
      realised: horizon === undefined || settled === 0 ? undefined : horizon.covered / settled,
      settled: Math.round(settled),
    };
  }

  /** True while the shift stands at its highest at step `h`: the forecast misses more than any band repairs. */
  pinned(h: number): boolean {
    const horizon = this.#horizons[betweenAnchors(h).high];
    return horizon !== undefined && horizon.shift >= HIGHEST * 0.99;
  }

  toState(): CalibrationState {
    return {
      coverage: this.#coverage,
      level: this.#level,
      horizons: this.#horizons.map((horizon) => ({
        shift: horizon.shift,
        settled: horizon.settled,
        covered: horizon.covered,
        scores: Array.from(horizon.scores.values(), (score) => Math.round(score * 1000) / 1000),
      })),
    };
  }

  /** @param state what `toState` gave; the asked coverage of `options` wins over the stored one */
  static fromState(state: CalibrationState, options: CalibrationOptions): Calibration {
    const calibration = new Calibration({ ...options, coverage: state.coverage });
    calibration.#level = state.level;
    state.horizons.slice(0, ANCHORS.length).forEach((stored, i) => {
      const horizon = calibration.#horizons[i];
      if (horizon === undefined) return;
      horizon.shift = Math.min(stored.shift ?? 0, HIGHEST);
      horizon.settled = stored.settled;
      horizon.covered = stored.covered;
      for (const score of stored.scores.slice(-SCORES)) horizon.scores.push(score);
    });
    calibration.ask(options.coverage);
    return calibration;
  }

  #learn(horizon: Horizon, issued: Issued, value: number): void {
    const missed = value > issued.upper;
    const step = Math.min(STEP, LATE_STEP / Math.sqrt(horizon.steps));
    const shift = horizon.shift + step * ((missed ? 1 : 0) - (1 - this.#coverage));
    horizon.shift = Math.min(Math.max(shift, LOWEST), HIGHEST);
    const score = (value - issued.median) / issued.width;
    horizon.learned = undefined;
    if (horizon.scores.count === SCORES) horizon.passed += 1;
    if (horizon.passed % this.#stride === 0)
      horizon.scores.push(Math.min(Math.max(score, -SCORE_LIMIT), SCORE_LIMIT));
    const keep = 1 - 1 / COVERAGE_MEMORY;
    horizon.settled = horizon.settled * keep + 1;
    horizon.covered = horizon.covered * keep + (missed ? 0 : 1);
    const weight = this.#level === 0 ? 1 : 1 / LEVEL_MEMORY;
    this.#level += weight * (Math.abs(value) - this.#level);
  }

  #width(forecast: QuantileForecast, h: number, median: number): number {
    const band = forecastQuantile(forecast, h - 1, 0.9) - median;
    return Math.max(band, FLOOR_SHARE * Math.abs(median), LEVEL_SHARE * this.#level, 1e-9);
  }

  /** Yardsticks above the median that hold with the asked coverage; `own` is what the model itself says. */
  #multiplier(horizon: Horizon | undefined, own: number): number {
    if (horizon === undefined || horizon.scores.count === 0) return own;
    const { scores, shift } = horizon;
    const { count } = scores;
    const needed = enough(1 - this.#coverage);
    if (count < needed) {
      const few = 1 + FEW_STRETCH * (1 - count / needed);
      return Math.max(own, scores.ranked(count), 0) * few + Math.max(shift, 0) * unitOf(scores);
    }
    horizon.learned ??= scores.upper(this.#coverage) + shift * unitOf(scores);
    return horizon.learned;
  }
}

/** What the shift is counted in, in yardsticks: the upper scores alone, which a run far below leaves as they are. */
function unitOf(scores: ScoreWindow): number {
  return Math.max(scores.upper(0.95) - scores.upper(0.75), LEAST_UNIT);
}

/** Scores that a conformal rank at this alpha needs, at least 30. */
function enough(alpha: number): number {
  return Math.min(Math.max(Math.ceil(1 / alpha) - 1, 30), SCORES);
}

/** Yardsticks from the median at a level, from the scores alone; `own` while there are few of them. */
function plain(scores: ScoreWindow | undefined, level: number, own: number, needed: number): number {
  const count = scores?.count ?? 0;
  if (scores === undefined || count === 0) return own;
  if (count >= needed) return scores.upper(level);
  return level <= 0.5
    ? own
    : Math.max(own, scores.ranked(count), 0) * (1 + FEW_STRETCH * (1 - count / needed));
}

function checked(coverage: number): number {
  if (coverage >= 0.5 && coverage <= 0.9999) return coverage;
  throw new ForesailError(
    'COVERAGE_INVALID',
    'terminal',
    `coverage ${coverage} is not between 0.5 and 0.9999`,
    {
      subject: 'spec.forecast.coverage',
    },
  );
}
