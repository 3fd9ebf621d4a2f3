/**
 * The Theta method (Assimakopoulos & Nikolopoulos 2000): seasonally adjust, halve and double the local curvature
 * (theta 0 is the trend line, theta 2 is smoothed exponentially) and average the two. That equals simple exponential
 * smoothing with a drift of half the slope (Hyndman & Billah 2003), which is how it is computed:
 *
 *   x(n + h) = l(n) + b / 2 * (h - 1 + 1 / alpha)      b = slope of the line through the past, large n
 *
 * alpha minimises the squared error of the next step, as in the standard method. The season is that of
 * `season-shape.ts`; the slope is taken over the last two days.
 */
import { type Method, type OnlineOptions, online } from './online.ts';
import { builtin, errorBands } from './residuals.ts';
import { type SeasonShape, seasonShape, shapeAt, unseenFactor, withoutShape } from './season-shape.ts';
import { type Forecaster, MODEL_LEVELS } from './types.ts';

const DAY_MS = 86_400_000;
const SPAN_DAYS = 14;
const SLOPE_DAYS = 2;
const MIN_KNOWN = 96;
const MOST_STEPS = 20_160;
const ALPHAS = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;

interface State {
  readonly alpha: number;
  readonly slope: number;
  readonly shape: SeasonShape;
  readonly bands: readonly Float64Array[];
  readonly stepMs: number;
  level: number;
}

export function theta(options: OnlineOptions = {}): Forecaster {
  return online(METHOD, options);
}

const METHOD: Method<State> = {
  model: builtin('theta'),
  reach: (stepMs) => Math.min(Math.round((SPAN_DAYS * DAY_MS) / stepMs), MOST_STEPS),
  fit(past, endMs, stepMs) {
    if (past.reduce((known, value) => known + (Number.isNaN(value) ? 0 : 1), 0) < MIN_KNOWN) return undefined;
    const shape = seasonShape(past, endMs, stepMs);
    const rest = withoutShape(past, shape, endMs, stepMs);
    let chosen: { alpha: number; levels: Float64Array; loss: number } | undefined;
    for (const alpha of ALPHAS) {
      const run = smoothed(rest, alpha);
      if (chosen === undefined || run.loss < chosen.loss) chosen = { alpha, ...run };
    }
    if (chosen === undefined) return undefined;
    const { alpha, levels } = chosen;
    const slope = slopeOf(rest.subarray(-Math.round((SLOPE_DAYS * DAY_MS) / stepMs)));
    const bands = errorBands(
      rest,
      Math.floor(rest.length / 10),
      (t) => (h) => (levels[t] ?? Number.NaN) + drift(slope, alpha, h),
      unseenFactor(shape),
    )?.map(aroundMedian);
    return bands && { alpha, slope, shape, bands, stepMs, level: levels.at(-1) ?? Number.NaN };
  },
  advance(state, value, atMs) {
    state.level = levelAfter(state, value, atMs);
  },
  ahead(state, value, atMs) {
    const { slope, alpha, shape, stepMs, bands } = state;
    const level = levelAfter(state, value, atMs);
    const centre = (h: number): number => level + drift(slope, alpha, h) + shapeAt(shape, atMs + h * stepMs);
    return { centre, bands };
  },
};

function drift(slope: number, alpha: number, h: number): number {
  return (slope / 2) * (h - 1 + 1 / alpha);
}

/** The median of the forecast is the method's own; what it was off by on the whole is not added to it. */
function aroundMedian(band: Float64Array): Float64Array {
  const median = band[MODEL_LEVELS.indexOf(0.5)] ?? 0;
  return band.map((offset) => offset - median);
}

function levelAfter({ level, alpha, shape }: State, value: number, atMs: number): number {
  const rest = value - shapeAt(shape, atMs);
  if (Number.isNaN(level)) return rest;
  return Number.isNaN(rest) ? level : level + alpha * (rest - level);
}

function smoothed(rest: Float64Array, alpha: number): { levels: Float64Array; loss: number } {
  const levels = new Float64Array(rest.length);
  let level = Number.NaN;
  let loss = 0;
  for (let t = 0; t < rest.length; t++) {
    const error = (rest[t] ?? Number.NaN) - level;
    if (Number.isNaN(level)) level = rest[t] ?? Number.NaN;
    else if (!Number.isNaN(error)) {
      loss += error * error;
      level += alpha * error;
    }
    levels[t] = level;
  }
  return { levels, loss };
}

/** Least squares of the known values on their index. */
function slopeOf(values: Float64Array): number {
  let n = 0;
  let meanX = 0;
  let meanY = 0;
  values.forEach((y, x) => {
    if (Number.isNaN(y)) return;
    n++;
    meanX += (x - meanX) / n;
    meanY += (y - meanY) / n;
  });
  let cross = 0;
  let square = 0;
  values.forEach((y, x) => {
    if (Number.isNaN(y)) return;
    cross += (x - meanX) * (y - meanY);
    square += (x - meanX) ** 2;
  });
  return square === 0 ? 0 : cross / square;
}
