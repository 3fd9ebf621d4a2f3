/**
 * The replicas of a target under a virtual clock: what was ordered, and what of it is ready. A replica is ready one
 * start-up time after its order (in whole ticks, rounded up) and gone at once when it is taken back; as in a
 * ReplicaSet, replicas that are still starting go first, the newest of them before the older.
 */

interface Batch {
  readonly readyAtTick: number;
  count: number;
}

export class World {
  readonly #startUpTicks: number;
  /** Oldest first. */
  readonly #starting: Batch[] = [];
  #tick = 0;
  #ready: number;
  #ordered: number;

  /** @param replicas that are there, ready, at tick 0 */
  constructor(startUpTicks: number, replicas: number) {
    this.#startUpTicks = startUpTicks;
    this.#ready = replicas;
    this.#ordered = replicas;
  }

  get ordered(): number {
    return this.#ordered;
  }

  get ready(): number {
    return this.#ready;
  }

  /** One tick passes; replicas whose time has come are ready. */
  advance(): void {
    this.#tick += 1;
    this.#becomeReady();
  }

  order(replicas: number): void {
    const more = replicas - this.#ordered;
    this.#ordered = replicas;
    if (more > 0) {
      this.#starting.push({ readyAtTick: this.#tick + this.#startUpTicks, count: more });
      this.#becomeReady();
      return;
    }
    let less = -more;
    while (less > 0) {
      const newest = this.#starting.at(-1);
      if (newest === undefined) break;
      const taken = Math.min(newest.count, less);
      newest.count -= taken;
      less -= taken;
      if (newest.count === 0) this.#starting.pop();
    }
    this.#ready -= less;
  }

  #becomeReady(): void {
    for (let oldest = this.#starting[0]; oldest !== undefined; oldest = this.#starting[0]) {
      if (oldest.readyAtTick > this.#tick) return;
      this.#ready += oldest.count;
      this.#starting.shift();
    }
  }
}
