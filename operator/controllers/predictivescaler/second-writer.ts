/**
 * Notices when somebody else keeps setting the replicas that we set. One manual `kubectl scale` is no fight: it is
 * corrected once, as HPA does. Several within a window are, and two controllers that overwrite each other harm
 * the workload more than either alone, so we stop writing and say so, and try again after a rest.
 */

export interface Fights {
  /** What our last write left in the scale; undefined before the first write. */
  readonly written?: number;
  /** Times (monotonic ms) at which the number was found changed. */
  readonly changedAt: readonly number[];
  /** Until when we stay away (monotonic ms). */
  readonly restUntil?: number;
}

export const NO_FIGHTS: Fights = { changedAt: [] };

export interface FightRules {
  readonly limit: number;
  readonly windowMs: number;
  readonly restMs: number;
}

export const FIGHT_RULES: FightRules = { limit: 3, windowMs: 5 * 60_000, restMs: 10 * 60_000 };

/** Takes in the replicas found at the start of a reconcile. */
export function observeReplicas(fights: Fights, found: number, now: number, rules: FightRules): Fights {
  const rested = fights.restUntil !== undefined && fights.restUntil <= now;
  const { restUntil, ...before } = fights;
  const current: Fights = rested ? { ...before, changedAt: [] } : fights;
  if (current.written === undefined || found === current.written || current.restUntil !== undefined)
    return current;
  const changedAt = [...current.changedAt.filter((at) => now - at < rules.windowMs), now];
  // What the other writer set is the new base, otherwise one change would count at every look.
  const next: Fights = { ...current, written: found, changedAt };
  return changedAt.length >= rules.limit ? { ...next, restUntil: now + rules.restMs } : next;
}

export function recordWrite(fights: Fights, written: number): Fights {
  return { ...fights, written };
}

export function isFighting(fights: Fights, now: number): boolean {
  return fights.restUntil !== undefined && fights.restUntil > now;
}
