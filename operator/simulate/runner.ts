/**
 * Many runs on one trace: what they share is made once (the forecasts before, a band per coverage here) and a run that
 * was made before is not made again. This is what the backtest, the frontier and research call.
 */

import { HPA_DEFAULTS } from '../decision/reactive/tuning.ts';
import { ForesailError } from '../errors.ts';
import { leadWindow, readySteps } from '../forecast/lead-window.ts';
import type { ServiceTerms } from '../forecast/service-terms.ts';
import { type Band, calibrate, coverageOf, type RealisedCoverage } from './band.ts';
import { foresailPolicy, hpaPolicy, leadConditions, OBJECTIVES, shadowPolicy } from './policies/decided.ts';
import { oraclePolicy, profilePolicy, staticPolicy } from './policies/simple.ts';
import type { ObjectiveName, PolicyName } from './report-types.ts';
import { type Outcome, type Policy, simulate } from './simulate.ts';
import type { ForecastTape } from './tape.ts';
import type { Span, Trace } from './trace.ts';

export interface RunnerOptions {
  readonly metricDelayMs: number;
  /** Load that one replica carries. */
  readonly capacity: number;
  readonly scored: Span;
}

export interface Run {
  readonly policy: PolicyName;
  readonly startUpMs: number;
  /** Share of the capacity that HPA, the reactive rule of ours and the profile aim at. */
  readonly target: number;
  /** For foresail and shadow. */
  readonly objective: ObjectiveName;
  readonly coverage: number;
  /** Keep the ready replicas tick by tick. */
  readonly record?: boolean;
}

export interface Runner {
  readonly trace: Trace;
  readonly options: RunnerOptions;
  run(run: Run): Outcome;
  band(coverage: number): Band;
  /** Of the forecast at the end of the lead window. */
  coverage(coverage: number, startUpMs: number): RealisedCoverage;
}

/** Bands kept at once: each is as large as the trace times the horizon. */
export const BANDS = 4;

/** Steps from the newest known load to the end of the lead window. */
export function leadSteps(stepMs: number, conditions: { startUpMs: number; metricDelayMs: number }): number {
  return Math.max(Math.ceil(leadWindow(0, leadConditions(stepMs, conditions)).toMs / stepMs), 1);
}

/** @param tape may be absent where no policy forecasts */
export function createRunner(trace: Trace, tape: ForecastTape | undefined, options: RunnerOptions): Runner {
  const bands = new Map<string, Band>();
  const outcomes = new Map<string, Outcome>();

  function band(coverage: number, run?: Run): Band {
    const terms = run && serviceTerms(trace.stepMs, options, run);
    const key = terms === undefined ? String(coverage) : [coverage, ...Object.values(terms)].join();
    const kept = bands.get(key);
    if (kept !== undefined) return kept;
    if (tape === undefined)
      throw new ForesailError('TAPE_MISSING', 'terminal', `${trace.name}: no forecasts were recorded`, {
        subject: trace.name,
      });
    const made = calibrate(tape, coverage, terms);
    bands.set(key, made);
    if (bands.size > BANDS) bands.delete(bands.keys().next().value ?? key);
    return made;
  }

  function policyOf(run: Run): Policy {
    const { policy, target, objective, coverage } = run;
    switch (policy) {
      case 'hpa':
        return hpaPolicy({ target });
      case 'foresail':
        return foresailPolicy({ target, objective, band: band(coverage, run) });
      case 'shadow':
        return shadowPolicy({ target, objective, band: band(coverage) });
      case 'static':
        return staticPolicy();
      case 'profile':
        return profilePolicy(target);
      case 'oracle':
        return oraclePolicy();
    }
  }

  return {
    trace,
    options,
    band,
    run(run) {
      const key = keyOf(run);
      const kept = outcomes.get(key);
      if (kept !== undefined && (run.record !== true || kept.ready !== undefined)) return kept;
      const { startUpMs, record = false } = run;
      const outcome = simulate(trace, policyOf(run), { ...options, startUpMs, record });
      outcomes.set(key, outcome);
      return outcome;
    },
    coverage: (coverage, startUpMs) =>
      coverageOf(
        band(coverage),
        leadSteps(trace.stepMs, { startUpMs, metricDelayMs: options.metricDelayMs }),
        options.scored,
      ),
  };
}

/** What the controller puts together from a target's spec (controllers/predictivescaler/outlook.ts). */
function serviceTerms(
  stepMs: number,
  { capacity, metricDelayMs }: RunnerOptions,
  { startUpMs, target, objective }: Run,
): ServiceTerms {
  return {
    objective: OBJECTIVES[objective],
    capacity,
    reactiveTarget: objective === 'efficiency' ? capacity : target * capacity,
    readySteps: readySteps(leadWindow(0, leadConditions(stepMs, { startUpMs, metricDelayMs })), stepMs),
    holdSteps: Math.ceil(HPA_DEFAULTS.downscaleStabilizationMs / stepMs),
  };
}

/** Only what the policy heeds: HPA is the same under both objectives. */
function keyOf({ policy, startUpMs, target, objective, coverage }: Run): string {
  switch (policy) {
    case 'foresail':
      return [policy, startUpMs, target, objective, coverage].join();
    case 'shadow':
    case 'hpa':
    case 'profile':
      return [policy, startUpMs, target].join();
    case 'static':
    case 'oracle':
      return [policy, startUpMs].join();
  }
}
