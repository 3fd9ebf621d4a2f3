/**
 * ARIMA(p, d, q) of small order on the load without its day (`season-shape.ts`): p up to 4, d 0 or 1, q up to 2,
 * estimated by Hannan & Rissanen (1982): a long autoregression gives the innovations, then the value is regressed on
 * its own lags and on theirs. p and q by AICc; d by which forecasts 16 steps ahead better on the past, as AICc cannot
 * compare different d. It is not maximum likelihood and has no seasonal terms of its own: at a step of a minute a
 * season of 1440 steps is out of reach of a SARIMA that is to be fitted in milliseconds. Orders whose forecasts or
 * innovations would grow without end are dropped.
 */
import { solveSymmetric } from './linear.ts';
import { type Method, type OnlineOptions, online } from './online.ts';
import { builtin, errorBands } from './residuals.ts';
import { type SeasonShape, seasonShape, shapeAt, unseenFactor, withoutShape } from './season-shape.ts';
import { type Forecaster, MODEL_HORIZON } from './types.ts';

const DAY_MS = 86_400_000;
const SPAN_DAYS = 14;
const MOST_STEPS = 20_160;
/** Steps that the orders and weights are estimated on: the newest. */
const FITTED_STEPS = 4000;
const MIN_KNOWN = 128;
const LONG_ORDER = 12;
/** Unknown steps on end that are bridged. */
const BRIDGED = 5;
const MOST_AR = 4;
const MOST_MA = 2;
/** Horizon by which d is chosen. */
const JUDGED = 16;
/** A shock must have died away after so many steps. */
const RESPONSE_STEPS = 256;

interface Order {
  readonly ar: Float64Array;
  readonly ma: Float64Array;
  readonly mean: number;
  readonly differenced: boolean;
}

interface State {
  readonly order: Order;
  readonly shape: SeasonShape;
  readonly bands: readonly Float64Array[];
  readonly stepMs: number;
  /** Last value without its day. */
  last: number;
  /** The last values of the (differenced) process less its mean, and of its innovations, newest first. */
  process: Float64Array;
  innovations: Float64Array;
}

export function arima(options: OnlineOptions = {}): Forecaster {
  return online(METHOD, options);
}

const METHOD: Method<State> = {
  model: builtin('arima'),
  reach: (stepMs) => Math.min(Math.round((SPAN_DAYS * DAY_MS) / stepMs), MOST_STEPS),
  fit(past, endMs, stepMs) {
    const shape = seasonShape(past, endMs, stepMs);
    const rest = withoutShape(past, shape, endMs, stepMs).subarray(-FITTED_STEPS);
    if (rest.reduce((known, value) => known + (Number.isNaN(value) ? 0 : 1), 0) < MIN_KNOWN) return undefined;
    let chosen: { fitted: Fitted; loss: number } | undefined;
    for (const differenced of [true, false]) {
      const order = estimate(rest, differenced);
      const fitted = order && runOver(rest, order);
      if (fitted === undefined) continue;
      const loss = lossOf(rest, fitted);
      if (chosen === undefined || loss < chosen.loss) chosen = { fitted, loss };
    }
    if (chosen === undefined) return undefined;
    const { fitted } = chosen;
    const bands = errorBands(
      rest,
      Math.floor(rest.length / 10),
      (t) => {
        const path = pathFrom(fitted, t);
        return (h) => path[h - 1] ?? Number.NaN;
      },
      unseenFactor(shape),
    );
    const end = rest.length - 1;
    return (
      bands && {
        order: fitted.order,
        shape,
        bands,
        stepMs,
        last: fitted.levels[end] ?? Number.NaN,
        process: newestFirst(fitted.process, end, MOST_AR),
        innovations: newestFirst(fitted.innovations, end, MOST_MA),
      }
    );
  },
  advance(state, value, atMs) {
    Object.assign(state, after(state, value, atMs));
  },
  ahead(state, value, atMs) {
    const { order, shape, bands, stepMs } = state;
    const now = after(state, value, atMs);
    const path = pathOf(order, now.last, now.process, now.innovations);
    return { centre: (h) => (path[h - 1] ?? 0) + shapeAt(shape, atMs + h * stepMs), bands };
  },
};

interface Fitted {
  readonly order: Order;
  /** The value without its day, gaps filled by the forecast. */
  readonly levels: Float64Array;
  readonly process: Float64Array;
  readonly innovations: Float64Array;
}

