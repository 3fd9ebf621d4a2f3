/**
 * The load that the operator would have planned for at every step of a trace: a tape of forecasts, calibrated in the
 * order in which the operator does it. Without terms it is the load that holds with the asked coverage, which all
 * start-up times, objectives and policies share; with them it is at the level that served the asked share of time.
 */
import { ForecastLearner } from '../forecast/learner.ts';
import { lookAhead } from '../forecast/look-ahead.ts';
import type { ServiceTerms } from '../forecast/service-terms.ts';
import type { ModelRef, QuantileForecast } from '../forecast/types.ts';
import type { ForecastTape, TapeTrack } from './tape.ts';
import { type Span, startOf, type Trace } from './trace.ts';

export interface Band {
  readonly trace: Trace;
  readonly coverage: number;
  /** Steps ahead. */
  readonly horizon: number;
  /** [steps, horizon + 1] row-major, thousandths: the newest load, then the upper load step by step; NaN = none. */
  readonly pathMilli: Float64Array;
  /** 1 where the band is measured on this load. */
  readonly calibrated: Uint8Array;
  readonly model: ModelRef | undefined;
}

/** @throws COVERAGE_INVALID */
export function calibrate(tape: ForecastTape, coverage: number, terms?: ServiceTerms): Band {
  const { trace, horizon, tracks } = tape;
  const { values, stepMs } = trace;
  const width = horizon + 1;
  const pathMilli = new Float64Array(values.length * width).fill(Number.NaN);
  const calibrated = new Uint8Array(values.length);
  const learner = new ForecastLearner({ stepMs, coverage, preferred: tracks[0]?.by ?? '' });
  const read = (atMs: number): number => values[Math.round((atMs - trace.startMs) / stepMs)] ?? Number.NaN;
  let model: ModelRef | undefined;
  let load = Number.NaN;
  for (let step = 0; step < values.length; step++) {
    const value = values[step] ?? Number.NaN;
    if (!Number.isNaN(value)) load = value;
    const originMs = startOf(trace, step);
    // The operator counts a step as complete when the next one has begun, so it settles one step behind.
    learner.settle(originMs - stepMs, read);
    const [served, ...others] = spoken(tracks, learner, step);
    if (served === undefined) continue;
    const { by, forecast } = served;
    for (const other of others) learner.compete(other.by, other.forecast);
    const ahead = lookAhead(learner, by, forecast, originMs, load, terms);
    if (ahead === undefined) continue;
    pathMilli.set(ahead.path.loadMilli, step * width);
    calibrated[step] = ahead.confidence === 'Calibrated' ? 1 : 0;
    model ??= forecast.model;
  }
  return { trace, coverage, horizon, pathMilli, calibrated, model };
}

/** The forecasts of a step as the operator's service orders them: the leader first, then by record, then the rest. */
function spoken(
  tracks: readonly TapeTrack[],
  learner: ForecastLearner,
  step: number,
): { by: string; forecast: QuantileForecast }[] {
  const found: { by: string; forecast: QuantileForecast }[] = [];
  for (const { by, at } of tracks) {
    const forecast = at(step);
    if (forecast !== undefined) found.push({ by, forecast });
  }
  if (found.length < 2) return found;
  const order = learner.order();
  const rank = (by: string): number => {
    const at = order.indexOf(by);
    return at === -1 ? order.length : at;
  };
  return found.sort((a, b) => rank(a.by) - rank(b.by));
}

export interface RealisedCoverage {
  /** Share of scored steps whose load did not exceed what was said of it; null where nothing was said. */
  readonly realised: number | null;
  /** The same over the tenth of the scored steps with the highest load. */
  readonly topDecile: number | null;
}

/** @param ahead steps from the newest known load to the one that is compared (the end of the lead window) */
export function coverageOf(band: Band, ahead: number, scored: Span): RealisedCoverage {
  const { values } = band.trace;
  const h = Math.min(ahead, band.horizon);
  const width = band.horizon + 1;
  const loads = values
    .slice(scored.from, scored.to)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const high = loads[Math.floor(loads.length * 0.9)] ?? Number.POSITIVE_INFINITY;
  const all = { held: 0, count: 0 };
  const top = { held: 0, count: 0 };
  for (let target = Math.max(scored.from, h); target < scored.to; target++) {
    const value = values[target] ?? Number.NaN;
    const upper = (band.pathMilli[(target - h) * width + h] ?? Number.NaN) / 1000;
    if (Number.isNaN(value) || Number.isNaN(upper)) continue;
    const held = value <= upper ? 1 : 0;
    all.held += held;
    all.count += 1;
    if (value < high) continue;
    top.held += held;
    top.count += 1;
  }
  const share = ({ held, count }: typeof all): number | null => (count === 0 ? null : held / count);
  return { realised: share(all), topDecile: share(top) };
}
