/** The administrator's breakers, applied to a settled number: largest step, creations left, pause, freeze. */
import { heldBack, stepLimited } from './conditions.ts';
import { keep, narrow, type SettledReplicas } from './permit.ts';
import type { ConditionPlan, DecisionInput, DecisionStep } from './types.ts';

export interface Limited {
  readonly replicas: SettledReplicas;
  readonly steps: readonly DecisionStep[];
  /** Replace those of the same type. */
  readonly conditions: readonly ConditionPlan[];
}

export function applyBreakers(input: DecisionInput, settled: SettledReplicas): Limited {
  const { specReplicas: current, guards } = input;
  const steps: DecisionStep[] = [];
  const conditions: ConditionPlan[] = [];
  let replicas = settled;
  const cut = (step: 'StepLimit' | 'CreationLimit', next: SettledReplicas, note: string) => {
    if (next === replicas) return;
    steps.push({ step, from: replicas, to: next, note });
    conditions.push(stepLimited(step, replicas > current));
    replicas = next;
  };
  const { largestStep, creationsLeft } = guards;
  if (largestStep !== undefined) {
    const next = narrow(current, replicas, { up: largestStep, down: largestStep });
    cut('StepLimit', next, `at most ${largestStep} replicas per decision`);
  }
  if (creationsLeft !== undefined) {
    const next = narrow(current, replicas, { up: creationsLeft, down: Number.POSITIVE_INFINITY });
    cut('CreationLimit', next, `${creationsLeft} creations left in this minute`);
  }
  const hold = holdOf(input);
  if (hold !== undefined) {
    steps.push({ step: hold.by, from: replicas, to: current, note: hold.note });
    conditions.push(heldBack(hold.by, hold.note));
    replicas = keep(current);
  }
  return { replicas, steps, conditions };
}

function holdOf({ guards, spec }: DecisionInput) {
  if (guards.globalPause === true) return { by: 'GlobalPause', note: 'the operator is paused' } as const;
  if (spec.paused === true) return { by: 'Pause', note: 'this object is paused' } as const;
  if (guards.frozen === true) {
    return { by: 'Freeze', note: 'many targets of the fleet are unready at once' } as const;
  }
  return undefined;
}
