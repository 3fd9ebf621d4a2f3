/**
 * One decision, from what is known to the number that should stand in /scale:
 * observe → reactive → need → combine or degrade → behaviour and bounds → breakers. Pure: the same input gives the
 * same decision, so the simulator and a person with a stored input can replay it.
 */
import { normalise } from './behavior/normalise.ts';
import { type Bounds, boundsInForce } from './bounds.ts';
import { metricsDegraded, scalingActive, scalingDisabled, succeededGetScale } from './conditions.ts';
import { type Wanted, want } from './degrade.ts';
import { bindingStep, explain } from './explain.ts';
import { applyBreakers, type Limited } from './limits.ts';
import { recordHold } from './memory.ts';
import { type ModeRules, modeRules } from './modes.ts';
import { freshNeed } from './need/choose.ts';
import { observe, type Seen } from './observe.ts';
import { keep, obeyBounds, raiseOnly, type SettledReplicas, settle } from './permit.ts';
import type {
  ConditionPlan,
  Decision,
  DecisionInput,
  DecisionMemory,
  DecisionStep,
  NeedResult,
  Rung,
} from './types.ts';

/** What the chain settled on before the administrator's breakers. */
interface Settled {
  readonly replicas: SettledReplicas;
  readonly rung: Rung;
  readonly need?: NeedResult | undefined;
  readonly steps: readonly DecisionStep[];
  readonly reason: string;
  readonly conditions: readonly ConditionPlan[];
  readonly memory: DecisionMemory;
}

/** What the chain came to, before words are found for it. */
interface Chained {
  readonly mode: ModeRules;
  readonly seen: Seen;
  readonly settled: Settled;
  readonly limited: Limited;
  readonly write: boolean;
}

function chain(input: DecisionInput): Chained {
  const mode = modeRules(input.spec, input.verdict);
  const seen = observe(input, mode);
  const settled =
    input.specReplicas === 0
      ? switchedOff(seen)
      : (outsideBounds(input, seen) ?? byMetrics(input, mode, seen));
  const limited = applyBreakers(input, settled.replicas);
  return { mode, seen, settled, limited, write: limited.replicas !== input.specReplicas && mode.writes };
}

/** The same decision without its explanation, for a simulator that takes millions of them. */
export function decideReplicas(input: DecisionInput): Pick<Decision, 'desiredReplicas' | 'write' | 'memory'> {
  const { settled, limited, write } = chain(input);
  return { desiredReplicas: limited.replicas, write, memory: settled.memory };
}

export function decide(input: DecisionInput): Decision {
  const { mode, seen, settled, limited, write } = chain(input);
  const steps = [...settled.steps, ...limited.steps];
  const desired = limited.replicas;
  return {
    id: input.id,
    atMs: input.nowMs,
    desiredReplicas: desired,
    write,
    creations: write ? Math.max(0, desired - input.specReplicas) : 0,
    mode: {
      asked: mode.asked,
      inForce: mode.inForce,
      ...(mode.note === undefined ? {} : { note: mode.note }),
    },
    reactive: seen.reactive,
    forecast: settled.need ?? freshNeed(input),
    boundBy: bindingStep(steps)?.step ?? 'Hold',
    rung: settled.rung,
    rescaleReason: desired === input.specReplicas ? '' : settled.reason,
    conditions: merged(settled.conditions, limited.conditions),
    explanation: explain(input, seen.readings, mode, steps, desired),
    memory: settled.memory,
  };
}

/** Scaled to zero by hand: people's order, not load. */
function switchedOff({ memory }: Seen): Settled {
  return {
    replicas: keep(0),
    rung: 'None',
    steps: [{ step: 'Disabled', from: 0, to: 0, note: 'the target was scaled to zero by hand' }],
    reason: '',
    conditions: [succeededGetScale(), scalingDisabled()],
    memory,
  };
}

