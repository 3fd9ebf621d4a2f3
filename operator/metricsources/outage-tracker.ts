/**
 * Since when a metric has been unknown. One read sees only itself; `fallback.after` and the person on call want to
 * know when the outage began, whatever reasons followed each other in it.
 */
import { type Observation, unknown } from '../observation.ts';
import { RecentMap } from './recent-map.ts';

export class OutageTracker {
  /** By a clock without jumps: `since` minus the jumps before it. */
  readonly #since: RecentMap<number>;
  readonly #jumped: () => number;

  /** @param jumped sum of the jumps of the wall clock so far: an outage does not grow by one */
  constructor(jumped: () => number, capacity = 20_000) {
    this.#jumped = jumped;
    this.#since = new RecentMap(capacity);
  }

  settle<T>(key: string, observation: Observation<T>): Observation<T> {
    if (observation.kind === 'value') {
      this.#since.delete(key);
      return observation;
    }
    const jumped = this.#jumped();
    const since = this.#since.get(key) ?? observation.since - jumped;
    this.#since.set(key, since);
    return unknown(observation.reason, observation.message, since + jumped);
  }
}
