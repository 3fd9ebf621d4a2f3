/**
 * When many targets are unready at once the cause is the cluster, not their load: a node pool is gone, an image
 * registry is down, the network is cut. Scaling anybody then makes it worse, so everything freezes until it is over.
 */

export interface FreezeConfig {
  /** Share of unready targets that freezes the fleet, 0 to 1. */
  readonly share: number;
  /** Thaw below this share; lower than `share`, so that the freeze does not flap. */
  readonly thawShare: number;
  /** Fewer targets than this never freeze: half of two is no cluster fault. */
  readonly minTargets: number;
}

export const DEFAULT_FREEZE_CONFIG: FreezeConfig = { share: 0.4, thawShare: 0.2, minTargets: 10 };

export function fleetFrozen(
  frozenBefore: boolean,
  targets: number,
  unready: number,
  { share, thawShare, minTargets }: FreezeConfig,
): boolean {
  if (targets < minTargets) return false;
  return unready / targets >= (frozenBefore ? thawShare : share);
}

/**
 * One target's vote: more than half of the pods that it should have are not Ready. A target without pods has no
 * vote of "unready" unless it wants some.
 */
export function targetUnready(specReplicas: number, readyPods: number): boolean {
  return specReplicas > 0 && readyPods < specReplicas / 2;
}
