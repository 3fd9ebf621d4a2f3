/**
 * How many pods each version needs. Stable keeps what all of the traffic needs for as long as a canary may have to
 * give its share back; the canary has what its own share and its copies need, and all of it before it is promoted.
 */
import { stepsOf, targetMirror, targetWeight } from './course.ts';
import { weightOf } from './draft.ts';
import { recordOf } from './history.ts';
import type { RolloutInput, RolloutState, Share, WantedVersion } from './types.ts';
import { variantsOf } from './variants.ts';

type Seen = Pick<RolloutInput, 'settings' | 'pods'>;

/** Pods of the canary for the weight that it should have, and for what it may still have by what is published. */
export function canaryReplicas(state: RolloutState, { settings }: Seen): number {
  const { canary, stable, traffic } = state;
  if (canary === undefined) return 0;
  const steps = stepsOf(state, { settings });
  if (stable === undefined || canary.step >= steps.length) return settings.replicas;
  const weight = Math.max(targetWeight(steps, canary.step), weightOf(traffic, canary.version));
  const mirrored = (targetMirror(steps, canary.step) * (100 - weight)) / 100;
  return Math.max(1, Math.ceil((settings.replicas * (weight + mirrored)) / 100));
}

/** Whether the canary is warm enough for what its step asks of it; of the very first version one pod is enough. */
export function enoughReady(state: RolloutState, seen: Seen): boolean {
  const { canary, stable } = state;
  if (canary === undefined) return false;
  const available = seen.pods.get(canary.version)?.available ?? 0;
  return available >= (stable === undefined ? 1 : canaryReplicas(state, seen));
}

/**
 * Every version that shall have pods.
 *
 * @param published the traffic that routers may still go by; nobody in it, or in what is published now, loses a pod
 */
export function wantedVersions(
  state: RolloutState,
  published: readonly Share[],
  seen: Seen,
): readonly WantedVersion[] {
  const { settings, pods } = seen;
  const replicas = new Map<number, number>();
  const atLeast = (version: number, count: number) =>
    replicas.set(version, Math.max(replicas.get(version) ?? 0, count));
  for (const entry of state.kept)
    atLeast(
      entry.version,
      entry.for === 'Watch' ? settings.replicas : (pods.get(entry.version)?.replicas ?? 0),
    );
  for (const { version, weight, mirrorPercent } of [...published, ...state.traffic])
    if (weight > 0 || mirrorPercent > 0) atLeast(version, pods.get(version)?.replicas ?? 0);
  if (state.canary !== undefined) atLeast(state.canary.version, canaryReplicas(state, seen));
  for (const variant of variantsOf(state, settings)) atLeast(variant.version, variant.replicas);
  // Last and alone: a smaller number from a scaler takes pods of stable at once, as it would of any workload.
  if (state.stable !== undefined) replicas.set(state.stable, settings.replicas);
  return [...replicas]
    .flatMap(([version, count]) => {
      const record = recordOf(state, version);
      if (record === undefined || count === 0) return [];
      const { storageUri, digest, onCpu = false } = record;
      return [{ version, replicas: count, storageUri, digest, onCpu }];
    })
    .sort((a, b) => a.version - b.version);
}
