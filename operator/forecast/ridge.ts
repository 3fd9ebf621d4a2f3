/**
 * Ridge regression per load, closed form: how far the load will move from its last value, from its recent moves, its
 * distance to recent means, what earlier days did from here, and the time of day. One set of weights per horizon
 * anchor, steps between are interpolated; bands from leave-one-out errors (e / (1 - h_ii), exact for ridge), which a
 * fit on its own data would make too narrow. A fit takes some tens of milliseconds and is renewed every few hours.
 */
import { ForesailError } from '../errors.ts';
import { ANCHORS, betweenAnchors } from './horizons.ts';
import { fromBands } from './persistence.ts';
import { builtin, residualQuantiles } from './residuals.ts';
import { type Forecaster, type ForecastWindow, MODEL_HORIZON, type QuantileForecast } from './types.ts';

const MODEL = builtin('ridge');
const DAY_MS = 86_400_000;
/** Differences to the value this many steps ago. */
const LAGS = [1, 2, 4, 8, 16, 32] as const;
/** Differences to means over this many steps. */
const MEANS = [8, 32, 128] as const;
/** Harmonics of the day. */
const HARMONICS = 3;
const LOOKBACK = 128;
/** Rows of a fit, spread evenly over the past: enough for 17 weights. */
const ROWS = 600;
const MIN_ROWS = 150;
/** Penalty on standardised features. */
const PENALTY = 1;

interface Fit {
  readonly madeMs: number;
  readonly stepMs: number;
  /** Per anchor; undefined where the past was too short. */
  readonly anchors: readonly (AnchorFit | undefined)[];
}

interface AnchorFit {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  readonly weights: Float64Array;
  readonly bias: number;
  readonly band: Float64Array;
}

export interface RidgeOptions {
  /** A fit older than this many steps is renewed; default 240. */
  readonly refitSteps?: number;
  /** Series whose fits are kept; default 5000. */
  readonly maxSeries?: number;
  /** New fits per origin, so that a thousand scalers never fit in the same step; default 8. */
  readonly fitsPerStep?: number;
}

/** @throws FORECAST_NO_HISTORY (from `forecast`) while a series has no fit yet, or its past is too short for one */
export function ridge(options: RidgeOptions = {}): Forecaster {
  const { refitSteps = 240, maxSeries = 5000, fitsPerStep = 8 } = options;
  const fits = new Map<string, Fit>();
  let origin = Number.NaN;
  let budget = 0;
  return {
    id: MODEL.name,
    async forecast(windows, signal) {
      signal.throwIfAborted();
      return windows.map((window) => {
        if (window.originMs !== origin) {
          origin = window.originMs;
          budget = fitsPerStep;
        }
        let fit = fits.get(window.key);
        const age =
          fit === undefined ? Number.POSITIVE_INFINITY : (window.originMs - fit.madeMs) / window.stepMs;
        if (fit?.stepMs !== window.stepMs || age > refitSteps || age < 0) {
          if (budget-- > 0) fit = fitSeries(window);
          if (fit !== undefined) fits.set(window.key, fit);
          if (fits.size > maxSeries) fits.delete(fits.keys().next().value ?? '');
        }
        return predict(window, fit);
      });
    },
  };
}

function fitSeries(window: ForecastWindow): Fit | undefined {
  const day = Math.max(1, Math.round(DAY_MS / window.stepMs));
  const reach = Math.min(3 * day, 6000);
  const past = window.past?.(reach + day + LOOKBACK + MODEL_HORIZON) ?? Float64Array.from(window.context);
  const anchors = ANCHORS.map((h) => fitAnchor(past, window, h, day));
  return { madeMs: window.originMs, stepMs: window.stepMs, anchors };
}

function fitAnchor(
  past: Float64Array,
  window: ForecastWindow,
  h: number,
  day: number,
): AnchorFit | undefined {
  const last = past.length - 1;
  const first = LOOKBACK;
  const stride = Math.max(1, Math.floor((last - h - first) / ROWS));
  const rows: Float64Array[] = [];
  const targets: number[] = [];
  for (let t = last - h; t >= first; t -= stride) {
    const move = (past[t + h] ?? Number.NaN) - (past[t] ?? Number.NaN);
    if (Number.isNaN(move)) continue;
    const features = featuresAt(past, t, h, day, window.originMs - (last - t) * window.stepMs, window.stepMs);
    if (features === undefined) continue;
    rows.push(features);
    targets.push(move);
  }
  return rows.length < MIN_ROWS ? undefined : solveRidge(rows, targets);
}

