/**
 * One plan of a rollout: phases in a fixed order, each a pure function of the draft and of what is seen. The order is
 * the order of trust: what a person or the judge sends back goes back before anything begins or is promoted.
 */
import { fallBackToCpu } from './accelerator.ts';
import { wantedVersions } from './capacity.ts';
import type { Draft, PlanPhase } from './draft.ts';
import { prune } from './history.ts';
import { promote, releaseKept } from './promotion.ts';
import { conditionsOf, nextLook, phaseOf } from './report.ts';
import { retarget } from './retarget.ts';
import {
  abortAtDeadline,
  abortByJudge,
  abortByPerson,
  abortWhenCrashing,
  rollBackPromoted,
} from './safety.ts';
import { advance } from './steps.ts';
import { shareTraffic } from './traffic.ts';
import type { RolloutInput, RolloutPlan } from './types.ts';
import { beginVariants, endVariants } from './variants.ts';

const PHASES: readonly PlanPhase[] = [
  abortByPerson,
  abortByJudge,
  abortWhenCrashing,
  rollBackPromoted,
  endVariants,
  retarget,
  abortAtDeadline,
  advance,
  promote,
  beginVariants,
  shareTraffic,
  releaseKept,
  fallBackToCpu,
];

export function planRollout(input: RolloutInput): RolloutPlan {
  const start: Draft = { state: input.state, events: [] };
  const { state, events } = PHASES.reduce((draft, phase) => phase(draft, input), start);
  const pruned = prune(state, input.settings.historyLimit);
  return {
    state: pruned,
    versions: wantedVersions(pruned, input.state.traffic, input),
    phase: phaseOf(pruned, input),
    conditions: conditionsOf(pruned, input),
    events,
    requeueAfterMs: nextLook(pruned, input),
  };
}
