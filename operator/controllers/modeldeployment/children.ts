/**
 * Phase "act": makes the objects of each wanted version what they should be, and takes away those of versions that are
 * not wanted. Names are fixed by version, so doing it twice, or after a crash, does nothing twice.
 */
import type { ModelDeployment } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import type { Pods, WantedVersion } from '../../rollout/types.ts';
import { keyOf, type Store, type Writer } from '../../runtime/index.ts';
import { type Child, createOwnedObjects, isOwned } from '../owned-objects.ts';
import { BY_OWNER, CHILD_KINDS, CHILDREN, type ChildKind, type SeenChild } from './informers.ts';
import { type ChildSettings, childrenOf } from './objects.ts';
import { healthOf, type SeenPod, versionOf } from './pod-health.ts';

export interface ChildrenOptions {
  /** Fenced: an ex-leader writes nothing. */
  readonly client: Pick<Writer, 'create' | 'mergePatch' | 'delete'>;
  readonly stores: Readonly<Record<ChildKind, Store<SeenChild>>>;
  readonly pods: Store<SeenPod>;
  readonly settings: ChildSettings;
  readonly clock: Clock;
}

export interface ChildWriter {
  /** Pods of each version, as the cache has them. */
  podsOf(key: string): ReadonlyMap<number, Pods>;
  /** Pods that exist of each version, ready or not. */
  replicasOf(key: string): ReadonlyMap<number, number>;
  /**
   * Creates and changes first, then takes away.
   *
   * @param beforeTaking runs once before the first pod is taken away, and may refuse it by throwing
   * @throws ForesailError CHILD_NOT_OURS (transient) when a name is taken by somebody else's object, CHILD_CONTESTED
   * (transient) when somebody else keeps changing one of ours
   */
  apply(
    owner: ModelDeployment,
    wanted: readonly WantedVersion[],
    beforeTaking: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

export function createChildWriter({ client, stores, pods, settings, clock }: ChildrenOptions): ChildWriter {
  const owned = createOwnedObjects(client, clock);

  const seen = (kind: ChildKind, key: string) => stores[kind].byIndex(BY_OWNER, key);

  return {
    podsOf(key) {
      const all = pods.byIndex(BY_OWNER, key);
      return new Map(
        seen('deployments', key).flatMap((deployment) => {
          const version = versionOf(deployment);
          if (version === undefined) return [];
          const { readyReplicas: ready = 0, availableReplicas: available = 0 } = deployment.status ?? {};
          const health = healthOf(all.filter((pod) => versionOf(pod) === version));
          return [[version, { replicas: replicasOf(deployment), ready, available, ...health }] as const];
        }),
      );
    },
    replicasOf: (key) =>
      new Map(
        seen('deployments', key).flatMap((deployment) => {
          const version = versionOf(deployment);
          return version === undefined ? [] : [[version, deployment.status?.replicas ?? 0] as const];
        }),
      ),
    async apply(owner, wanted, beforeTaking, signal) {
      const all = wanted.map((version) => ({ version, objects: childrenOf(owner, version, settings) }));
      const shrinks = ({ objects }: (typeof all)[number]) => {
        const actual = stores.deployments.get(keyOf(objects.deployments));
        return actual !== undefined && replicasOf(actual) > replicasOf(objects.deployments);
      };
      // Those that lose pods come last, when what takes over has been ordered.
      const ordered = [...all.filter((each) => !shrinks(each)), ...all.filter(shrinks)];
      const key = `${owner.metadata.namespace}/${owner.metadata.name}`;
      const gone = CHILD_KINDS.flatMap((kind) =>
        seen(kind, key)
          .filter(
            (child) => isOwned(child, owner) && !wanted.some(({ version }) => version === versionOf(child)),
          )
          .map((child) => ({ kind, child })),
      );
      let mayTake = false;
      const beforeTakingOnce = async () => {
        if (!mayTake) await beforeTaking();
        mayTake = true;
      };
      for (const each of ordered) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other: a failure stops what comes later
        if (shrinks(each)) await beforeTakingOnce();
        // oxlint-disable-next-line no-await-in-loop
        await Promise.all(
          CHILD_KINDS.map((kind) =>
            owned.ensure(CHILDREN[kind], stores[kind], owner, each.objects[kind], signal),
          ),
        );
      }
      if (gone.length > 0) await beforeTakingOnce();
      await Promise.all(gone.map(({ kind, child }) => owned.remove(CHILDREN[kind], child, signal)));
    },
  };
}

function replicasOf({ spec }: Child): number {
  const { replicas } = spec;
  return typeof replicas === 'number' ? replicas : 1;
}
