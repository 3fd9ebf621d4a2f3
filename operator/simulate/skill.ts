/**
 * Does a forecast know anything? Its upper path at the lead time is compared with the plain range of the last day,
 * which knows nothing of the time of day and nothing of the last hour. On a load without any pattern the two are
 * equally good, however well either of them may serve as a number of replicas.
 */
import type { Band } from './band.ts';
import type { Span } from './trace.ts';

const DAY_MS = 86_400_000;
/** The range of the last day is looked up anew so often per day. */
const LOOK_UPS = 96;

/**
 * 1 - (pinball loss of the band) / (pinball loss of the last day's quantile), at the asked coverage.
 *
 * @param ahead steps from the newest known load to the one that is compared
 * @returns null where nothing can be compared, or where the load does not move at all
 */
export function skillOf(
  { trace, coverage, horizon, pathMilli }: Band,
  ahead: number,
  scored: Span,
): number | null {
  const { values, stepMs } = trace;
  const h = Math.min(ahead, horizon);
  const width = horizon + 1;
  const day = Math.max(Math.round(DAY_MS / stepMs), 1);
  const every = Math.max(Math.round(day / LOOK_UPS), 1);
  let usual = Number.NaN;
  let lookedUpAt = Number.NEGATIVE_INFINITY;
  let [ours, plain] = [0, 0];
  for (let target = Math.max(scored.from, h); target < scored.to; target++) {
    const origin = target - h;
    if (origin - lookedUpAt >= every) {
      usual = quantile(values.subarray(Math.max(origin + 1 - day, 0), origin + 1), coverage);
      lookedUpAt = origin;
    }
    const load = values[target] ?? Number.NaN;
    const upper = (pathMilli[origin * width + h] ?? Number.NaN) / 1000;
    if (Number.isNaN(load) || Number.isNaN(upper) || Number.isNaN(usual)) continue;
    ours += pinball(load, upper, coverage);
    plain += pinball(load, usual, coverage);
  }
  return plain > 0 ? 1 - ours / plain : null;
}

/** Koenker and Bassett 1978: the loss whose mean is least at the quantile itself. */
function pinball(value: number, at: number, level: number): number {
  return value >= at ? level * (value - at) : (1 - level) * (at - value);
}

function quantile(values: Float64Array, level: number): number {
  const known = values.filter((value) => !Number.isNaN(value)).sort();
  return known.length === 0
    ? Number.NaN
    : (known[Math.min(Math.ceil(level * known.length), known.length) - 1] ?? Number.NaN);
}
