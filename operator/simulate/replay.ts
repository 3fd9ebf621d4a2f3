/**
 * A scaler's own past, lived through once more by its own spec: with its forecast, with a plain HPA, and with HPAs whose
 * target was tuned in hindsight. What the numbers speak for is judged in verdict.ts.
 */
import { holdMs } from '../decision/memory.ts';
import type { DecisionSpec, MetricPlan, Mode, ReactiveTuning } from '../decision/types.ts';
import { leadWindow, readySteps } from '../forecast/lead-window.ts';
import type { ServiceTerms } from '../forecast/service-terms.ts';
import type { Forecaster } from '../forecast/types.ts';
import { type Band, calibrate, coverageOf } from './band.ts';
import { costAt, lowerEnvelope } from './envelope.ts';
import { leadConditions, scalerPolicy } from './policies/decided.ts';
import { leadSteps } from './runner.ts';
import { type Outcome, simulate } from './simulate.ts';
import { skillOf } from './skill.ts';
import { recordTape } from './tape.ts';
import { type Span, startOf, type Trace } from './trace.ts';

export interface ReplayRequest {
  /** The past, up to two weeks more of it than is replayed: seasons are read there. */
  readonly trace: Trace;
  /** Its one metric is a total with a target of AverageValue; the mode does not matter. */
  readonly spec: DecisionSpec;
  readonly tuning: ReactiveTuning;
  readonly coverage: number;
  readonly startUpMs: number;
  readonly metricDelayMs: number;
  /** Load that one replica is taken to carry. */
  readonly capacity: number;
}

/** One side of the comparison, over the scored time. */
export interface Side {
  readonly underProvisionedMinutes: number;
  readonly replicaHours: number;
  /** Per cent of the time with fewer replicas ready than needed. */
  readonly tauU: number;
}

export interface Replay {
  /** Scored time. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly ours: Side;
  readonly hpa: Side;
  /** What the cheapest HPA would have cost that was short for no longer than ours; null where no target is tight enough. */
  readonly tunedHpaReplicaHours: number | null;
  readonly coverage: { readonly asked: number; readonly realised: number | null };
  /** How much better than the load's plain range of the last day the forecast was; null where it said nothing. */
  readonly skill: number | null;
}

const HOUR_MS = 3_600_000;
/** Three days hold what repeats each day three times, and what a week does once begun. */
const SCORED_MS = 72 * HOUR_MS;
/** So many forecasts before the scored time make a measured band. */
const WARM_STEPS = 400;
/** Less than a day of past proves nothing about days. */
export const LEAST_HISTORY_MS = 24 * HOUR_MS;
const LEAST_KNOWN = 0.8;
/** Targets of the tuned HPAs, in shares of the one asked for. */
const TARGETS = [0.55, 0.7, 0.85, 1, 1.15, 1.3];

/** Steps of the past that are lived through, and those of them that are scored; undefined when too little is known. */
export function replaySpan({
  values,
  stepMs,
}: Trace): { readonly lived: Span; readonly scored: Span } | undefined {
  const first = values.findIndex((value) => !Number.isNaN(value));
  const to = values.length;
  if (first === -1 || (to - first) * stepMs < LEAST_HISTORY_MS) return undefined;
  const warm = Math.min(WARM_STEPS, Math.floor((to - first) * 0.3));
  const from = Math.max(first + warm, to - Math.ceil(SCORED_MS / stepMs));
  let known = 0;
  for (let step = from; step < to; step++) if (!Number.isNaN(values[step])) known += 1;
  if (known < (to - from) * LEAST_KNOWN) return undefined;
  return { lived: { from: from - warm, to }, scored: { from, to } };
}

/**
 * @param forecasters in the order in which they serve
 * @returns undefined when too little of the past is known
 */
export async function replay(
  request: ReplayRequest,
  forecasters: readonly Forecaster[],
  signal: AbortSignal,
): Promise<Replay | undefined> {
  const { trace, spec, tuning, coverage, startUpMs, metricDelayMs, capacity } = request;
  const span = replaySpan(trace);
  const [metric] = spec.metrics;
  if (span === undefined || metric === undefined) return undefined;
  const ahead = leadSteps(trace.stepMs, { startUpMs, metricDelayMs });
  const tape = await recordTape(
    trace,
    forecasters,
    { horizon: ahead, origins: span.lived, batch: 32 },
    signal,
  );
  const acting = sliceOf(calibrate(tape, coverage, termsOf(request, metric)), span.lived);
  const band = sliceOf(calibrate(tape, coverage), span.lived);
  const scored = { from: span.scored.from - span.lived.from, to: span.scored.to - span.lived.from };
  const conditions = { startUpMs, metricDelayMs, capacity, scored };
  const live = (mode: Mode, name: 'hpa' | 'foresail', target = 1): Outcome => {
    const one = { ...spec, mode, metrics: [targeting(metric, target)] };
    return simulate(
      band.trace,
      scalerPolicy(name, one, tuning, mode === 'Active' ? acting : undefined),
      conditions,
    );
  };
  const ours = live('Active', 'foresail');
  const sweep = TARGETS.map((target) => ({ target, ...live('Reactive', 'hpa', target) }));
  const hpa = sweep.find(({ target }) => target === 1) ?? live('Reactive', 'hpa');
  const envelope = lowerEnvelope(
    sweep.map(({ target, tauU, replicaHours }) => ({ parameter: target, tauU, replicaHours })),
    ours.steps,
  );
  return {
    fromMs: startOf(trace, span.scored.from),
    toMs: startOf(trace, span.scored.to),
    ours: sideOf(ours),
    hpa: sideOf(hpa),
    tunedHpaReplicaHours: costAt(envelope, ours.tauU),
    coverage: { asked: coverage, realised: coverageOf(band, ahead, scored).realised },
    skill: skillOf(band, ahead, scored),
  };
}

/** As the controller puts them together (controllers/predictivescaler/outlook.ts). */
function termsOf(
  { trace: { stepMs }, spec, tuning, startUpMs, metricDelayMs }: ReplayRequest,
  { target, capacityMilli }: MetricPlan,
): ServiceTerms | undefined {
  if (target.kind !== 'AverageValue') return undefined;
  const capacity = (capacityMilli ?? target.milli) / 1000;
  return {
    objective: spec.objective,
    capacity,
    reactiveTarget: spec.objective === 'Efficiency' ? capacity : target.milli / 1000,
    readySteps: readySteps(leadWindow(0, leadConditions(stepMs, { startUpMs, metricDelayMs })), stepMs),
    holdSteps: Math.ceil(holdMs(spec, tuning) / stepMs),
  };
}

function sideOf({ underProvisionedMinutes, replicaHours, tauU }: Outcome): Side {
  return { underProvisionedMinutes, replicaHours, tauU };
}

function targeting(metric: MetricPlan, share: number): MetricPlan {
  const { target } = metric;
  return target.kind === 'AverageValue'
    ? { ...metric, target: { ...target, milli: target.milli * share } }
    : metric;
}

/** The part of a band that belongs to these steps; what lies before has done its work when the band was measured. */
function sliceOf(band: Band, { from, to }: Span): Band {
  const { trace, pathMilli, calibrated, horizon } = band;
  const { name, stepMs, values } = trace;
  return {
    ...band,
    trace: { name, stepMs, startMs: startOf(trace, from), values: values.subarray(from, to) },
    pathMilli: pathMilli.subarray(from * (horizon + 1), to * (horizon + 1)),
    calibrated: calibrated.subarray(from, to),
  };
}
