/**
 * What a scaler remembers between decisions: recommendations for stabilisation, scale events for rate limits. Plain
 * data that can be checkpointed; every function returns a new one.
 */
import { longestPeriodMs } from './behavior/policies.ts';
import type { DecisionMemory, DecisionSpec, ReactiveTuning, Recommendation, ScaleEvent } from './types.ts';

/**
 * First sight of a scaler counts the present replicas as a recommendation, so that a restart of the operator keeps
 * them for one stabilisation window instead of lowering on its first look.
 */
export function firstSight(currentReplicas: number, nowMs: number): DecisionMemory {
  return {
    recommendations: [{ replicas: currentReplicas, atMs: nowMs }],
    scaleUps: [],
    scaleDowns: [],
    outliers: {},
    unknownSinceMs: null,
  };
}

/**
 * Appends the newest recommendation and forgets what no window can reach any more. Of a run of equal ones only the
 * latest is kept: whatever window holds an earlier one holds it too.
 */
export function recordRecommendation(
  memory: DecisionMemory,
  replicas: number,
  nowMs: number,
  longestWindowMs: number,
): DecisionMemory {
  const kept: Recommendation[] = memory.recommendations.filter(({ atMs }) => atMs >= nowMs - longestWindowMs);
  if (kept.at(-1)?.replicas === replicas) kept.pop();
  return { ...memory, recommendations: [...kept, { replicas, atMs: nowMs }] };
}

/** How long a recommendation holds scaling down, milliseconds. */
export function holdMs({ behavior }: Pick<DecisionSpec, 'behavior'>, tuning: ReactiveTuning): number {
  return behavior === undefined
    ? tuning.downscaleStabilizationMs
    : 1000 * behavior.scaleDown.stabilizationWindowSeconds;
}

/** The held count of an outage, kept as a recommendation for the longest window that may look back at it. */
export function recordHold(
  memory: DecisionMemory,
  current: number,
  { behavior }: Pick<DecisionSpec, 'behavior'>,
  tuning: ReactiveTuning,
  nowMs: number,
): DecisionMemory {
  const windowMs =
    behavior === undefined
      ? tuning.downscaleStabilizationMs
      : 1000 *
        Math.max(behavior.scaleUp.stabilizationWindowSeconds, behavior.scaleDown.stabilizationWindowSeconds);
  return recordRecommendation(memory, current, nowMs, windowMs);
}

/**
 * To be called after a successful write of `to` onto a target that had `from`, with the memory of the decision.
 * Without behaviour there is no rate limit that would read the event, so none is kept, as in HPA.
 */
export function recordScale(
  memory: DecisionMemory,
  { behavior }: Pick<DecisionSpec, 'behavior'>,
  from: number,
  to: number,
  nowMs: number,
): DecisionMemory {
  if (behavior === undefined || from === to) return memory;
  if (to > from) {
    const events = storeEvent(memory.scaleUps, to - from, nowMs, longestPeriodMs(behavior.scaleUp));
    return { ...memory, scaleUps: events };
  }
  const events = storeEvent(memory.scaleDowns, from - to, nowMs, longestPeriodMs(behavior.scaleDown));
  return { ...memory, scaleDowns: events };
}

/**
 * HPA reuses the slot of the last event that its own direction no longer needs, although a longer period of the
 * other direction may still count it. The order of the slots therefore matters and is kept.
 */
function storeEvent(
  events: readonly ScaleEvent[],
  change: number,
  nowMs: number,
  ownPeriodMs: number,
): ScaleEvent[] {
  const stored = [...events];
  const reusable = stored.findLastIndex(({ atMs }) => atMs < nowMs - ownPeriodMs);
  if (reusable === -1) stored.push({ change, atMs: nowMs });
  else stored[reusable] = { change, atMs: nowMs };
  return stored;
}
