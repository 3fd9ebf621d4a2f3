/**
 * Trend, day, week and holidays by one penalised regression, after Prophet (Taylor & Letham 2018): a line that may
 * bend at ten places, Fourier terms of the day and, from two weeks on, of the week, and a lift on the holidays that
 * were named. The penalties are the Gaussian priors of a MAP fit; bends are dear, so that the trend of next hour is
 * not made of the noise of the last. Unlike Prophet the forecast also carries on what is left over now, by how much
 * of it was left over `h` steps later in the past; a load that forgets nothing within the hour needs that.
 */
import { ANCHORS, betweenAnchors } from './horizons.ts';
import { solveSymmetric } from './linear.ts';
import { type Method, type OnlineOptions, online } from './online.ts';
import { builtin, errorBands } from './residuals.ts';
import { withoutOutliers } from './season-shape.ts';
import type { Forecaster } from './types.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const SPAN_DAYS = 28;
const MOST_STEPS = 40_320;
/** Values are averaged over this long before the regression. */
const BIN_MS = 900_000;
const MIN_BINS = 64;
const BENDS = 10;
const DAY_ORDER = 8;
const WEEK_ORDER = 3;
const PENALTY = { line: 0.01, bend: 30, day: 1, week: 3, holiday: 1 } as const;
/** Steps whose mean is the slower part of what is left over. */
const SLOW = 8;
const ORIGINS = 800;
/** Steps that what is left over is studied on: the newest. */
const MOST_LEFT = 10_080;

export interface TrendFourierOptions extends OnlineOptions {
  /** Days (UTC) that are unlike others, `YYYY-MM-DD`, past and coming; they share one lift. */
  readonly holidays?: readonly string[];
}

interface Curve {
  at(atMs: number): number;
}

interface State {
  readonly curve: Curve;
  readonly bands: readonly Float64Array[];
  /** Per anchor: weights of what is left over now and of its mean over the last steps. */
  readonly carry: readonly (readonly [number, number])[];
  readonly stepMs: number;
  /** What was left over at the last steps, newest last. */
  left: number[];
}

export function trendFourier(options: TrendFourierOptions = {}): Forecaster {
  const holidays = new Set((options.holidays ?? []).map((day) => Math.floor(Date.parse(day) / DAY_MS)));
  return online(methodWith(holidays), options);
}

function methodWith(holidays: ReadonlySet<number>): Method<State> {
  return {
    model: builtin('trend-fourier'),
    reach: (stepMs) => Math.min(Math.round((SPAN_DAYS * DAY_MS) / stepMs), MOST_STEPS),
    fit(past, endMs, stepMs) {
      const curve = fitCurve(withoutOutliers(past), endMs, stepMs, holidays);
      if (curve === undefined) return undefined;
      const left = leftOver(past.subarray(-MOST_LEFT), curve, endMs, stepMs);
      const slow = slowPart(left);
      const carry = ANCHORS.map((h) => carriedOn(left, slow, h));
      const bands = errorBands(left, SLOW, (t) => {
        const now = left[t] ?? Number.NaN;
        const mean = slow[t] ?? Number.NaN;
        return (h) => {
          const [fast, steady] = carry[ANCHORS.indexOf(h as 1)] ?? [0, 0];
          return fast * now + steady * mean;
        };
      });
      return bands && { curve, bands, carry, stepMs, left: Array.from(left.slice(-SLOW)) };
    },
    advance(state, value, atMs) {
      state.left = [...state.left, value - state.curve.at(atMs)].slice(-SLOW);
    },
    ahead({ curve, bands, carry, stepMs, left }, value, atMs) {
      const known = [...left, value - curve.at(atMs)].slice(-SLOW).filter((rest) => !Number.isNaN(rest));
      const now = known.at(-1) ?? 0;
      const mean = known.reduce((sum, rest) => sum + rest, 0) / Math.max(known.length, 1);
      const carried = carry.map(([fast, steady]) => fast * now + steady * mean);
      return {
        centre: (h) => {
          const { low, high, share } = betweenAnchors(h);
          const a = carried[low] ?? 0;
          return curve.at(atMs + h * stepMs) + a + share * ((carried[high] ?? 0) - a);
        },
        bands,
      };
    },
  };
}

