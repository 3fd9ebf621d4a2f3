/**
 * Ridge regression per load: how far the load will move from its last value, from its recent moves, its distance to
 * recent means, what yesterday did from here, and the time of day. One set of weights per horizon, steps between are
 * interpolated. Fitted once in closed form, then each new step is one row more and older rows fade (`moments.ts`).
 * Bands from errors that no fit has seen: leave-one-out ones of the first fit, then those of each new step before it
 * was learned from.
 */
import { ANCHORS } from './horizons.ts';
import { applied, leverage, Moments, type RidgeWeights } from './moments.ts';
import { type Method, type OnlineOptions, online } from './online.ts';
import { bandOf, builtin } from './residuals.ts';
import { ScoreWindow } from './score-window.ts';
import { type Forecaster, MODEL_HORIZON } from './types.ts';

const DAY_MS = 86_400_000;
/** Horizons that have weights; increasing, ANCHORS all of them. */
const FITTED = [1, 2, 4, 8, 16, 32, 64] as const;
/** Differences to the value this many steps ago. */
const LAGS = [1, 2, 4, 8, 16, 32] as const;
/** Differences to means over this many steps; increasing. */
const MEANS = [8, 32, 128] as const;
/** Harmonics of the day. */
const HARMONICS = 3;
const LOOKBACK = 128;
const WIDTH = LAGS.length + MEANS.length + 2 + 2 * HARMONICS;
/** Rows of the first fit, spread evenly over the past. */
const ROWS = 600;
const MIN_ROWS = 150;
/** Errors that make the band. */
const ERRORS = 320;
/** Penalty on standardised features, as a share of the rows. */
const PENALTY = 1 / ROWS;
const MEMORY_DAYS = 3;
const MOST_STEPS = 6000;
/** Steps after which rounding and a change of season are thrown out by a new fit. */
const REFIT_STEPS = 10_080;
/** Steps that the past grows by before its oldest are let go. */
const SLACK = 256;

interface State {
  readonly stepMs: number;
  /** Steps of a day. */
  readonly day: number;
  /** What is left of old rows after one step. */
  readonly keep: number;
  /** The newest values, the last of them at `end - 1`. */
  readonly past: Float32Array;
  end: number;
  readonly horizons: readonly Horizon[];
}

interface Horizon {
  readonly moments: Moments;
  readonly errors: ScoreWindow;
  weights: RidgeWeights;
  /** Of the errors; undefined when there is a new one. */
  band: Float64Array | undefined;
}

/** @throws FORECAST_NO_HISTORY (from `forecast`) while a series has no fit yet, or its past is too short for one */
export function ridge(options: OnlineOptions = {}): Forecaster {
  return online(METHOD, { refitSteps: REFIT_STEPS, ...options });
}

const METHOD: Method<State> = {
  model: builtin('ridge'),
  // Of what a fit reads, the first day is only looked back at.
  reach: (stepMs) => memorySteps(stepMs) + dayOf(stepMs) + LOOKBACK + MODEL_HORIZON,
  fit(past, endMs, stepMs) {
    const horizons: Horizon[] = [];
    for (const h of FITTED) {
      const horizon = fitHorizon(past, endMs, stepMs, h);
      if (horizon === undefined) return undefined;
      horizons.push(horizon);
    }
    const day = dayOf(stepMs);
    const held = Math.min(day + LOOKBACK + MODEL_HORIZON + 1, past.length);
    const kept = new Float32Array(day + LOOKBACK + MODEL_HORIZON + 1 + SLACK).fill(Number.NaN);
    kept.set(past.subarray(-held), 0);
    return { stepMs, day, keep: 1 - 1 / memorySteps(stepMs), past: kept, end: held, horizons };
  },
  advance,
  ahead({ stepMs, day, past, end, horizons }, value, atMs) {
    past[end] = value;
    // The running step may be unknown; what was known last stands for now.
    let now = end;
    while (now > 0 && Number.isNaN(past[now] ?? Number.NaN)) now--;
    const features = new Float64Array(WIDTH);
    fillMoves(features, past, now, day);
    const late = end - now;
    const centres = FITTED.map((h, i) => {
      const weights = horizons[i]?.weights;
      if (weights === undefined) return Number.NaN;
      fillAhead(features, past, now, h + late, day, atMs + h * stepMs);
      return (past[now] ?? Number.NaN) + applied(weights, features);
    });
    past[end] = Number.NaN;
    const bands = horizons.map((horizon) => {
      horizon.band ??= bandOf((level) => horizon.errors.quantile(level), horizon.errors.count);
      return horizon.band;
    });
    return {
      centre: (h) => {
        const { low, high, share } = betweenFitted(h);
        return (centres[low] ?? 0) + share * ((centres[high] ?? 0) - (centres[low] ?? 0));
      },
      bands: ANCHORS.map((h) => {
        const { low, high, share } = betweenFitted(h);
        const a = bands[low] ?? new Float64Array(0);
        return a.map((offset, i) => offset + share * ((bands[high]?.[i] ?? offset) - offset));
      }),
    };
  },
};

