/**
 * Phase "traffic": who answers how much. Weight goes to ready pods alone; it rises only when the canary is warm enough
 * for all of it, and falls at once. When stable has no ready pod, a version that has proved itself, or that carries
 * weight already, takes over; a version that never had any does not.
 */
import { enoughReady } from './capacity.ts';
import { stepsOf, targetMirror, targetWeight } from './course.ts';
import { type PlanPhase, weightOf, withState } from './draft.ts';
import type { RolloutInput, RolloutState, Share } from './types.ts';
import { scaled, variantShares } from './variants.ts';

export const shareTraffic: PlanPhase = (draft, input) => {
  const traffic = sharesOf(draft.state, input);
  return withState(draft, { ...draft.state, traffic });
};

function sharesOf(state: RolloutState, input: RolloutInput): readonly Share[] {
  const isReady = (version: number) => (input.pods.get(version)?.ready ?? 0) > 0;
  const { stable, canary } = state;
  const before = canary === undefined ? 0 : weightOf(state.traffic, canary.version);
  const base = [stable, ...watchedVersions(state)].find(
    (version) => version !== undefined && isReady(version),
  );
  const variants = variantShares(state, input);
  const tested = variants.reduce((sum, { weight }) => sum + weight, 0);
  if (base === undefined) {
    if (canary !== undefined && isReady(canary.version) && before > 0) return all(canary.version);
    const carrying = variants.filter(({ version }) => weightOf(state.traffic, version) > 0);
    return carrying.length === 0 ? [] : scaled(carrying);
  }
  if (canary === undefined || !isReady(canary.version))
    return [{ version: base, weight: 100 - tested, mirrorPercent: 0 }, ...variants];
  const steps = stepsOf(state, input);
  const target = targetWeight(steps, canary.step);
  const weight = Math.min(enoughReady(state, input) ? target : Math.min(before, target), 100 - tested);
  const mirrorPercent = targetMirror(steps, canary.step);
  return [
    { version: base, weight: 100 - tested - weight, mirrorPercent: 0 },
    { version: canary.version, weight, mirrorPercent },
    ...variants,
  ].filter((share) => share.weight > 0 || share.mirrorPercent > 0);
}

/** The newest first. */
function watchedVersions({ kept }: RolloutState): number[] {
  return kept
    .filter((entry) => entry.for === 'Watch')
    .map(({ version }) => version)
    .sort((a, b) => b - a);
}

function all(version: number | undefined): readonly Share[] {
  return version === undefined ? [] : [{ version, weight: 100, mirrorPercent: 0 }];
}
