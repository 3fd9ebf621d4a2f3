/**
 * Somebody else who keeps changing a child of ours (an HPA on the Deployment of a version, a person's script) is
 * answered a few times and then no more for a while: two writers that never tire wear out the API server, not each other.
 */
import type { Clock } from '../clock.ts';

const WINDOW_MS = 60_000;
const REPAIRS_PER_WINDOW = 5;

export interface Contest {
  /** Whether the child may be written again; `wanted` tells a repair from a wish of our own that has changed. */
  mayWrite(key: string, wanted: object): boolean;
  /** It was written. A write that the API server refused, as one over an old version of the object, is no repair. */
  wrote(key: string, wanted: object): void;
}

export function createContest(clock: Pick<Clock, 'monotonic'>): Contest {
  const written = new Map<string, { readonly wanted: string; readonly times: readonly number[] }>();

  function repairs(key: string, wanted: string): readonly number[] {
    const before = written.get(key);
    const now = clock.monotonic();
    return before?.wanted === wanted ? before.times.filter((time) => now - time < WINDOW_MS) : [];
  }

  return {
    mayWrite: (key, wanted) => repairs(key, JSON.stringify(wanted)).length < REPAIRS_PER_WINDOW,
    wrote(key, object) {
      const now = clock.monotonic();
      for (const [other, { times }] of written)
        if (now - (times.at(-1) ?? 0) >= WINDOW_MS) written.delete(other);
      const wanted = JSON.stringify(object);
      written.set(key, { wanted, times: [...repairs(key, wanted), now] });
    },
  };
}
