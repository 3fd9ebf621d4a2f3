/**
 * What the controller remembers of each scaler between two looks. The part that cannot be found out again (`learned`,
 * `decision`) is checkpointed; the rest belongs to this process.
 */
import type { DecisionMemory, ForecastInput } from '../../decision/types.ts';
import { Learned } from './learned.ts';
import { type Fights, NO_FIGHTS } from './second-writer.ts';
import type { PodsSeen } from './target-learning.ts';

export interface ScalerMemory {
  readonly uid: string;
  readonly learned: Learned;
  decision: DecisionMemory | undefined;
  /** True until the first decision on a memory out of a checkpoint: the present replicas are not in it yet. */
  resumed: boolean;
  fights: Fights;
  /** Real time of our last write of the scale. */
  scaledAtMs: number | undefined;
  /** What the API server answered to it: newer than the informer for a moment. */
  written: { readonly resourceVersion: string; readonly replicas: number } | undefined;
  /** The newest forecast that was good: the first rung of an outage. */
  lastForecast: ForecastInput | undefined;
  podsSeen: PodsSeen | undefined;
}

export interface ScalerMemories {
  /** The memory of this incarnation of the object; another uid starts afresh, or from its checkpoint. */
  of(key: string, uid: string): ScalerMemory;
  find(key: string): ScalerMemory | undefined;
  entries(): readonly (readonly [key: string, memory: ScalerMemory])[];
  forget(key: string): void;
}

/** What a checkpoint gives back. */
export interface Restored {
  readonly learned: Learned;
  readonly decision: DecisionMemory | undefined;
}

/** @param restore reads the checkpoint of a scaler by uid */
export function createScalerMemories(restore: (uid: string) => Restored | undefined): ScalerMemories {
  const byKey = new Map<string, ScalerMemory>();
  return {
    of(key, uid) {
      const found = byKey.get(key);
      if (found?.uid === uid) return found;
      const restored = restore(uid);
      const fresh: ScalerMemory = {
        uid,
        learned: restored?.learned ?? new Learned(),
        decision: restored?.decision,
        resumed: restored?.decision !== undefined,
        fights: NO_FIGHTS,
        scaledAtMs: undefined,
        written: undefined,
        lastForecast: undefined,
        podsSeen: undefined,
      };
      byKey.set(key, fresh);
      return fresh;
    },
    find: (key) => byKey.get(key),
    entries: () => [...byKey],
    forget: (key) => byKey.delete(key),
  };
}
