/**
 * Keeps what scalers have learned in the cluster, so that a restart or a failover to another node loses nothing that
 * matters. One ConfigMap per scaler in the operator's own namespace (no right to write elsewhere is needed), written
 * at most every ten minutes and only when it changed by more than a digit. A ConfigMap that cannot be read costs its scaler what it had
 * learned, with an event, and nobody else anything.
 */
import type { Clock } from '../../clock.ts';
import { parseDecisionMemory } from '../../decision/stored-memory.ts';
import { CheckpointPolicy, decodeState, encodeState } from '../../history/state.ts';
import type { Logger } from '../../logger.ts';
import {
  isAlreadyExists,
  isNotFound,
  type ResourceRef,
  type Runnable,
  type Store,
  type Writer,
} from '../../runtime/index.ts';
import { markOf } from './checkpoint-mark.ts';
import { Learned } from './learned.ts';
import { moveMemory } from './move-memory.ts';
import type { ConfigMap } from './pause-switch.ts';
import { phaseOf } from './phase.ts';
import type { Restored, ScalerMemories, ScalerMemory } from './scaler-memory.ts';
import { parseVerdict } from './stored-verdict.ts';

export const STATE_LABEL = 'foresail.io/state';
const STATE_SELECTOR = 'predictivescaler';
export const STATE_LABEL_SELECTOR = `${STATE_LABEL}=${STATE_SELECTOR}`;
const STATE_KEY = 'state';
/** Of which target it tells: another target's pods start otherwise and carry otherwise. */
const TARGET_KEY = 'target';
/** Which scaler it belongs to, for people. */
const SCALER_ANNOTATION = 'foresail.io/scaler';

export interface CheckpointOptions {
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
  /** Tells the user that something learned was lost. */
  readonly onCorrupt: (uid: string, reason: string) => void;
}

export interface Checkpoints extends Runnable {
  /** What was stored for a scaler and its target. Called once per scaler and process. */
  restore(uid: string, target: string): Restored | undefined;
  /** Deletes what belongs to no scaler any more. */
  forget(uid: string, signal: AbortSignal): Promise<void>;
  /** Must be set before it runs: the memories, and the uids of the scalers that exist. */
  attach(memories: ScalerMemories, alive: () => ReadonlySet<string>): void;
}

/** Looks this often whether a checkpoint is due; spreads the writes of a thousand scalers by itself. */
const LOOK_EVERY_MS = 15_000;
const AT_ONCE = 16;

export function createCheckpoints(options: CheckpointOptions): Checkpoints {
  const { ref, namespace, stored, client, everyMs, clock, log, onCorrupt } = options;
  const policies = new Map<string, CheckpointPolicy>();
  let memories: ScalerMemories | undefined;
  let alive: (() => ReadonlySet<string>) | undefined;

  const nameOf = (uid: string) => `foresail-state-${uid}`;
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

  async function save(key: string, memory: ScalerMemory, last: boolean, signal: AbortSignal): Promise<void> {
    const { uid, target } = memory;
    const mark = () => markOf(memory.learned.toState(), memory.decision, target, memory.verdict);
    const policy = policyOf(uid);
    const due = policy.due(clock.monotonic(), mark, last);
    if (due === undefined) return;
    const data = { [STATE_KEY]: encodeMemory(memory, clock.now()), [TARGET_KEY]: target };
    try {
      if (dataOf(uid) === undefined) await create(uid, key, data, signal);
      else await client.mergePatch(ref, { namespace, name: nameOf(uid) }, { data }, {}, signal);
      policy.written(due, clock.monotonic());
    } catch (error) {
      if (signal.aborted) return;
      log.warn('checkpoint could not be written', { scaler: key, error });
    }
  }

  async function create(
    uid: string,
    key: string,
    data: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const metadata = {
      name: nameOf(uid),
      namespace,
      labels: { [STATE_LABEL]: STATE_SELECTOR },
      annotations: { [SCALER_ANNOTATION]: key },
    };
    try {
      await client.create(ref, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, signal);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await client.mergePatch(ref, { namespace, name: nameOf(uid) }, { data }, {}, signal);
    }
  }

  async function saveAll(last: boolean, signal: AbortSignal): Promise<void> {
    const all = memories?.entries() ?? [];
    for (let i = 0; i < all.length && !signal.aborted; i += AT_ONCE) {
      const some = all.slice(i, i + AT_ONCE);
      // oxlint-disable-next-line no-await-in-loop -- a few at a time, so that scaling keeps its share of the API server
      await Promise.all(some.map(([key, memory]) => save(key, memory, last, signal)));
    }
  }

  async function remove(uid: string, signal: AbortSignal): Promise<void> {
    policies.delete(uid);
    if (dataOf(uid) === undefined) return;
    await client.delete(ref, { namespace, name: nameOf(uid) }, {}, signal).catch((error: unknown) => {
      if (!isNotFound(error) && !signal.aborted) log.warn('checkpoint could not be deleted', { uid, error });
    });
  }

  /** Scalers that were deleted while nobody led, or in the moment in which their first checkpoint was written. */
  async function sweep(signal: AbortSignal): Promise<void> {
    const living = alive?.();
    for (const { metadata } of living === undefined ? [] : stored.list()) {
      if (signal.aborted) return;
      const uid = metadata.name.slice(nameOf('').length);
      // oxlint-disable-next-line no-await-in-loop -- rare, and never urgent
      if (living?.has(uid) === false) await remove(uid, signal);
    }
  }

  return {
    name: 'checkpoints',
    attach(theirs, living) {
      memories = theirs;
      alive = living;
    },
    restore(uid, target) {
      const data = dataOf(uid);
      if (data?.[TARGET_KEY] !== target) return undefined;
      const decoded = decodeState(data[STATE_KEY]);
      if (decoded.kind === 'none') return undefined;
      if (decoded.kind === 'corrupt') {
        log.warn('checkpoint set aside', { uid, reason: decoded.reason });
        onCorrupt(uid, decoded.reason);
        return undefined;
      }
      const stored = parseDecisionMemory(decoded.state.decision);
      // Written by a clock that was ahead of ours: its windows would not end before we have caught up.
      const aheadMs = Math.max(0, Math.round(decoded.state.asOfMs - clock.now()));
      const decision = stored && moveMemory(stored, -aheadMs);
      const verdict = parseVerdict(decoded.state.verdict);
      policyOf(uid, markOf(decoded.state, decision, target, verdict));
      return { learned: new Learned(decoded.state), decision, verdict };
    },
    forget: remove,
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

function encodeMemory({ learned, decision, verdict }: ScalerMemory, asOfMs: number): string {
  return encodeState({
    asOfMs,
    ...learned.toState(),
    ...(decision === undefined ? {} : { decision: JSON.parse(JSON.stringify(decision)) }),
    ...(verdict === undefined ? {} : { verdict: JSON.parse(JSON.stringify(verdict)) }),
  });
}
