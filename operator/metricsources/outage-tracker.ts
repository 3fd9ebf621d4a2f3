/**
 * Since when a metric has been unknown. One read sees only itself; `fallback.after` and the person on call want to
 * know when the outage began, whatever reasons followed each other in it.
 */
import { type Observation, unknown } from '../observation.ts';
import { RecentMap } from './recent-map.ts';

export class OutageTracker {
  readonly #since: RecentMap<number>;

  constructor(capacity = 20_000) {
    this.#since = new RecentMap(capacity);
  }

  settle<T>(key: string, observation: Observation<T>): Observation<T> {
    if (observation.kind === 'value') {
      this.#since.delete(key);
      return observation;
    }
    const since = this.#since.get(key) ?? observation.since;
    this.#since.set(key, since);
    return unknown(observation.reason, observation.message, since);
  }
}
