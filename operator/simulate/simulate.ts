/**
 * One policy on one trace under a virtual clock. The load of a step is held for the whole step; a policy decides every
 * 15 s and sees a step's load one metric delay after the step has ended; what it orders becomes ready one start-up
 * time later (world.ts). The whole trace is lived through up to the end of the scored span, for a policy remembers.
 */
import { ForesailError } from '../errors.ts';
import { demanded, type Elasticity, ElasticityMeter } from './elasticity.ts';
import type { PolicyName } from './report-types.ts';
import type { Span, Trace } from './trace.ts';
import { World } from './world.ts';

/** How often a policy decides: HPA's period, and the operator's. */
export const DECISION_MS = 15_000;

export interface Conditions {
  readonly startUpMs: number;
  /** From the end of a step to the moment at which its load can be read. */
  readonly metricDelayMs: number;
  /** Load that one replica carries, in the trace's unit. */
  readonly capacity: number;
}

/** What a policy sees when it decides. It may remember, but it knows no more of the load than `newest`. */
export interface Moment {
  readonly nowMs: number;
  /** Index of the newest step whose load can be read; negative while there is none. */
  readonly newest: number;
  readonly ordered: number;
}

/** @returns the number that should stand in /scale */
export type Order = (moment: Moment) => number;

export interface Policy {
  readonly name: PolicyName;
  /** Begins anew, with nothing remembered. */
  begin(trace: Trace, conditions: Conditions): Order;
}

export interface Outcome extends Elasticity {
  /** Ticks that were scored. */
  readonly steps: number;
  /** Ready replicas at each tick of the scored span, when asked for. */
  readonly ready?: Int32Array;
}

export interface SimulateOptions extends Conditions {
  /** Steps of the trace that are scored. */
  readonly scored: Span;
  readonly record?: boolean;
}

const SHORTEST_TICK_MS = 500;

/** Length of a tick: decisions fall on ticks, and so do changes of the load. */
export function tickMsOf({ stepMs, name }: Trace): number {
  let [a, b] = [stepMs, DECISION_MS];
  while (b > 0) [a, b] = [b, a % b];
  if (Number.isInteger(stepMs) && a >= SHORTEST_TICK_MS) return a;
  throw new ForesailError(
    'TRACE_INVALID',
    'terminal',
    `a step of ${stepMs / 1000} s does not fit decisions every 15 s`,
    {
      subject: name,
    },
  );
}

export function simulate(trace: Trace, policy: Policy, options: SimulateOptions): Outcome {
  const { stepMs, startMs, values } = trace;
  const { startUpMs, metricDelayMs, capacity, scored, record = false } = options;
  const tickMs = tickMsOf(trace);
  const perStep = stepMs / tickMs;
  const perDecision = DECISION_MS / tickMs;
  const order = policy.begin(trace, options);
  const world = new World(Math.ceil(startUpMs / tickMs), initialReplicas(values, capacity));
  const meter = new ElasticityMeter();
  const ready = record ? new Int32Array((scored.to - scored.from) * perStep) : undefined;
  const minutes = tickMs / 60_000;
  const delayTicks = metricDelayMs / tickMs;
  let steps = 0;
  for (let step = 0; step < scored.to; step++) {
    const load = values[step] ?? Number.NaN;
    const d = demanded(load, capacity);
    const counts = step >= scored.from;
    for (let i = 0; i < perStep; i++) {
      const tick = step * perStep + i;
      if (tick > 0) world.advance();
      if (tick % perDecision === 0) {
        const newest = Math.floor((tick - delayTicks) / perStep) - 1;
        world.order(order({ nowMs: startMs + tick * tickMs, newest, ordered: world.ordered }));
      }
      if (!counts) continue;
      if (ready !== undefined) ready[tick - scored.from * perStep] = world.ready;
      // A step whose load is unknown cannot be scored.
      if (Number.isNaN(load)) meter.changeTo(world.ordered);
      else {
        meter.add(d, world.ready, world.ordered, minutes);
        steps += 1;
      }
    }
  }
  const outcome = { ...meter.result(), steps };
  return ready === undefined ? outcome : { ...outcome, ready };
}

function initialReplicas(values: Float64Array, capacity: number): number {
  const first = values.find((value) => !Number.isNaN(value)) ?? 0;
  return demanded(first, capacity);
}
