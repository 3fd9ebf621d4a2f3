/**
 * All that one load has taught us about its forecasts: a calibration per forecaster (each is wrong in its own way)
 * and the contest between them. The controller calls `settle`, asks the forecasters in the order of `order`, then calls
 * `issue` and `upperPath` at every decision; at a step for which `competes` says so, the others' forecasts go to
 * `compete`.
 */
import { Calibration, type CalibrationState, type RealisedCoverage } from './calibration.ts';
import { Contest, type ContestState } from './contest.ts';
import { PLAN_LEVELS, type Plan, ServiceLevel, type ServiceLevelState } from './service-level.ts';
import type { ServiceTerms } from './service-terms.ts';
import type { QuantileForecast, UpperLoadPath } from './types.ts';
import { type PathWindow, planPath, upperLoadPath } from './upper-path.ts';

/** Forecasters that are remembered; the one used longest ago goes first. */
const REMEMBERED = 4;

export interface LearnerOptions {
  readonly stepMs: number;
  readonly coverage: number;
  /** Id of the forecaster that the scaler should use. */
  readonly preferred: string;
}

export interface LearnerState {
  readonly stepMs: number;
  readonly calibrations: readonly { readonly by: string; readonly state: CalibrationState }[];
  readonly contest: ContestState;
  /** Absent in what was stored before it was learned. */
  readonly service?: ServiceLevelState;
}

export class ForecastLearner {
  #options: LearnerOptions;
  /** Most recently used last. */
  readonly #calibrations = new Map<string, Calibration>();
  #contest: Contest;
  #service: ServiceLevel;
  #servedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LearnerOptions) {
    this.#options = options;
    this.#contest = new Contest(options.preferred, options);
    this.#service = new ServiceLevel(options);
  }

  get coverage(): number {
    return this.#options.coverage;
  }

  get contest(): Contest {
    return this.#contest;
  }

  /** Ids of forecasters, the leader first, then by their record; who is not among them has none yet. */
  order(): readonly string[] {
    return this.#contest.order();
  }

  /** True once per step: then everyone who can should forecast from it. Ask before `issue`. */
  competes(originMs: number): boolean {
    return originMs > this.#contest.enteredMs;
  }

  /** Takes over a changed spec. */
  ask(coverage: number, preferred = this.#options.preferred): void {
    this.#options = { ...this.#options, coverage, preferred };
    this.#contest.prefer(preferred);
    for (const calibration of this.#calibrations.values()) calibration.ask(coverage);
    this.#service.ask(coverage);
  }

  /** See Calibration.settle. Call with the newest complete step before issuing the next forecast. */
  settle(upToMs: number, read: (atMs: number) => number): void {
    for (const calibration of this.#calibrations.values()) calibration.settle(upToMs, read);
    this.#contest.settle(upToMs, read);
  }

  /** A forecast that the decision sees (also in Shadow), made by the forecaster `by`. */
  issue(by: string, forecast: QuantileForecast): void {
    this.#of(by).issue(forecast);
    this.#contest.enter(by, forecast);
  }

  /** A forecast that only competes. The one next in line is calibrated too, so that its band is measured when it leads. */
  compete(by: string, forecast: QuantileForecast): void {
    if (by === this.#contest.order()[1]) this.#of(by).issue(forecast);
    this.#contest.enter(by, forecast);
  }

  /** A forecast that neither serves nor competes: it is calibrated, so that its band is measured should it ever serve. */
  shadow(by: string, forecast: QuantileForecast): void {
    this.#of(by).issue(forecast);
  }

  upperPath(by: string, forecast: QuantileForecast, window: PathWindow): UpperLoadPath | undefined {
    return upperLoadPath(forecast, this.#of(by), window);
  }

  /**
   * Goes through one step with the targets that are replayed at every level; a step that was seen already changes
   * nothing. Call after `issue`, in the order of time.
   *
   * @param load of the step that the forecast starts from, in the load's unit
   */
  serve(by: string, forecast: QuantileForecast, load: number, terms: ServiceTerms): void {
    if (forecast.originMs <= this.#servedMs || Number.isNaN(load)) return;
    this.#servedMs = forecast.originMs;
    const calibration = this.#of(by);
    const last = Math.min(terms.readySteps + 1, forecast.horizon);
    const ready = Math.min(terms.readySteps, forecast.horizon);
    const at = new Float64Array(PLAN_LEVELS.length);
    const peaks = PLAN_LEVELS.map(() => ({ near: 0, ready: 0 }));
    for (let h = 1; h <= last; h++) {
      calibration.quantiles(forecast, h, PLAN_LEVELS, at);
      for (const [j, peak] of peaks.entries()) {
        const load = at[j] as number;
        if (h < last) peak.near = Math.max(peak.near, load);
        if (h >= ready) peak.ready = Math.max(peak.ready, load);
      }
    }
    this.#service.observe(load, terms, peaks);
  }

  /** What replicas are ordered for; see ServiceLevel. */
  plan(objective: ServiceTerms['objective']): Plan {
    return this.#service.plan(objective);
  }

  /** As upperPath, at a level of its own and without the feedback on the asked coverage. */
  planPath(
    by: string,
    forecast: QuantileForecast,
    window: PathWindow,
    level: number,
  ): UpperLoadPath | undefined {
    return planPath(forecast, this.#of(by), window, level);
  }

  /** Asked and realised coverage of a forecaster at the end of the lead window. */
  realised(by: string, windowMs: number): RealisedCoverage {
    return this.#of(by).realised(this.#stepsIn(windowMs));
  }

  /** The forecast misses more than any band repairs (a sign of drift). */
  pinned(by: string, windowMs: number): boolean {
    return this.#of(by).pinned(this.#stepsIn(windowMs));
  }

  toState(): LearnerState {
    return {
      stepMs: this.#options.stepMs,
      calibrations: [...this.#calibrations].map(([by, calibration]) => ({
        by,
        state: calibration.toState(),
      })),
      contest: this.#contest.toState(),
      service: this.#service.toState(),
    };
  }

  /** Scores belong to a step; with another step the learner starts anew. */
  static fromState(state: LearnerState, options: LearnerOptions): ForecastLearner {
    const learner = new ForecastLearner(options);
    if (state.stepMs !== options.stepMs) return learner;
    for (const { by, state: calibration } of state.calibrations.slice(-REMEMBERED)) {
      learner.#calibrations.set(by, Calibration.fromState(calibration, options));
    }
    if (state.service !== undefined) learner.#service = ServiceLevel.fromState(state.service, options);
    learner.#contest = Contest.fromState(state.contest, options, options.preferred);
    return learner;
  }

  #stepsIn(windowMs: number): number {
    return Math.max(Math.ceil(windowMs / this.#options.stepMs), 1);
  }

  #of(by: string): Calibration {
    const calibration = this.#calibrations.get(by) ?? new Calibration(this.#options);
    this.#calibrations.delete(by);
    this.#calibrations.set(by, calibration);
    if (this.#calibrations.size > REMEMBERED) {
      this.#calibrations.delete(this.#calibrations.keys().next().value ?? '');
    }
    return calibration;
  }
}
