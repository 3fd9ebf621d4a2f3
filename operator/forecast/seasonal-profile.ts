/**
 * What this time of day usually brings, whatever it was a minute ago: quantiles per half hour over the last four
 * weeks, weekends apart once there are two of them. It knows nothing of today, and that is its use: it is what a
 * forecast has to beat, and it does not follow a fault.
 */
import { ANCHORS } from './horizons.ts';
import { type Method, type OnlineOptions, online } from './online.ts';
import { empiricalQuantile } from './quantiles.ts';
import { builtin } from './residuals.ts';
import { betweenBuckets, isWeekend } from './season-shape.ts';
import { type Forecaster, MODEL_LEVELS } from './types.ts';

const DAY_MS = 86_400_000;
const BUCKETS = 48;
const SPAN_DAYS = 28;
const MOST_STEPS = 40_320;
/** Half hours that must be known, of the 48. */
const ENOUGH_BUCKETS = 36;
const ENOUGH_VALUES = 4;
/** Values that stand for a half hour; more make its quantiles no better. */
const MOST_VALUES = 400;
const WEEKEND_DAYS = 4;
const MEDIAN = MODEL_LEVELS.indexOf(0.5);

interface State {
  /** [48][levels] each. */
  readonly weekday: readonly Float64Array[];
  readonly weekend: readonly Float64Array[];
  readonly stepMs: number;
}

export function seasonalProfileForecaster(options: OnlineOptions = {}): Forecaster {
  return online(METHOD, options);
}

const METHOD: Method<State> = {
  model: builtin('seasonal-profile'),
  reach: (stepMs) => Math.min(Math.round((SPAN_DAYS * DAY_MS) / stepMs), MOST_STEPS),
  fit(past, endMs, stepMs) {
    const groups = [emptyBuckets(), emptyBuckets()] as const;
    const weekends = new Set<number>();
    past.forEach((value, i) => {
      if (Number.isNaN(value)) return;
      const atMs = endMs - (past.length - 1 - i) * stepMs;
      const off = isWeekend(atMs);
      if (off) weekends.add(Math.floor(atMs / DAY_MS));
      groups[off ? 1 : 0][Math.floor(((atMs % DAY_MS) / DAY_MS) * BUCKETS)]?.push(value);
    });
    const apart = weekends.size >= WEEKEND_DAYS;
    const [workdays, offdays] = groups;
    const all = apart ? workdays : workdays.map((bucket, i) => [...bucket, ...(offdays[i] ?? [])]);
    const weekday = quantilesOf(all);
    const weekend = apart ? quantilesOf(offdays) : weekday;
    return weekday === undefined || weekend === undefined ? undefined : { weekday, weekend, stepMs };
  },
  advance() {},
  ahead(state, _value, atMs) {
    const at = (h: number, level: number): number => {
      const time = atMs + h * state.stepMs;
      const rows = isWeekend(time) ? state.weekend : state.weekday;
      const { low, high, share } = betweenBuckets(time, BUCKETS);
      const a = rows[low]?.[level] ?? Number.NaN;
      return a + share * ((rows[high]?.[level] ?? Number.NaN) - a);
    };
    const bands = ANCHORS.map((h) => {
      const middle = at(h, MEDIAN);
      return Float64Array.from(MODEL_LEVELS, (_, level) => at(h, level) - middle);
    });
    return { centre: (h) => at(h, MEDIAN), bands };
  },
};

function emptyBuckets(): number[][] {
  return Array.from({ length: BUCKETS }, () => []);
}

/** A half hour that is not known is as the one before it. */
function quantilesOf(buckets: readonly number[][]): Float64Array[] | undefined {
  const rows = buckets.map((values) => {
    if (values.length < ENOUGH_VALUES) return undefined;
    const stride = Math.ceil(values.length / MOST_VALUES);
    const sorted = Float64Array.from(values.filter((_, i) => i % stride === 0)).sort();
    return Float64Array.from(MODEL_LEVELS, (level) => empiricalQuantile(sorted, level));
  });
  const known = rows.filter((row) => row !== undefined);
  if (known.length < ENOUGH_BUCKETS) return undefined;
  let before = known.at(-1) ?? new Float64Array(MODEL_LEVELS.length);
  return rows.map((row) => {
    before = row ?? before;
    return before;
  });
}
