/** Breakers over all scalers together: the freeze, the budget of creations, the administrator's pause. */
import type { Clock } from '../../clock.ts';
import { type FreezeConfig, fleetFrozen, targetUnready } from '../../decision/guards/freeze.ts';
import { creationBudget } from './creation-budget.ts';
import type { Fleet } from './ports.ts';

export interface FleetOptions {
  readonly clock: Clock;
  readonly freeze: FreezeConfig;
  /** Undefined: no limit. */
  readonly creationsPerMinute: number | undefined;
  readonly pause: () => Fleet['pause'];
}

export function createFleet({ clock, freeze, creationsPerMinute, pause }: FleetOptions): Fleet {
  const votes = new Map<string, boolean>();
  let unready = 0;
  let frozen = false;
  const budget = creationBudget(creationsPerMinute);

  const vote = (key: string, now: boolean | undefined) => {
    unready += Number(now ?? false) - Number(votes.get(key) ?? false);
    if (now === undefined) votes.delete(key);
    else votes.set(key, now);
    frozen = fleetFrozen(frozen, votes.size, unready, freeze);
  };

  return {
    get pause() {
      return pause();
    },
    get frozen() {
      return frozen;
    },
    report: (key, specReplicas, readyPods) => vote(key, targetUnready(specReplicas, readyPods)),
    forget: (key) => vote(key, undefined),
    creationsLeft: () => budget.left(clock.monotonic()),
    spend: (creations) => budget.take(creations, clock.monotonic()),
  };
}