/** Outside the bounds metrics do not matter: HPA goes straight to the bound, past its behaviour too. */
function outsideBounds(input: DecisionInput, seen: Seen): Settled | undefined {
  const { specReplicas: current } = input;
  const bounds = effectiveBounds(input, seen);
  const replicas = obeyBounds(current, bounds.min, bounds.max);
  if (replicas === current) return undefined;
  const up = replicas > current;
  const schedule = up ? bounds.minFrom : bounds.maxFrom;
  const note = schedule === undefined ? `the bound is ${replicas}` : `schedule ${schedule}`;
  return {
    replicas,
    rung: 'None',
    steps: [
      {
        step: schedule === undefined ? (up ? 'Min' : 'Max') : 'Schedule',
        from: current,
        to: replicas,
        note,
      },
    ],
    reason: up
      ? 'Current number of replicas below Spec.MinReplicas'
      : 'Current number of replicas above Spec.MaxReplicas',
    conditions: [succeededGetScale(), metricsDegraded(seen.readings, seen.reactive.metrics, 'None')],
    memory: seen.memory,
  };
}

function byMetrics(input: DecisionInput, mode: ModeRules, seen: Seen): Settled {
  const { specReplicas: current, spec, tuning, nowMs } = input;
  const { reactive, permit, memory, readings } = seen;
  const wanted = want(input, mode, reactive, permit, memory.unknownSinceMs);
  const proposed = { step: wanted.source, from: current, to: wanted.replicas, note: wanted.note } as const;
  const reason = reasonOf(wanted, current);
  const need = wanted.chosen?.need;
  const metricConditions = [
    scalingActive(reactive, wanted.rung),
    metricsDegraded(readings, reactive.metrics, wanted.rung),
  ];
  if (wanted.source === 'Hold') {
    return {
      rung: wanted.rung,
      need,
      reason,
      replicas: keep(current),
      steps: [proposed],
      conditions: [succeededGetScale(), ...metricConditions],
      // HPA forgets an outage: the first low sample after a long one may lower at once. Outside strict parity a
      // held count is remembered like a recommendation, so that the first look after an outage is stabilised too.
      memory: mode.strictParity ? memory : recordHold(memory, current, spec, tuning, nowMs),
    };
  }
  const bounds = effectiveBounds(input, seen);
  const normalised = normalise({
    currentReplicas: current,
    wanted: wanted.replicas,
    minReplicas: bounds.min,
    maxReplicas: bounds.max,
    behavior: spec.behavior,
    tuning,
    memory,
    nowMs,
  });
  const replicas =
    permit === undefined ? raiseOnly(current, normalised.replicas) : settle(permit, normalised.replicas);
  const steps: DecisionStep[] = [proposed];
  const { stabilisedBy, limitedBy, stabilised } = normalised;
  if (stabilisedBy !== undefined) {
    steps.push({ step: stabilisedBy, from: wanted.replicas, to: stabilised, note: 'recent recommendations' });
  }
  if (limitedBy !== undefined) {
    const schedule = limitedBy === 'Min' ? bounds.minFrom : limitedBy === 'Max' ? bounds.maxFrom : undefined;
    steps.push({
      step: schedule === undefined ? limitedBy : 'Schedule',
      from: stabilised,
      to: normalised.replicas,
      note: schedule === undefined ? LIMIT_NOTES[limitedBy] : `schedule ${schedule}`,
    });
  }
  return {
    rung: wanted.rung,
    need,
    reason,
    replicas,
    steps,
    conditions: [...normalised.conditions, ...metricConditions],
    memory: normalised.memory,
  };
}

const LIMIT_NOTES = {
  Min: 'spec.minReplicas',
  Max: 'spec.maxReplicas',
  ScaleUpPolicy: 'spec.behavior.scaleUp',
  ScaleDownPolicy: 'spec.behavior.scaleDown',
  ScaleUpLimit: 'without spec.behavior at most double, or four',
} as const;

/** A scheduled upper bound is an order for known load: while a metric is unknown it does not lower. */
function effectiveBounds(input: DecisionInput, { permit }: Seen): Bounds {
  const bounds = boundsInForce(input.spec, input.activeSchedules);
  if (permit !== undefined || input.specReplicas <= bounds.max) return bounds;
  const { maxFrom: _, ...unscheduled } = bounds;
  return { ...unscheduled, max: Math.min(input.specReplicas, input.spec.maxReplicas) };
}

function reasonOf({ replicas, source, note }: Wanted, current: number): string {
  if (replicas < current) return 'All metrics below target';
  return source === 'Reactive' ? `${note} above target` : note;
}

/** Later ones win by type; the order stays. */
function merged(first: readonly ConditionPlan[], later: readonly ConditionPlan[]): ConditionPlan[] {
  const byType = new Map<string, ConditionPlan>();
  for (const condition of [...first, ...later]) byType.set(condition.type, condition);
  return [...byType.values()];
}