/** The best p and q by AICc; undefined when there are too few rows or nothing stable. */
function estimate(known: Float64Array, differenced: boolean): Order | undefined {
  const rest = bridged(known);
  const raw = differenced ? rest.map((value, t) => value - (rest[t - 1] ?? Number.NaN)) : rest;
  let count = 0;
  let mean = 0;
  for (const value of raw) if (!Number.isNaN(value)) mean += (value - mean) / ++count;
  if (differenced) mean = 0;
  const process = raw.map((value) => value - mean);
  const long = regress(process, [], LONG_ORDER, 0);
  if (long === undefined) return undefined;
  const innovations = process.map((value, t) => {
    let expected = 0;
    for (let i = 0; i < LONG_ORDER; i++) expected += (long.weights[i] ?? 0) * (process[t - 1 - i] ?? 0);
    return value - expected;
  });
  let chosen: { order: Order; aicc: number } | undefined;
  for (let p = 0; p <= MOST_AR; p++) {
    for (let q = 0; q <= MOST_MA; q++) {
      const found = regress(process, innovations, p, q);
      if (found === undefined) continue;
      const ar = found.weights.slice(0, p);
      const ma = found.weights.slice(p);
      if (!settles(ar, ma)) continue;
      const k = p + q + 1;
      const aicc =
        found.rows * Math.log(Math.max(found.variance, 1e-12)) +
        2 * k +
        (2 * k * (k + 1)) / (found.rows - k - 1);
      if (chosen === undefined || aicc < chosen.aicc) chosen = { order: { ar, ma, mean, differenced }, aicc };
    }
  }
  return chosen?.order;
}

/** Short gaps made straight, for the estimate alone: a row needs fourteen values on end. */
function bridged(values: Float64Array): Float64Array {
  const out = values.slice();
  let before = -1;
  for (let t = 0; t < out.length; t++) {
    const value = out[t] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const gap = t - before;
    const start = out[before] ?? Number.NaN;
    if (gap > 1 && gap <= BRIDGED + 1) {
      for (let i = 1; i < gap; i++) out[before + i] = start + (i / gap) * (value - start);
    }
    before = t;
  }
  return out;
}

/** Least squares of the process on p own lags and q of the innovations, over the same rows for every p and q. */
function regress(
  process: ArrayLike<number>,
  innovations: ArrayLike<number>,
  p: number,
  q: number,
): { weights: Float64Array; variance: number; rows: number } | undefined {
  const width = p + q;
  const gram = new Float64Array(width * width);
  const moment = new Float64Array(width);
  const row = new Float64Array(width);
  let square = 0;
  let rows = 0;
  for (let t = LONG_ORDER + MOST_MA; t < process.length; t++) {
    const target = process[t] ?? Number.NaN;
    let sound = !Number.isNaN(target);
    for (let i = 0; sound && i < width; i++) {
      const value = (i < p ? process[t - 1 - i] : innovations[t - 1 - (i - p)]) ?? Number.NaN;
      row[i] = value;
      sound = !Number.isNaN(value);
    }
    if (!sound) continue;
    rows++;
    square += target * target;
    for (let i = 0; i < width; i++) {
      const value = row[i] ?? 0;
      moment[i] = (moment[i] ?? 0) + value * target;
      for (let j = 0; j <= i; j++) gram[i * width + j] = (gram[i * width + j] ?? 0) + value * (row[j] ?? 0);
    }
  }
  if (rows < MIN_KNOWN / 2) return undefined;
  // A trace of ridge: a constant load has no variance at all.
  for (let i = 0; i < width; i++) gram[i * width + i] = (gram[i * width + i] ?? 0) * (1 + 1e-6) + 1e-9;
  const weights = solveSymmetric(gram, moment, width);
  // |y - Xw|^2 = y'y - 2 w'X'y + w'X'Xw
  let rss = square;
  for (let i = 0; i < width; i++) {
    rss -= 2 * (weights[i] ?? 0) * (moment[i] ?? 0);
    for (let j = 0; j < width; j++) {
      const g = gram[Math.max(i, j) * width + Math.min(i, j)] ?? 0;
      rss += (weights[i] ?? 0) * (weights[j] ?? 0) * g;
    }
  }
  return { weights, variance: Math.max(rss, 0) / rows, rows };
}

