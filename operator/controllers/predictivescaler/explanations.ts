/**
 * Remembers why each scaler decided what it decided, for `foresail explain`. Repetitions of the same outcome replace
 * each other, so a quiet night costs one entry; what is kept is bounded in bytes and in age per scaler.
 */
import type { Decision } from '../../decision/types.ts';

export interface Explanations {
  record(key: string, decision: Decision, live: object): void;
  /** Newest first, or undefined when nothing was decided here. */
  of(key: string): Explained | undefined;
  forget(key: string): void;
}

export interface Explained {
  readonly scaler: string;
  /** Values of the last reconcile that move too often for the status. */
  readonly live: object;
  readonly decisions: readonly Decision[];
}

interface Entry {
  readonly decision: Decision;
  readonly bytes: number;
}

export interface ExplanationLimits {
  readonly bytesPerScaler: number;
  readonly maxAgeMs: number;
}

export const EXPLANATION_LIMITS: ExplanationLimits = {
  bytesPerScaler: 128 * 1024,
  maxAgeMs: 3 * 24 * 3_600_000,
};

export function createExplanations(limits: ExplanationLimits = EXPLANATION_LIMITS): Explanations {
  const byKey = new Map<string, { live: object; entries: Entry[] }>();
  return {
    record(key, decision, live) {
      const entries = byKey.get(key)?.entries ?? [];
      const again = entries[0] !== undefined && outcome(entries[0].decision) === outcome(decision);
      // The same outcome has about the same size; measuring it costs more than the rest of this.
      const size = (again ? entries.shift()?.bytes : undefined) ?? JSON.stringify(decision).length;
      entries.unshift({ decision, bytes: size });
      let bytes = 0;
      const kept = entries.filter(({ decision: { atMs }, bytes: own }, i) => {
        bytes += own;
        return i === 0 || (bytes <= limits.bytesPerScaler && decision.atMs - atMs <= limits.maxAgeMs);
      });
      byKey.set(key, { live, entries: kept });
    },
    of(key) {
      const found = byKey.get(key);
      return found === undefined
        ? undefined
        : { scaler: key, live: found.live, decisions: found.entries.map(({ decision }) => decision) };
    },
    forget: (key) => byKey.delete(key),
  };
}

function outcome({ desiredReplicas, boundBy, rung, write, mode }: Decision): string {
  return [desiredReplicas, boundBy, rung, write, mode.inForce].join('|');
}
