/**
 * Objects that belong to one of ours, made what they should be and taken away again. Names are fixed by whoever wants
 * them, so doing it twice, or after a crash, does nothing twice; a name that somebody else has is never written to.
 */
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import {
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  keyOf,
  type OwnerReference,
  objectKey,
  type ResourceRef,
  type Store,
  type Writer,
} from '../runtime/index.ts';
import { createContest } from './contest.ts';
import { patchOf } from './drift.ts';

/** A child as it is wanted, and as the server has it. */
export interface Child extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid?: string | undefined };
}

export function ownerReference({ apiVersion, kind, metadata }: Owner): OwnerReference {
  // No blockOwnerDeletion: some clusters grant it only to whoever may write finalizers of the owner.
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true };
}

export function isOwned({ metadata }: KubeObject, owner: Pick<Owner, 'metadata'>): boolean {
  return (
    metadata.ownerReferences?.some(
      ({ uid, controller }) => controller === true && uid === owner.metadata.uid,
    ) === true
  );
}

export interface OwnedObjects {
  /**
   * @throws ForesailError CHILD_NOT_OURS (transient) when the name is taken by somebody else's object, CHILD_CONTESTED
   * (transient) when somebody else keeps changing ours, CACHE_BEHIND (conflict) when the cache does not know yet what
   * this process wrote
   */
  ensure(
    ref: ResourceRef,
    stored: Pick<Store<Child>, 'get'>,
    owner: Pick<Owner, 'metadata'>,
    wanted: Child,
    signal: AbortSignal,
  ): Promise<void>;
  /** Quiet when it is gone already. */
  remove(ref: ResourceRef, child: KubeObject, signal: AbortSignal): Promise<void>;
}

/** @param client fenced: an ex-leader writes nothing */
export function createOwnedObjects(
  client: Pick<Writer, 'create' | 'mergePatch' | 'delete'>,
  clock: Pick<Clock, 'monotonic'>,
): OwnedObjects {
  /** Created by this process: a cache that does not know them yet is behind, and nobody took their names. */
  const created = new Set<string>();
  const contest = createContest(clock);

  return {
    async ensure(ref, stored, owner, wanted, signal) {
      const key = keyOf(wanted);
      const id = `${ref.plural}/${key}`;
      const actual = stored.get(key);
      if (actual === undefined) {
        try {
          await client.create(ref, wanted, signal);
          created.add(id);
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
          if (!created.has(id)) throw notOurs(ref, wanted);
          throw new ForesailError('CACHE_BEHIND', 'conflict', `${ref.plural} ${key} is not in the cache yet`);
        }
        return;
      }
      created.delete(id);
      if (!isOwned(actual, owner)) throw notOurs(ref, wanted);
      const patch = patchOf(actual, wanted);
      if (patch === undefined) return;
      if (!contest.mayWrite(id, wanted)) throw contested(ref, wanted);
      const { resourceVersion } = actual.metadata;
      const version = resourceVersion === undefined ? {} : { resourceVersion };
      try {
        await client.mergePatch(ref, objectKey(actual), patch, version, signal);
        contest.wrote(id, wanted);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw new ForesailError('CACHE_BEHIND', 'conflict', `${ref.plural} ${key} is gone already`);
      }
    },
    async remove(ref, child, signal) {
      const { uid } = child.metadata;
      try {
        await client.delete(ref, objectKey(child), uid === undefined ? {} : { uid }, signal);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}

function contested({ plural }: ResourceRef, { metadata }: KubeObject): ForesailError {
  const message = `${plural} ${metadata.name}: somebody else keeps changing it; not writing for a while`;
  const retryAfterMs = 30_000;
  return new ForesailError('CHILD_CONTESTED', 'transient', message, { subject: metadata.name, retryAfterMs });
}

export function notOurs({ plural }: ResourceRef, { metadata }: KubeObject): ForesailError {
  const message = `${plural} ${metadata.name} exists and belongs to something else`;
  return new ForesailError('CHILD_NOT_OURS', 'transient', message, { subject: metadata.name });
}