/** Undefined when less than a quarter of a day, or fewer than MIN_BINS bins, is known. */
function fitCurve(
  past: Float64Array,
  endMs: number,
  stepMs: number,
  holidays: ReadonlySet<number>,
): Curve | undefined {
  const bins = binned(past, endMs, stepMs);
  const [first] = bins;
  const last = bins.at(-1);
  if (first === undefined || last === undefined || bins.length < MIN_BINS) return undefined;
  const span = last.atMs - first.atMs;
  const days = span / DAY_MS;
  const orders = { day: days >= 1.5 ? DAY_ORDER : 0, week: days >= 13.5 ? WEEK_ORDER : 0 };
  const features = (atMs: number): Float64Array => {
    const t = (atMs - first.atMs) / span;
    const out = [1, t];
    for (let k = 1; k <= BENDS; k++) out.push(Math.max(t - (0.8 * k) / BENDS, 0));
    for (const [order, period] of [
      [orders.day, DAY_MS],
      [orders.week, WEEK_MS],
    ] as const) {
      for (let k = 1; k <= order; k++) {
        const phase = (2 * Math.PI * k * (atMs % period)) / period;
        out.push(Math.sin(phase), Math.cos(phase));
      }
    }
    out.push(holidays.has(Math.floor(atMs / DAY_MS)) ? 1 : 0);
    return Float64Array.from(out);
  };
  const penalties = [
    0,
    PENALTY.line,
    ...Array.from({ length: BENDS }, () => PENALTY.bend),
    ...Array.from({ length: 2 * orders.day }, () => PENALTY.day),
    ...Array.from({ length: 2 * orders.week }, () => PENALTY.week),
    PENALTY.holiday,
  ];
  const width = penalties.length;
  const mean = bins.reduce((sum, bin) => sum + bin.value, 0) / bins.length;
  const gram = new Float64Array(width * width);
  const moment = new Float64Array(width);
  for (const { atMs, value } of bins) {
    const row = features(atMs);
    for (let i = 0; i < width; i++) {
      const x = row[i] ?? 0;
      if (x === 0) continue;
      moment[i] = (moment[i] ?? 0) + x * (value - mean);
      for (let j = 0; j <= i; j++) gram[i * width + j] = (gram[i * width + j] ?? 0) + x * (row[j] ?? 0);
    }
  }
  penalties.forEach((penalty, i) => {
    gram[i * width + i] = (gram[i * width + i] ?? 0) + penalty + 1e-9;
  });
  const weights = solveSymmetric(gram, moment, width);
  return {
    at(atMs) {
      const row = features(atMs);
      let sum = mean;
      for (let i = 0; i < width; i++) sum += (weights[i] ?? 0) * (row[i] ?? 0);
      return sum;
    },
  };
}

function binned(past: Float64Array, endMs: number, stepMs: number): { atMs: number; value: number }[] {
  const steps = Math.max(1, Math.round(BIN_MS / stepMs));
  const bins: { atMs: number; value: number }[] = [];
  for (let end = past.length; end > 0; end -= steps) {
    let sum = 0;
    let known = 0;
    for (let i = Math.max(end - steps, 0); i < end; i++) {
      const value = past[i] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      sum += value;
      known++;
    }
    const middle = end - (steps + 1) / 2;
    if (known > 0) bins.push({ atMs: endMs - (past.length - 1 - middle) * stepMs, value: sum / known });
  }
  return bins.reverse();
}

/** Values less the curve, which is smooth: read every so many steps and linear between. */
function leftOver(past: Float64Array, curve: Curve, endMs: number, stepMs: number): Float64Array {
  const every = Math.max(1, Math.round(BIN_MS / stepMs));
  const startMs = endMs - (past.length - 1) * stepMs;
  const knots = Float64Array.from({ length: Math.ceil(past.length / every) + 1 }, (_, k) =>
    curve.at(startMs + k * every * stepMs),
  );
  return past.map((value, i) => {
    const k = Math.floor(i / every);
    const a = knots[k] ?? 0;
    return value - a - ((i % every) / every) * ((knots[k + 1] ?? a) - a);
  });
}

/** Mean of what was left over at the last SLOW known steps. */
function slowPart(left: Float64Array): Float64Array {
  return left.map((_, t) => {
    let sum = 0;
    let known = 0;
    for (let i = Math.max(t - SLOW + 1, 0); i <= t; i++) {
      const rest = left[i] ?? Number.NaN;
      if (Number.isNaN(rest)) continue;
      sum += rest;
      known++;
    }
    return known === 0 ? Number.NaN : sum / known;
  });
}

/** Least squares of left[t + h] on left[t] and slow[t], a little shrunk. */
function carriedOn(left: Float64Array, slow: Float64Array, h: number): [number, number] {
  const gram = new Float64Array(4);
  const moment = new Float64Array(2);
  const stride = Math.max(1, Math.floor(left.length / ORIGINS));
  let rows = 0;
  for (let t = left.length - 1 - h; t >= SLOW; t -= stride) {
    const [x, y, target] = [left[t] ?? Number.NaN, slow[t] ?? Number.NaN, left[t + h] ?? Number.NaN];
    if (Number.isNaN(x + y + target)) continue;
    rows++;
    gram[0] = (gram[0] ?? 0) + x * x;
    gram[2] = (gram[2] ?? 0) + x * y;
    gram[3] = (gram[3] ?? 0) + y * y;
    moment[0] = (moment[0] ?? 0) + x * target;
    moment[1] = (moment[1] ?? 0) + y * target;
  }
  if (rows < 32) return [0, 0];
  gram[0] = (gram[0] ?? 0) * (1 + 1 / rows) + 1e-9;
  gram[3] = (gram[3] ?? 0) * (1 + 1 / rows) + 1e-9;
  const [fast = 0, steady = 0] = solveSymmetric(gram, moment, 2);
  return [fast, steady];
}
