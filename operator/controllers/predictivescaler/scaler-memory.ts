/**
 * What the controller remembers of each scaler between two looks. The part that cannot be found out again (`learned`,
 * `decision`) is checkpointed; the rest belongs to this process.
 */
import type { DecisionMemory, ForecastInput } from '../../decision/types.ts';
import { Learned } from './learned.ts';
import { moveMemory } from './move-memory.ts';
import { type Fights, NO_FIGHTS } from './second-writer.ts';
import type { StoredVerdict } from './stored-verdict.ts';
import type { PodsSeen } from './target-learning.ts';

export interface ScalerMemory {
  readonly uid: string;
  /** Of what load all this is (`targetKey`). */
  readonly target: string;
  readonly learned: Learned;
  decision: DecisionMemory | undefined;
  /** Jumps of the wall clock that the times in `decision` have followed (`watchClockJumps`). */
  jumpedMs: number;
  /** True until the first decision on a memory out of a checkpoint: the present replicas are not in it yet. */
  resumed: boolean;
  /** True after the first look, which is prompt: from then on the scaler is looked at in its own phase. */
  inPhase: boolean;
  fights: Fights;
  /** Real time of our last write of the scale. */
  scaledAtMs: number | undefined;
  /** What the API server answered to it: newer than the informer for a moment. */
  written: { readonly resourceVersion: string; readonly replicas: number } | undefined;
  /** The newest forecast that was good: the first rung of an outage. Its paths follow the metrics that are named. */
  lastForecast: { readonly metricIds: string; readonly input: ForecastInput } | undefined;
  podsSeen: PodsSeen | undefined;
  /** What the replays of this load's past speak for; set in the background (verdicts.ts). */
  verdict: StoredVerdict | undefined;
}

export interface ScalerMemories {
  /** The memory of this incarnation of the object; another uid or target starts afresh, or from its checkpoint. */
  of(key: string, uid: string, target: string): ScalerMemory;
  find(key: string): ScalerMemory | undefined;
  entries(): readonly (readonly [key: string, memory: ScalerMemory])[];
  forget(key: string): void;
}

/** What a checkpoint gives back. */
export interface Restored {
  readonly learned: Learned;
  readonly decision: DecisionMemory | undefined;
  readonly verdict?: StoredVerdict | undefined;
}

/**
 * @param restore reads the checkpoint of a scaler by uid, if it tells of this target
 * @param jumped sum of the jumps of the wall clock so far
 */
export function createScalerMemories(
  restore: (uid: string, target: string) => Restored | undefined,
  jumped: () => number,
): ScalerMemories {
  const byKey = new Map<string, ScalerMemory>();
  return {
    of(key, uid, target) {
      const found = byKey.get(key);
      const jumpedMs = jumped();
      if (found?.uid === uid && found.target === target) return followed(found, jumpedMs);
      const restored = restore(uid, target);
      const fresh: ScalerMemory = {
        uid,
        target,
        learned: restored?.learned ?? new Learned(),
        decision: restored?.decision,
        jumpedMs,
        resumed: restored?.decision !== undefined,
        inPhase: false,
        fights: NO_FIGHTS,
        scaledAtMs: undefined,
        written: undefined,
        lastForecast: undefined,
        podsSeen: undefined,
        verdict: restored?.verdict,
      };
      byKey.set(key, fresh);
      return fresh;
    },
    find: (key) => byKey.get(key),
    entries: () => [...byKey],
    forget: (key) => byKey.delete(key),
  };
}

function followed(memory: ScalerMemory, jumpedMs: number): ScalerMemory {
  if (memory.decision !== undefined)
    memory.decision = moveMemory(memory.decision, jumpedMs - memory.jumpedMs);
  memory.jumpedMs = jumpedMs;
  return memory;
}