/** Undefined when the present itself is unknown; unknown parts of the past count as "no difference". */
function featuresAt(
  past: ArrayLike<number>,
  t: number,
  h: number,
  day: number,
  atMs: number,
  stepMs: number,
): Float64Array | undefined {
  const now = past[t] ?? Number.NaN;
  if (Number.isNaN(now)) return undefined;
  const known = (i: number): number => {
    const value = past[i] ?? Number.NaN;
    return Number.isNaN(value) ? now : value;
  };
  const out: number[] = [];
  for (const lag of LAGS) out.push(now - known(t - lag));
  for (const steps of MEANS) {
    let sum = 0;
    for (let i = 0; i < steps; i++) sum += known(t - i);
    out.push(now - sum / steps);
  }
  // What the same hour of yesterday did over this horizon, and how far today is from yesterday.
  const yesterday = t - day;
  const then = past[yesterday] ?? Number.NaN;
  const thenAhead = past[yesterday + h] ?? Number.NaN;
  out.push(Number.isNaN(then) || Number.isNaN(thenAhead) ? 0 : thenAhead - then);
  out.push(Number.isNaN(then) ? 0 : now - then);
  const phase = (2 * Math.PI * ((atMs + h * stepMs) % DAY_MS)) / DAY_MS;
  for (let k = 1; k <= HARMONICS; k++) out.push(Math.sin(k * phase), Math.cos(k * phase));
  return Float64Array.from(out);
}

/** Ridge on standardised features with a free intercept; X'X + lambda I by Cholesky. */
export function solveRidge(rows: readonly Float64Array[], targets: readonly number[]): AnchorFit {
  const n = rows.length;
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j] = (mean[j] ?? 0) + (row[j] ?? 0) / n;
  for (const row of rows) {
    for (let j = 0; j < width; j++)
      deviation[j] = (deviation[j] ?? 0) + ((row[j] ?? 0) - (mean[j] ?? 0)) ** 2 / n;
  }
  for (let j = 0; j < width; j++) deviation[j] = Math.sqrt(deviation[j] ?? 0) || 1;
  const standard = rows.map((row) => row.map((value, j) => (value - (mean[j] ?? 0)) / (deviation[j] ?? 1)));
  const bias = targets.reduce((sum, target) => sum + target, 0) / n;

  const gram = new Float64Array(width * width);
  const moment = new Float64Array(width);
  standard.forEach((row, r) => {
    const target = (targets[r] ?? 0) - bias;
    for (let i = 0; i < width; i++) {
      const value = row[i] ?? 0;
      moment[i] = (moment[i] ?? 0) + value * target;
      for (let j = 0; j <= i; j++) gram[i * width + j] = (gram[i * width + j] ?? 0) + value * (row[j] ?? 0);
    }
  });
  for (let i = 0; i < width; i++) gram[i * width + i] = (gram[i * width + i] ?? 0) + PENALTY;
  const factor = cholesky(gram, width);
  const weights = backward(factor, forward(factor, moment, width), width);

  const errors = Float64Array.from(standard, (row, r) => {
    let predicted = bias;
    for (let j = 0; j < width; j++) predicted += (weights[j] ?? 0) * (row[j] ?? 0);
    // h_ii = x' (X'X + lambda I)^-1 x + 1/n, by one triangular solve.
    const half = forward(factor, row, width);
    let leverage = 1 / n;
    for (const value of half) leverage += value * value;
    return ((targets[r] ?? 0) - predicted) / Math.max(1 - leverage, 0.05);
  });
  return { mean, deviation, weights, bias, band: residualQuantiles(errors) };
}

/** Lower factor L with L L' = A, A given by its lower half; A must be positive definite, as a ridge's is. */
function cholesky(a: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * width + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (lower[i * width + k] ?? 0) * (lower[j * width + k] ?? 0);
      lower[i * width + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / (lower[j * width + j] ?? 1);
    }
  }
  return lower;
}

/** Solves L y = b. */
function forward(lower: Float64Array, b: Float64Array, width: number): Float64Array {
  const y = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (lower[i * width + k] ?? 0) * (y[k] ?? 0);
    y[i] = sum / (lower[i * width + i] ?? 1);
  }
  return y;
}

/** Solves L' x = y. */
function backward(lower: Float64Array, y: Float64Array, width: number): Float64Array {
  const x = new Float64Array(width);
  for (let i = width - 1; i >= 0; i--) {
    let sum = y[i] ?? 0;
    for (let k = i + 1; k < width; k++) sum -= (lower[k * width + i] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (lower[i * width + i] ?? 1);
  }
  return x;
}

function predict(window: ForecastWindow, fit: Fit | undefined): QuantileForecast {
  const noHistory = (message: string): ForesailError =>
    new ForesailError('FORECAST_NO_HISTORY', 'transient', message, { subject: window.key });
  if (fit === undefined) throw noHistory('no fit has been made yet');
  const day = Math.max(1, Math.round(DAY_MS / window.stepMs));
  const past = window.past?.(day + LOOKBACK + 1) ?? Float64Array.from(window.context);
  const t = past.length - 1;
  const centres: number[] = [];
  const bands: Float64Array[] = [];
  ANCHORS.forEach((h, i) => {
    const anchor = fit.anchors[i];
    const features = featuresAt(past, t, h, day, window.originMs, window.stepMs);
    if (anchor === undefined || features === undefined) throw noHistory('too few values for a regression');
    let move = anchor.bias;
    features.forEach((value, j) => {
      move += ((anchor.weights[j] ?? 0) * (value - (anchor.mean[j] ?? 0))) / (anchor.deviation[j] ?? 1);
    });
    centres.push((past[t] ?? 0) + move);
    bands.push(anchor.band);
  });
  return fromBands(window, MODEL, bands, (h) => {
    const { low, high, share } = betweenAnchors(h);
    return (centres[low] ?? 0) + share * ((centres[high] ?? 0) - (centres[low] ?? 0));
  });
}
