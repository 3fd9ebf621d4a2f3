/**
 * From a forecast that has just been made to the load that the decision plans for: noted for calibration, lifted to
 * what serves the asked share of time, and led by the load that was read. The operator and the simulator take
 * this same way.
 */
import type { ForecastLearner } from './learner.ts';
import type { Plan } from './service-level.ts';
import type { ServiceTerms } from './service-terms.ts';
import type { Confidence, QuantileForecast, UpperLoadPath } from './types.ts';

export interface AheadPath {
  /** Value i covers [originMs + i * stepMs, originMs + (i + 1) * stepMs), thousandths of the metric's unit. */
  readonly originMs: number;
  readonly stepMs: number;
  readonly loadMilli: Float64Array;
}

export interface Ahead {
  /** What the decision plans for. */
  readonly path: AheadPath;
  /** What `path` stands for. */
  readonly plan: Plan;
  /** The load that holds with the asked coverage, step by step from the one after the origin; milli. */
  readonly upper: UpperLoadPath;
  readonly confidence: Confidence;
}

/**
 * The whole horizon, not only the lead window: in a metrics outage this path is what is left.
 *
 * @param load the load that was read last, in the metric's own unit
 * @param terms undefined where it is not known what a replica carries: then the asked coverage is planned for
 * @returns undefined when the forecast ends before `nowMs`
 */
export function lookAhead(
  learner: ForecastLearner,
  by: string,
  forecast: QuantileForecast,
  nowMs: number,
  load: number,
  terms: ServiceTerms | undefined,
): Ahead | undefined {
  learner.issue(by, forecast);
  const window = { fromMs: nowMs, windowMs: forecast.horizon * forecast.stepMs };
  const upper = learner.upperPath(by, forecast, window);
  if (upper === undefined) return undefined;
  const { confidence } = upper;
  if (terms === undefined) {
    const plan: Plan = { kind: 'Level', level: learner.coverage };
    return { path: fromOrigin(upper, forecast, load), plan, upper, confidence };
  }
  learner.serve(by, forecast, load, terms);
  const plan = learner.plan(terms.objective);
  const planned =
    plan.kind === 'Level'
      ? learner.planPath(by, forecast, window, plan.level)
      : flat(upper, load / plan.utilization);
  return { path: fromOrigin(planned ?? upper, forecast, load), plan, upper, confidence };
}

/** The same load at all steps of a path. */
function flat(path: UpperLoadPath, load: number): UpperLoadPath {
  return { ...path, loadMilli: new Float64Array(path.loadMilli.length).fill(load * 1000) };
}

/** The step of a forecast (1-based) in which the lead window ends. */
export function leadStepOf({ originMs, stepMs, horizon }: QuantileForecast, windowToMs: number): number {
  return Math.min(Math.max(Math.ceil((windowToMs - originMs) / stepMs), 1), horizon);
}

/** The step that runs now carries the load that was just read; the forecast begins with the next one. */
function fromOrigin(
  { stepMs, loadMilli, fromMs }: UpperLoadPath,
  { originMs }: QuantileForecast,
  load: number,
): AheadPath {
  if (fromMs !== originMs + stepMs) return { originMs: fromMs, stepMs, loadMilli };
  const whole = new Float64Array(loadMilli.length + 1);
  whole[0] = load * 1000;
  whole.set(loadMilli, 1);
  return { originMs, stepMs, loadMilli: whole };
}
