/**
 * Keeps what was learned of objects in the cluster, so that a restart or a failover to another node loses nothing that
 * matters: one ConfigMap per object in the operator's own namespace (no right to write elsewhere is needed), written
 * at most every so often and only when it changed by more than a digit.
 */
import type { Clock } from '../clock.ts';
import { CheckpointPolicy } from '../history/state.ts';
import type { Logger } from '../logger.ts';
import {
  isAlreadyExists,
  isNotFound,
  type ResourceRef,
  type Runnable,
  type Store,
  type Writer,
} from '../runtime/index.ts';
import type { ConfigMap } from './config-map.ts';
import { phaseOf } from './phase.ts';

/** Its value is the kind of object that a ConfigMap tells of. */
export const STATE_LABEL = 'foresail.io/state';

export interface StateMapsOptions {
  readonly ref: ResourceRef;
  /** The operator's own namespace. */
  readonly namespace: string;
  /** ConfigMaps with the label above. */
  readonly stored: Store<ConfigMap>;
  /** Fenced: only the leader writes. */
  readonly client: Pick<Writer, 'create' | 'mergePatch' | 'delete'>;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What tells the maps of one kind from those of another. */
export interface StateKind {
  readonly name: string;
  /** Value of the label. */
  readonly label: string;
  /** Of the names; the uid follows. */
  readonly prefix: string;
  /** Annotation with the object's key, for people. */
  readonly annotation: string;
}

/** One object's memory. */
export interface Kept {
  readonly uid: string;
  /** `namespace/name` */
  readonly key: string;
  /** A coarse picture: nothing is written while it stays the same. */
  mark(): string;
  data(): Readonly<Record<string, string>>;
}

export interface StateMaps extends Runnable {
  dataOf(uid: string): Readonly<Record<string, string>> | undefined;
  /** What is stored was taken over. @param mark of it */
  restored(uid: string, mark: string): void;
  forget(uid: string, signal: AbortSignal): Promise<void>;
  /** Must be called before it runs: the memories, and the uids of the objects that exist. */
  attach(kept: () => readonly Kept[], alive: () => ReadonlySet<string>): void;
}

/** Looks this often whether a write is due; spreads the writes of a thousand objects by itself. */
const LOOK_EVERY_MS = 15_000;
const AT_ONCE = 16;

export function createStateMaps(options: StateMapsOptions, kind: StateKind): StateMaps {
  const { ref, namespace, stored, client, everyMs, clock, log } = options;
  const policies = new Map<string, CheckpointPolicy>();
  let keptNow: (() => readonly Kept[]) | undefined;
  let alive: (() => ReadonlySet<string>) | undefined;

  const nameOf = (uid: string) => `${kind.prefix}${uid}`;
  const dataOf = (uid: string) => stored.get(`${namespace}/${nameOf(uid)}`)?.data;

  /** @param known mark of what is stored; '' when nothing is that could be used */
  function policyOf(uid: string, known = ''): CheckpointPolicy {
    let policy = policies.get(uid);
    if (policy === undefined) {
      policy = new CheckpointPolicy(everyMs);
      // Neither what is stored nor the moment of first sight is worth a write at once. A fleet that was created in one
      // go is spread over the period, so that its checkpoints do not come in one wave.
      policy.restored(known, clock.monotonic() - everyMs * phaseOf(uid));
      policies.set(uid, policy);
    }
    return policy;
  }

  async function save(one: Kept, last: boolean, signal: AbortSignal): Promise<void> {
    const { uid, key } = one;
    const policy = policyOf(uid);
    const due = policy.due(clock.monotonic(), () => one.mark(), last);
    if (due === undefined) return;
    const data = one.data();
    try {
      if (dataOf(uid) === undefined) await create(uid, key, data, signal);
      else await client.mergePatch(ref, { namespace, name: nameOf(uid) }, { data }, {}, signal);
      policy.written(due, clock.monotonic());
    } catch (error) {
      if (signal.aborted) return;
      log.warn('checkpoint could not be written', { [kind.label]: key, error });
    }
  }

  async function create(
    uid: string,
    key: string,
    data: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const metadata = {
      name: nameOf(uid),
      namespace,
      labels: { [STATE_LABEL]: kind.label },
      annotations: { [kind.annotation]: key },
    };
    try {
      await client.create(ref, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, signal);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await client.mergePatch(ref, { namespace, name: nameOf(uid) }, { data }, {}, signal);
    }
  }

  async function saveAll(last: boolean, signal: AbortSignal): Promise<void> {
    const all = keptNow?.() ?? [];
    for (let i = 0; i < all.length && !signal.aborted; i += AT_ONCE) {
      const some = all.slice(i, i + AT_ONCE);
      // oxlint-disable-next-line no-await-in-loop -- a few at a time, so that scaling keeps its share of the API server
      await Promise.all(some.map((one) => save(one, last, signal)));
    }
  }

  async function remove(uid: string, signal: AbortSignal): Promise<void> {
    policies.delete(uid);
    if (dataOf(uid) === undefined) return;
    await client.delete(ref, { namespace, name: nameOf(uid) }, {}, signal).catch((error: unknown) => {
      if (!isNotFound(error) && !signal.aborted) log.warn('checkpoint could not be deleted', { uid, error });
    });
  }

  /** Objects that were deleted while nobody led, or in the moment in which their first checkpoint was written. */
  async function sweep(signal: AbortSignal): Promise<void> {
    const living = alive?.();
    for (const { metadata } of living === undefined ? [] : stored.list()) {
      if (signal.aborted) return;
      if (!metadata.name.startsWith(kind.prefix)) continue;
      const uid = metadata.name.slice(kind.prefix.length);
      // oxlint-disable-next-line no-await-in-loop -- rare, and never urgent
      if (living?.has(uid) === false) await remove(uid, signal);
    }
  }

  return {
    name: kind.name,
    dataOf,
    restored: (uid, mark) => void policyOf(uid, mark),
    forget: remove,
    attach(kept, living) {
      keptNow = kept;
      alive = living;
    },
    async run(signal) {
      let sweepAt = 0;
      while (!signal.aborted) {
        if (clock.monotonic() >= sweepAt) {
          sweepAt = clock.monotonic() + everyMs;
          // oxlint-disable-next-line no-await-in-loop -- a loop in time
          await sweep(signal);
        }
        // oxlint-disable-next-line no-await-in-loop
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
        // oxlint-disable-next-line no-await-in-loop
        if (!signal.aborted) await saveAll(false, signal);
      }
      // The lease is still ours for a moment: the next leader should know what we know.
      await saveAll(true, AbortSignal.timeout(5_000));
    },
  };
}