/** True when the answer to one shock dies away, in forecasts (AR part) as in innovations (MA part). */
function settles(ar: Float64Array, ma: Float64Array): boolean {
  return [ar, ma.map((weight) => -weight)].every((weights) => {
    const response = new Float64Array(RESPONSE_STEPS);
    response[0] = 1;
    for (let t = 1; t < response.length; t++) {
      for (let i = 0; i < weights.length; i++) {
        response[t] = (response[t] ?? 0) + (weights[i] ?? 0) * (response[t - 1 - i] ?? 0);
      }
    }
    return response.subarray(-8).every((value) => Math.abs(value) < 0.9);
  });
}

/** Levels, process and innovations at every step under an order; a gap is what was forecast. */
function runOver(rest: Float64Array, order: Order): Fitted {
  const n = rest.length;
  const levels = new Float64Array(n).fill(Number.NaN);
  const process = new Float64Array(n);
  const innovations = new Float64Array(n);
  for (let t = 0; t < n; t++) {
    const before = levels[t - 1] ?? Number.NaN;
    const value = rest[t] ?? Number.NaN;
    if (Number.isNaN(before)) {
      levels[t] = value;
      process[t] = order.differenced || Number.isNaN(value) ? 0 : value - order.mean;
      continue;
    }
    let expected = 0;
    order.ar.forEach((weight, i) => {
      expected += weight * (process[t - 1 - i] ?? 0);
    });
    order.ma.forEach((weight, i) => {
      expected += weight * (innovations[t - 1 - i] ?? 0);
    });
    const base = order.differenced ? before : order.mean;
    process[t] = Number.isNaN(value) ? expected : value - base;
    innovations[t] = (process[t] ?? 0) - expected;
    levels[t] = base + (process[t] ?? 0);
  }
  return { order, levels, process, innovations };
}

/** One step of the same. */
function after(state: State, value: number, atMs: number): Pick<State, 'last' | 'process' | 'innovations'> {
  const { order, shape, last, process, innovations } = state;
  const rest = value - shapeAt(shape, atMs);
  const expected = expectedNext(order, process, innovations);
  const base = order.differenced ? last : order.mean;
  const own = Number.isNaN(rest) ? expected : rest - base;
  return {
    last: base + own,
    process: pushed(process, own),
    innovations: pushed(innovations, own - expected),
  };
}

function expectedNext(order: Order, process: Float64Array, innovations: Float64Array): number {
  let expected = 0;
  order.ar.forEach((weight, i) => {
    expected += weight * (process[i] ?? 0);
  });
  order.ma.forEach((weight, i) => {
    expected += weight * (innovations[i] ?? 0);
  });
  return expected;
}

/** `steps` values ahead, without the day. Runs a thousand times per fit, so it allocates only its answer. */
function pathOf(
  order: Order,
  last: number,
  process: Float64Array,
  innovations: Float64Array,
  steps: number = MODEL_HORIZON,
): Float64Array {
  const { ar, ma } = order;
  const path = new Float64Array(steps);
  const own = new Float64Array(steps);
  let level = last;
  for (let h = 0; h < steps; h++) {
    let expected = 0;
    for (let i = 0; i < ar.length; i++) {
      expected += (ar[i] ?? 0) * ((i < h ? own[h - 1 - i] : process[i - h]) ?? 0);
    }
    for (let i = h; i < ma.length; i++) expected += (ma[i] ?? 0) * (innovations[i - h] ?? 0);
    own[h] = expected;
    level = (order.differenced ? level : order.mean) + expected;
    path[h] = level;
  }
  return path;
}

function pathFrom(
  { order, levels, process, innovations }: Fitted,
  t: number,
  steps: number = MODEL_HORIZON,
): Float64Array {
  return pathOf(
    order,
    levels[t] ?? Number.NaN,
    newestFirst(process, t, MOST_AR),
    newestFirst(innovations, t, MOST_MA),
    steps,
  );
}

function lossOf(rest: Float64Array, fitted: Fitted): number {
  let loss = 0;
  const stride = Math.max(1, Math.floor(rest.length / 400));
  for (let t = MIN_KNOWN; t + JUDGED < rest.length; t += stride) {
    const error = (rest[t + JUDGED] ?? Number.NaN) - (pathFrom(fitted, t, JUDGED)[JUDGED - 1] ?? Number.NaN);
    if (!Number.isNaN(error)) loss += Math.abs(error);
  }
  return loss;
}

function newestFirst(values: Float64Array, end: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => values[end - i] ?? 0);
}

function pushed(newest: Float64Array, value: number): Float64Array {
  const out = new Float64Array(newest.length);
  out.set(newest.subarray(0, -1), 1);
  out[0] = value;
  return out;
}
