/**
 * The first step: what is known. Puts the outlier guard between the sources and everything else, keeps the time
 * since which something has been unusable, and gives the permit to go down only when nothing is.
 */
import type { MetricReading, Observation } from '../observation.ts';
import { judge } from './guards/outlier.ts';
import { usualLevel } from './guards/usual.ts';
import { firstSight } from './memory.ts';
import type { ModeRules } from './modes.ts';
import { type DownPermit, permitDown } from './permit.ts';
import { computeReactive, reactiveContext } from './reactive/compute.ts';
import type { DecisionInput, DecisionMemory, MetricPlan, OutlierState, ReactiveResult } from './types.ts';

export interface Seen {
  readonly readings: readonly Observation<MetricReading>[];
  readonly reactive: ReactiveResult;
  /** Present only when every metric is known and usable. */
  readonly permit: DownPermit | undefined;
  readonly memory: DecisionMemory;
}

export function observe(input: DecisionInput, mode: ModeRules): Seen {
  const before = input.memory ?? firstSight(input.specReplicas, input.nowMs);
  const { readings, outliers } = guarded(input, mode, before);
  const reactive = computeReactive(
    input.spec.metrics,
    readings,
    reactiveContext(input),
    input.selectorProblem,
  );
  const permit = permitDown(readings, reactive.metrics);
  const unknownSinceMs = permit === undefined ? unknownSince(readings, before, input.nowMs) : null;
  return { readings, reactive, permit, memory: { ...before, outliers, unknownSinceMs } };
}

/** A plan lives as long as a generation of its object, and its key is asked for at every decision. */
const keyOf = new WeakMap<MetricPlan, string>();

/** Identifies a metric's guard state; changes with whatever would change the meaning of its numbers. */
export function metricKey(plan: MetricPlan): string {
  let key = keyOf.get(plan);
  if (key === undefined) {
    const { type, name, container = '', objectKind = '', scope = '', target } = plan;
    key = [type, name, container, objectKind, scope, target.kind].join('|');
    keyOf.set(plan, key);
  }
  return key;
}

function guarded(input: DecisionInput, mode: ModeRules, memory: DecisionMemory) {
  const config = input.guards.outlier;
  // HPA has no such guard: Reactive mode must act on what HPA would act on.
  if (config === undefined || mode.strictParity) {
    return { readings: input.readings, outliers: memory.outliers };
  }
  const outliers: Record<string, OutlierState> = {};
  const readings = input.readings.map((reading, index) => {
    const plan = input.spec.metrics[index];
    if (plan === undefined) return reading;
    const key = metricKey(plan);
    const usual = usualLevel(plan, input.specReplicas, input.pods);
    const judged = judge(reading, memory.outliers[key], usual, config);
    if (judged.state !== undefined) outliers[key] = judged.state;
    return judged.reading;
  });
  return { readings, outliers };
}

function unknownSince(
  readings: readonly Observation<MetricReading>[],
  { unknownSinceMs }: DecisionMemory,
  nowMs: number,
): number {
  let since = Math.min(unknownSinceMs ?? nowMs, nowMs);
  for (const reading of readings) if (reading.kind === 'unknown') since = Math.min(since, reading.since);
  return since;
}
