/**
 * Holt-Winters with an additive season of one day and a damped trend, in error-correction form (Hyndman et al. 2008,
 * "Forecasting with Exponential Smoothing", the model ETS(A,Ad,A)):
 *
 *   e = x - (l + phi b + s)     l <- l + phi b + alpha e     b <- phi b + beta e     s <- s + gamma e
 *
 * Two departures for loads of minutes: the season has a value per quarter hour, between which it is linear, and the
 * smoothing weights are searched for small errors 1, 8 and 64 steps ahead, not for the next step alone.
 */

import { type Method, type OnlineOptions, online } from './online.ts';
import { builtin, errorBands } from './residuals.ts';
import {
  betweenBuckets,
  isWeekend,
  type SeasonShape,
  seasonShape,
  shapeAt,
  unseenFactor,
  withoutShape,
} from './season-shape.ts';
import type { Forecaster } from './types.ts';

const DAY_MS = 86_400_000;
const SPAN_DAYS = 14;
const MIN_KNOWN = 96;
const MOST_STEPS = 20_160;
/** Damping per step. */
const PHI = 0.97;
const ALPHAS = [0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1] as const;
const BETAS = [0, 0.01, 0.05] as const;
const GAMMAS = [0, 0.1, 0.3] as const;
/** Horizons whose errors the weights are searched by. */
const JUDGED = [1, 8, 64] as const;
const ORIGINS = 400;

interface Weights {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
}

interface State {
  readonly weights: Weights;
  /** Moves with gamma. */
  readonly shape: SeasonShape;
  readonly bands: readonly Float64Array[];
  readonly stepMs: number;
  level: number;
  trend: number;
}

export function holtWinters(options: OnlineOptions = {}): Forecaster {
  return online(METHOD, options);
}

const METHOD: Method<State> = {
  model: builtin('holt-winters'),
  reach: (stepMs) => Math.min(Math.round((SPAN_DAYS * DAY_MS) / stepMs), MOST_STEPS),
  fit,
  advance,
  ahead(state, value, atMs) {
    const now = { ...state };
    // The running step moves the level; the season learns from whole steps only.
    smooth(now, value, atMs);
    return { centre: (h) => pathOf(now, h, atMs + h * state.stepMs), bands: state.bands };
  },
};

function fit(past: Float64Array, endMs: number, stepMs: number): State | undefined {
  if (past.reduce((known, value) => known + (Number.isNaN(value) ? 0 : 1), 0) < MIN_KNOWN) return undefined;
  const shape = seasonShape(past, endMs, stepMs);
  const rest = withoutShape(past, shape, endMs, stepMs);
  // Alpha and beta on what the shape leaves; gamma needs the season itself to move.
  let weights: Weights = { alpha: 0.2, beta: 0, gamma: 0 };
  weights = best(ALPHAS, (alpha) => ({ ...weights, alpha }), rest);
  weights = best(BETAS, (beta) => ({ ...weights, beta }), rest);
  if (weights.beta > 0) weights = best(ALPHAS, (alpha) => ({ ...weights, alpha }), rest);
  let chosen: { run: Run; loss: number; weights: Weights } | undefined;
  for (const gamma of shape.strength > 0 ? GAMMAS : [0]) {
    const run = runWith({ ...weights, gamma }, shape, past, endMs, stepMs);
    const loss = lossOf(run.rest, run.levels, run.trends);
    if (chosen === undefined || loss < chosen.loss) chosen = { run, loss, weights: { ...weights, gamma } };
  }
  if (chosen === undefined) return undefined;
  const { run } = chosen;
  const bands = errorBands(
    run.rest,
    firstOrigin(past.length),
    (t) => (h) => (run.levels[t] ?? Number.NaN) + damped(h) * (run.trends[t] ?? 0),
    unseenFactor(shape),
  );
  return bands && { ...run.state, bands };
}

interface Run {
  readonly state: State;
  /** Values without the season as it stood at each step. */
  readonly rest: Float64Array;
  readonly levels: Float64Array;
  readonly trends: Float64Array;
}

