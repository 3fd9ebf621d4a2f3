/** A backtest of one trace: every start-up time, objective and policy that was asked for, and what was left out. */
import { isForesailError } from '../errors.ts';
import { elasticSpeedUp } from './elasticity.ts';
import { type CapacityRule, capacityOf, scoredSpan } from './protocol.ts';
import type { BacktestResult, ObjectiveName, PolicyName, ScoredTrace, SkippedTrace } from './report-types.ts';
import { leadSteps, type Run, type Runner } from './runner.ts';
import { type Outcome, tickMsOf } from './simulate.ts';
import { type Span, startOf, type Trace } from './trace.ts';

export interface BacktestOptions {
  readonly startUpMs: readonly number[];
  readonly metricDelayMs: number;
  readonly objectives: readonly ObjectiveName[];
  readonly policies: readonly PolicyName[];
  readonly target: number;
  readonly capacity: CapacityRule;
  readonly coverage: number;
}

/** What can be done with one trace. */
export interface TracePlan {
  readonly trace: Trace;
  readonly scored: Span;
  readonly capacity: number;
  /** Those that the trace is fine enough for. */
  readonly startUpMs: readonly number[];
  /** Steps ahead that a tape must reach. */
  readonly horizon: number;
  readonly skipped: readonly SkippedTrace[];
}

/** A trace of minutes is fine enough for any start-up time: a policy sees no finer load in a cluster either. */
const FINE_STEP_MS = 60_000;
/** A scored span shorter than this says nothing. */
const LEAST_STEPS = 60;

/** What cannot be simulated is skipped with its reason: one odd file must not cost a folder its backtest. */
export function planOf(given: Trace, options: BacktestOptions): TracePlan {
  const trace = measured(given);
  const { name, stepMs } = trace;
  const scored = scoredSpan(trace);
  const skipped: SkippedTrace[] = [];
  const skip = (reason: string, startUpMs?: number): void => {
    const startUp = startUpMs === undefined ? {} : { startUpSeconds: startUpMs / 1000 };
    skipped.push({ trace: name, ...startUp, reason });
  };
  const startUpMs = options.startUpMs.filter((ms) => {
    const fine = stepMs <= Math.max(ms, FINE_STEP_MS);
    if (!fine) skip(`its step of ${stepMs / 1000} s is longer than the start-up time`, ms);
    return fine;
  });
  if (startUpMs.length > 0 && scored.to - scored.from < LEAST_STEPS) {
    skip(`only ${scored.to - scored.from} steps could be scored, at least ${LEAST_STEPS} are needed`);
    startUpMs.length = 0;
  }
  let capacity = Number.NaN;
  try {
    tickMsOf(trace);
    capacity = capacityOf(trace, options.capacity);
  } catch (error) {
    if (!isForesailError(error, 'TRACE_INVALID')) throw error;
    if (startUpMs.length > 0) skip(error.message);
    startUpMs.length = 0;
  }
  const { metricDelayMs } = options;
  return {
    trace,
    scored,
    capacity,
    startUpMs,
    horizon: Math.max(...startUpMs.map((ms) => leadSteps(stepMs, { startUpMs: ms, metricDelayMs })), 1),
    skipped,
  };
}

/** What a repair filled in was not measured: nobody reads it, and it is not scored. */
function measured({ imputed, ...trace }: Trace): Trace {
  if (imputed === undefined) return trace;
  return { ...trace, values: trace.values.map((value, i) => (imputed[i] === 1 ? Number.NaN : value)) };
}

/** True when a policy of these looks at forecasts. */
export function needsForecasts(policies: readonly PolicyName[]): boolean {
  return policies.some(isForecasting);
}

function isForecasting(policy: PolicyName): boolean {
  return policy === 'foresail' || policy === 'shadow';
}

/** @param runner of the plan's trace, capacity and scored span */
export function runBacktest(
  { startUpMs, trace }: TracePlan,
  runner: Runner,
  options: BacktestOptions,
  onProgress: (done: number, all: number) => void = () => {},
): BacktestResult[] {
  const { objectives, policies, target, coverage } = options;
  const results: BacktestResult[] = [];
  const all = startUpMs.length * objectives.length * policies.length;
  for (const startUp of startUpMs)
    for (const objective of objectives) {
      const shared: Omit<Run, 'policy'> = { startUpMs: startUp, target, objective, coverage };
      const hpa = runner.run({ ...shared, policy: 'hpa' });
      for (const policy of policies) {
        const outcome = runner.run({ ...shared, policy });
        results.push({
          trace: trace.name,
          startUpSeconds: startUp / 1000,
          objective,
          policy,
          ...numbersOf(outcome),
          eps: elasticSpeedUp(outcome, hpa),
          ...(isForecasting(policy) ? coverageIn(runner, coverage, startUp) : NO_COVERAGE),
        });
        onProgress(results.length, all);
      }
    }
  return results;
}

export function scoredTrace({ trace, scored, capacity }: TracePlan): ScoredTrace {
  const [fromMs, toMs] = [startOf(trace, scored.from), startOf(trace, scored.to)];
  return {
    trace: trace.name,
    stepSeconds: trace.stepMs / 1000,
    capacity,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    days: (toMs - fromMs) / 86_400_000,
  };
}

function numbersOf(outcome: Outcome) {
  const { thetaU, thetaO, tauU, tauO, underProvisionedMinutes } = outcome;
  const { replicaMinutesShort, replicaHours, actionsPerDay } = outcome;
  return {
    thetaU,
    thetaO,
    tauU,
    tauO,
    underProvisionedMinutes,
    replicaMinutesShort,
    replicaHours,
    actionsPerDay,
  };
}

const NO_COVERAGE = { coverageAsked: null, coverageRealised: null, coverageRealisedTopDecile: null } as const;

function coverageIn(runner: Runner, asked: number, startUpMs: number) {
  const { realised, topDecile } = runner.coverage(asked, startUpMs);
  return { coverageAsked: asked, coverageRealised: realised, coverageRealisedTopDecile: topDecile };
}
