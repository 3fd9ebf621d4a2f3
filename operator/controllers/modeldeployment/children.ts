/**
 * Phase "act": makes the objects of each wanted version what they should be, and takes away those of versions that are
 * not wanted. Names are fixed by version, so doing it twice, or after a crash, does nothing twice.
 */
import type { ModelDeployment } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { ForesailError } from '../../errors.ts';
import type { Pods, WantedVersion } from '../../rollout/types.ts';
import { isAlreadyExists, isNotFound, keyOf, type Store, type Writer } from '../../runtime/index.ts';
import { createContest } from './contest.ts';
import { patchOf } from './drift.ts';
import { BY_OWNER, CHILD_KINDS, CHILDREN, type ChildKind, type SeenChild } from './informers.ts';
import { type Child, type ChildSettings, childrenOf } from './objects.ts';
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
  /** Created by this process: a cache that does not know them yet is behind, and nobody took their names. */
  const created = new Set<string>();
  const contest = createContest(clock);

  const seen = (kind: ChildKind, key: string) => stores[kind].byIndex(BY_OWNER, key);

  async function ensure(
    owner: ModelDeployment,
    kind: ChildKind,
    wanted: Child,
    signal: AbortSignal,
  ): Promise<void> {
    const key = keyOf(wanted);
    const actual = stores[kind].get(key);
    if (actual === undefined) {
      try {
        await client.create(CHILDREN[kind], wanted, signal);
        created.add(`${kind}/${key}`);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        if (!created.has(`${kind}/${key}`)) throw notOurs(kind, wanted);
        throw new ForesailError('CACHE_BEHIND', 'conflict', `${kind} ${key} is not in the cache yet`);
      }
      return;
    }
    created.delete(`${kind}/${key}`);
    if (!isOwned(actual, owner)) throw notOurs(kind, wanted);
    const patch = patchOf(actual, wanted);
    if (patch === undefined) return;
    if (!contest.mayWrite(`${kind}/${key}`, wanted)) throw contested(kind, wanted);
    const { resourceVersion } = actual.metadata;
    const version = resourceVersion === undefined ? {} : { resourceVersion };
    try {
      await client.mergePatch(CHILDREN[kind], objectKeyOf(actual), patch, version, signal);
      contest.wrote(`${kind}/${key}`, wanted);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new ForesailError('CACHE_BEHIND', 'conflict', `${kind} ${key} is gone already`);
    }
  }

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
        await Promise.all(CHILD_KINDS.map((kind) => ensure(owner, kind, each.objects[kind], signal)));
      }
      if (gone.length > 0) await beforeTakingOnce();
      await Promise.all(gone.map(({ kind, child }) => remove(kind, child, signal)));
    },
  };

  async function remove(kind: ChildKind, child: SeenChild, signal: AbortSignal): Promise<void> {
    const { uid } = child.metadata;
    try {
      await client.delete(CHILDREN[kind], objectKeyOf(child), uid === undefined ? {} : { uid }, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function replicasOf({ spec }: Child): number {
  const { replicas } = spec;
  return typeof replicas === 'number' ? replicas : 1;
}

function isOwned({ metadata }: Child, owner: ModelDeployment): boolean {
  return (
    metadata.ownerReferences?.some(
      ({ uid, controller }) => controller === true && uid === owner.metadata.uid,
    ) === true
  );
}

function objectKeyOf({ metadata }: Child) {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}

function contested(kind: ChildKind, { metadata }: Child): ForesailError {
  const message = `${kind} ${metadata.name}: somebody else keeps changing it; not writing for a while`;
  const retryAfterMs = 30_000;
  return new ForesailError('CHILD_CONTESTED', 'transient', message, { subject: metadata.name, retryAfterMs });
}

function notOurs(kind: ChildKind, { metadata }: Child): ForesailError {
  const message = `${kind} ${metadata.name} exists and belongs to something else`;
  return new ForesailError('CHILD_NOT_OURS', 'transient', message, { subject: metadata.name });
}
