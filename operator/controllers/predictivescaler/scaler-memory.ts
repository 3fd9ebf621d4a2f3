/**
 * What the controller remembers of each scaler between two looks. The part that cannot be found out again (`learned`,
 * `decision`) is checkpointed; the rest belongs to this process.
 */
import type { DecisionMemory, ForecastInput } from '../../decision/types.ts';
import { type Fights, NO_FIGHTS } from './second-writer.ts';

export interface ScalerMemory {
  readonly uid: string;
  decision: DecisionMemory | undefined;
  fights: Fights;
  /** Real time of our last write of the scale. */
  scaledAtMs: number | undefined;
  /** What the API server answered to it: newer than the informer for a moment. */
  written: { readonly resourceVersion: string; readonly replicas: number } | undefined;
  /** The newest forecast that was good: the first rung of an outage. */
  lastForecast: ForecastInput | undefined;
}

export interface ScalerMemories {
  /** The memory of this incarnation of the object; another uid starts afresh. */
  of(key: string, uid: string): ScalerMemory;
  forget(key: string): void;
}

export function createScalerMemories(): ScalerMemories {
  const byKey = new Map<string, ScalerMemory>();
  return {
    of(key, uid) {
      const found = byKey.get(key);
      if (found?.uid === uid) return found;
      const fresh: ScalerMemory = {
        uid,
        decision: undefined,
        fights: NO_FIGHTS,
        scaledAtMs: undefined,
        written: undefined,
        lastForecast: undefined,
      };
      byKey.set(key, fresh);
      return fresh;
    },
    forget: (key) => byKey.delete(key),
  };
}
