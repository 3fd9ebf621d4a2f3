/**
 * What scalers have learned, as it is kept in the cluster (state-maps.ts). A ConfigMap that cannot be read costs its
 * scaler what it had learned, with an event, and nobody else anything.
 */
import { parseDecisionMemory } from '../../decision/stored-memory.ts';
import { decodeState, encodeState } from '../../history/state.ts';
import type { Runnable } from '../../runtime/index.ts';
import { createStateMaps, type StateKind, type StateMapsOptions } from '../state-maps.ts';
import { markOf } from './checkpoint-mark.ts';
import { Learned } from './learned.ts';
import { moveMemory } from './move-memory.ts';
import type { Restored, ScalerMemories, ScalerMemory } from './scaler-memory.ts';
import { parseVerdict } from './stored-verdict.ts';

const KIND: StateKind = {
  name: 'checkpoints',
  label: 'predictivescaler',
  prefix: 'foresail-state-',
  annotation: 'foresail.io/scaler',
};
const STATE_KEY = 'state';
/** Of which target it tells: another target's pods start otherwise and carry otherwise. */
const TARGET_KEY = 'target';

export interface CheckpointOptions extends StateMapsOptions {
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

export function createCheckpoints(options: CheckpointOptions): Checkpoints {
  const { clock, log, onCorrupt } = options;
  const maps = createStateMaps(options, KIND);
  return {
    name: maps.name,
    attach(memories, alive) {
      const kept = ([key, memory]: readonly [string, ScalerMemory]) => ({
        uid: memory.uid,
        key,
        mark: () => markOf(memory.learned.toState(), memory.decision, memory.target, memory.verdict),
        data: () => ({ [STATE_KEY]: encodeMemory(memory, clock.now()), [TARGET_KEY]: memory.target }),
      });
      maps.attach(() => memories.entries().map(kept), alive);
    },
    restore(uid, target) {
      const data = maps.dataOf(uid);
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
      maps.restored(uid, markOf(decoded.state, decision, target, verdict));
      return { learned: new Learned(decoded.state), decision, verdict };
    },
    forget: (uid, signal) => maps.forget(uid, signal),
    run: (signal) => maps.run(signal),
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