/** Each horizon learns from the row that has its answer now. */
function advance(state: State, value: number, atMs: number): void {
  const { past, day, keep, horizons } = state;
  if (state.end === past.length - 1) {
    past.copyWithin(0, SLACK, state.end);
    state.end -= SLACK;
    past.fill(Number.NaN, state.end);
  }
  past[state.end++] = value;
  if (Number.isNaN(value)) return;
  const features = new Float64Array(WIDTH);
  FITTED.forEach((h, i) => {
    const horizon = horizons[i];
    const t = state.end - 1 - h;
    const then = past[t] ?? Number.NaN;
    if (horizon === undefined || Number.isNaN(then)) return;
    fillMoves(features, past, t, day);
    fillAhead(features, past, t, h, day, atMs);
    const move = value - then;
    horizon.errors.push(move - applied(horizon.weights, features));
    horizon.band = undefined;
    horizon.moments.add(features, move, 1, keep);
    horizon.weights = horizon.moments.solve(PENALTY)?.fit ?? horizon.weights;
  });
}

function fitHorizon(past: Float64Array, endMs: number, stepMs: number, h: number): Horizon | undefined {
  const day = dayOf(stepMs);
  const last = past.length - 1;
  let first = past.findIndex((value) => !Number.isNaN(value));
  if (first < 0) return undefined;
  // A young series has to do without a yesterday.
  first = Math.max(first, Math.min(day + LOOKBACK, last - h));
  const stride = Math.max(1, Math.floor((last - h - first) / ROWS));
  const moments = new Moments(WIDTH);
  const rows: { readonly x: Float64Array; readonly y: number }[] = [];
  for (let t = first + ((last - h - first) % stride); t <= last - h; t += stride) {
    const y = (past[t + h] ?? Number.NaN) - (past[t] ?? Number.NaN);
    if (Number.isNaN(y)) continue;
    const x = new Float64Array(WIDTH);
    fillMoves(x, past, t, day);
    fillAhead(x, past, t, h, day, endMs - (last - t - h) * stepMs);
    rows.push({ x, y });
    // A row stands for as many steps as it was picked from; steps that come later each count themselves.
    moments.add(x, y, stride);
  }
  if (rows.length < MIN_ROWS) return undefined;
  const solved = moments.solve(PENALTY);
  if (solved === undefined) return undefined;
  const weights = solved.fit;
  const errors = new ScoreWindow(ERRORS);
  for (const { x, y } of rows.slice(-ERRORS)) {
    errors.push((y - applied(weights, x)) / Math.max(1 - stride * leverage(solved, x), 0.05));
  }
  return { moments, errors, weights, band: undefined };
}

/** Features of the past at index `t`, whose value is known; unknown parts count as "no difference". */
function fillMoves(out: Float64Array, past: ArrayLike<number>, t: number, day: number): void {
  const now = past[t] ?? Number.NaN;
  const known = (i: number): number => {
    const value = past[i] ?? Number.NaN;
    return Number.isNaN(value) ? now : value;
  };
  let at = 0;
  for (const lag of LAGS) out[at++] = now - known(t - lag);
  let sum = 0;
  let steps = 0;
  for (const mean of MEANS) {
    for (; steps < mean; steps++) sum += known(t - steps);
    out[at++] = now - sum / mean;
  }
  const then = past[t - day] ?? Number.NaN;
  out[at] = Number.isNaN(then) ? 0 : now - then;
}

/** Features of the time `h` steps later, which starts at `targetMs`: what yesterday did until there, the time of day. */
function fillAhead(
  out: Float64Array,
  past: ArrayLike<number>,
  t: number,
  h: number,
  day: number,
  targetMs: number,
): void {
  let at = LAGS.length + MEANS.length + 1;
  // The newest day whose answer lies in the past; yesterday, but for steps so long that `h` of them reach beyond.
  const lag = Math.ceil(h / day) * day;
  const move = (past[t - lag + h] ?? Number.NaN) - (past[t - lag] ?? Number.NaN);
  out[at++] = Number.isNaN(move) ? 0 : move;
  const phase = (2 * Math.PI * (targetMs % DAY_MS)) / DAY_MS;
  for (let k = 1; k <= HARMONICS; k++) {
    out[at++] = Math.sin(k * phase);
    out[at++] = Math.cos(k * phase);
  }
}

function betweenFitted(h: number): { low: number; high: number; share: number } {
  const high = Math.max(
    FITTED.findIndex((fitted) => fitted >= h),
    0,
  );
  const upper = FITTED[high] ?? h;
  const low = upper === h || high === 0 ? high : high - 1;
  const lower = FITTED[low] ?? h;
  return { low, high, share: upper === lower ? 0 : (h - lower) / (upper - lower) };
}

function dayOf(stepMs: number): number {
  return Math.max(1, Math.round(DAY_MS / stepMs));
}

/** Steps that a row is remembered for. */
function memorySteps(stepMs: number): number {
  return Math.max(Math.min(MEMORY_DAYS * dayOf(stepMs), MOST_STEPS), ROWS);
}