/** Runs over the past with a season that moves. */
function runWith(
  weights: Weights,
  shape: SeasonShape,
  past: Float64Array,
  endMs: number,
  stepMs: number,
): Run {
  const weekday = shape.weekday.slice();
  const weekend = shape.weekend === shape.weekday ? weekday : shape.weekend.slice();
  const state: State = {
    weights,
    shape: { ...shape, weekday, weekend },
    bands: [],
    stepMs,
    level: Number.NaN,
    trend: 0,
  };
  const rest = new Float64Array(past.length);
  const levels = new Float64Array(past.length);
  const trends = new Float64Array(past.length);
  for (let t = 0; t < past.length; t++) {
    const atMs = endMs - (past.length - 1 - t) * stepMs;
    const value = past[t] ?? Number.NaN;
    rest[t] = value - shapeAt(state.shape, atMs);
    advance(state, value, atMs);
    levels[t] = state.level;
    trends[t] = state.trend;
  }
  return { state, rest, levels, trends };
}

function advance(state: State, value: number, atMs: number): void {
  const error = smooth(state, value, atMs);
  const { gamma } = state.weights;
  if (gamma === 0 || Number.isNaN(error)) return;
  const { shape, stepMs } = state;
  const row = isWeekend(atMs) ? shape.weekend : shape.weekday;
  const { low, high, share } = betweenBuckets(atMs, shape.buckets);
  // All steps of a bucket together move it by gamma times their mean error.
  const each = (gamma * error) / Math.max(DAY_MS / shape.buckets / stepMs, 1);
  row[low] = (row[low] ?? 0) + (1 - share) * each;
  row[high] = (row[high] ?? 0) + share * each;
}

/** Level and trend take in a value; returns the error of the step, NaN where the value is unknown. */
function smooth(state: State, value: number, atMs: number): number {
  const rest = value - shapeAt(state.shape, atMs);
  if (Number.isNaN(state.level)) {
    state.level = rest;
    return Number.NaN;
  }
  const expected = state.level + PHI * state.trend;
  const error = rest - expected;
  const known = !Number.isNaN(error);
  state.level = expected + (known ? state.weights.alpha * error : 0);
  state.trend = PHI * state.trend + (known ? state.weights.beta * error : 0);
  return error;
}

function pathOf({ level, trend, shape }: State, h: number, atMs: number): number {
  return level + damped(h) * trend + shapeAt(shape, atMs);
}

/** phi + phi^2 + ... + phi^h. */
function damped(h: number): number {
  return (PHI * (1 - PHI ** h)) / (1 - PHI);
}

function best<T>(candidates: readonly T[], make: (candidate: T) => Weights, rest: Float64Array): Weights {
  let found: { weights: Weights; loss: number } | undefined;
  for (const candidate of candidates) {
    const weights = make(candidate);
    const loss = lossWithFixedSeason(weights, rest);
    if (found === undefined || loss < found.loss) found = { weights, loss };
  }
  return found?.weights ?? { alpha: 0.2, beta: 0, gamma: 0 };
}

function lossWithFixedSeason({ alpha, beta }: Weights, rest: Float64Array): number {
  const levels = new Float64Array(rest.length);
  const trends = new Float64Array(rest.length);
  let level = Number.NaN;
  let trend = 0;
  for (let t = 0; t < rest.length; t++) {
    const value = rest[t] ?? Number.NaN;
    const error = value - level - PHI * trend;
    if (Number.isNaN(level)) level = value;
    else if (Number.isNaN(error)) {
      level += PHI * trend;
      trend *= PHI;
    } else {
      level += PHI * trend + alpha * error;
      trend = PHI * trend + beta * error;
    }
    levels[t] = level;
    trends[t] = trend;
  }
  return lossOf(rest, levels, trends);
}

/** Mean absolute error at each judged horizon as a share of "it stays as it is", summed. */
function lossOf(rest: Float64Array, levels: Float64Array, trends: Float64Array): number {
  const first = firstOrigin(rest.length);
  const stride = Math.max(1, Math.floor((rest.length - first) / ORIGINS));
  let loss = 0;
  for (const h of JUDGED) {
    const growth = damped(h);
    let own = 0;
    let naive = 0;
    for (let t = first; t + h < rest.length; t += stride) {
      const value = rest[t + h] ?? Number.NaN;
      const error = Math.abs(value - (levels[t] ?? Number.NaN) - growth * (trends[t] ?? 0));
      const stay = Math.abs(value - (rest[t] ?? Number.NaN));
      if (Number.isNaN(error) || Number.isNaN(stay)) continue;
      own += error;
      naive += stay;
    }
    loss += own / Math.max(naive, 1e-9);
  }
  return loss;
}

/** The first tenth is left to warm up. */
function firstOrigin(length: number): number {
  return Math.floor(length / 10);
}
