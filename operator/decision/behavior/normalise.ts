/**
 * From the number that the metrics ask for to the number that may be written now. HPA has two algorithms: without
 * `behavior` (stabilise down by a flag, at most double), and with it (stabilise both ways first, limit the rate
 * second). The un-stabilised number is what is remembered in both.
 */
import { ableToScale, scalingLimited } from '../conditions.ts';
import { recordRecommendation } from '../memory.ts';
import type { BehaviorPlan, BoundBy, ConditionPlan, DecisionMemory, ReactiveTuning } from '../types.ts';
import { downLimit, upLimit } from './policies.ts';

export interface NormaliseInput {
  readonly currentReplicas: number;
  /** What the metrics ask for. */
  readonly wanted: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly behavior: BehaviorPlan | undefined;
  readonly tuning: ReactiveTuning;
  readonly memory: DecisionMemory;
  readonly nowMs: number;
}

export interface Normalised {
  readonly stabilised: number;
  readonly replicas: number;
  /** What stabilisation did, if anything. */
  readonly stabilisedBy: Extract<BoundBy, 'ScaleUpStabilization' | 'ScaleDownStabilization'> | undefined;
  /** What limited the stabilised number, if anything. */
  readonly limitedBy:
    | Extract<BoundBy, 'Min' | 'Max' | 'ScaleUpPolicy' | 'ScaleDownPolicy' | 'ScaleUpLimit'>
    | undefined;
  readonly conditions: readonly ConditionPlan[];
  readonly memory: DecisionMemory;
}

export function normalise(input: NormaliseInput): Normalised {
  return input.behavior === undefined ? withoutBehavior(input) : withBehavior(input, input.behavior);
}

function withoutBehavior(input: NormaliseInput): Normalised {
  const { currentReplicas, wanted, minReplicas, maxReplicas, tuning, memory, nowMs } = input;
  const windowMs = tuning.downscaleStabilizationMs;
  let stabilised = wanted;
  for (const { replicas, atMs } of memory.recommendations) {
    if (atMs >= nowMs - windowMs) stabilised = Math.max(stabilised, replicas);
  }
  // An early guard against bogus CPU readings: never more than double, or 4 from next to nothing.
  const fastest = Math.max(2 * currentReplicas, 4);
  const upper = Math.min(maxReplicas, fastest);
  const replicas = Math.min(Math.max(stabilised, minReplicas), Math.max(upper, minReplicas));
  const limitedBy =
    replicas > stabilised
      ? 'Min'
      : replicas < stabilised
        ? maxReplicas > fastest
          ? 'ScaleUpLimit'
          : 'Max'
        : undefined;
  return finish(
    input,
    stabilised,
    replicas,
    limitedBy,
    recordRecommendation(memory, wanted, nowMs, windowMs),
  );
}

function withBehavior(input: NormaliseInput, behavior: BehaviorPlan): Normalised {
  const { currentReplicas, wanted, minReplicas, maxReplicas, memory, nowMs } = input;
  const upWindowMs = behavior.scaleUp.stabilizationWindowSeconds * 1000;
  const downWindowMs = behavior.scaleDown.stabilizationWindowSeconds * 1000;
  let lowest = wanted;
  let highest = wanted;
  for (const { replicas, atMs } of memory.recommendations) {
    if (atMs > nowMs - upWindowMs) lowest = Math.min(lowest, replicas);
    if (atMs > nowMs - downWindowMs) highest = Math.max(highest, replicas);
  }
  const stabilised = Math.min(Math.max(currentReplicas, lowest), highest);

  let replicas = stabilised;
  let limitedBy: Normalised['limitedBy'];
  if (stabilised > currentReplicas) {
    const limit = Math.max(upLimit(currentReplicas, memory, behavior.scaleUp, nowMs), currentReplicas);
    replicas = Math.min(stabilised, maxReplicas, limit);
    if (replicas < stabilised) limitedBy = maxReplicas > limit ? 'ScaleUpPolicy' : 'Max';
  } else if (stabilised < currentReplicas) {
    const limit = Math.min(downLimit(currentReplicas, memory, behavior.scaleDown, nowMs), currentReplicas);
    replicas = Math.max(stabilised, minReplicas, limit);
    if (replicas > stabilised) limitedBy = minReplicas < limit ? 'ScaleDownPolicy' : 'Min';
  }
  const longest = Math.max(upWindowMs, downWindowMs);
  return finish(input, stabilised, replicas, limitedBy, recordRecommendation(memory, wanted, nowMs, longest));
}

function finish(
  { wanted }: NormaliseInput,
  stabilised: number,
  replicas: number,
  limitedBy: Normalised['limitedBy'],
  memory: DecisionMemory,
): Normalised {
  const stabilisedBy =
    stabilised === wanted
      ? undefined
      : stabilised > wanted
        ? ('ScaleDownStabilization' as const)
        : ('ScaleUpStabilization' as const);
  return {
    stabilised,
    replicas,
    stabilisedBy,
    limitedBy,
    conditions: [ableToScale(stabilisedBy), scalingLimited(limitedBy)],
    memory,
  };
}
