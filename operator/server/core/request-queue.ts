/**
 * The bounded queue in front of a model: first come first served within a priority, 1 before 2. Each priority has its
 * own bound, so a flood of unimportant requests cannot keep an important one out. A request that is cancelled or timed out
 * leaves a hole in the middle; holes are swept before they outgrow the queue.
 */
export interface Queued {
  readonly rows: number;
  readonly bytes: number;
  /** 1 .. levels. */
  readonly priority: number;
  /** Only requests with the same key can share a run. */
  readonly shapeKey: string;
}

interface Level<T> {
  items: (T | undefined)[];
  head: number;
  live: number;
  rows: number;
}

export class RequestQueue<T extends Queued> {
  readonly #levels: Level<T>[];
  readonly #bound: number;

  constructor(levels: number, bound: number) {
    this.#levels = Array.from({ length: levels }, () => ({ items: [], head: 0, live: 0, rows: 0 }));
    this.#bound = bound;
  }

  get size(): number {
    return this.#levels.reduce((sum, level) => sum + level.live, 0);
  }

  get rows(): number {
    return this.#levels.reduce((sum, level) => sum + level.rows, 0);
  }

  full(priority: number): boolean {
    return this.#level(priority).live >= this.#bound;
  }

  /** Rows that run before a request of this priority that comes now. */
  rowsAhead(priority: number): number {
    let rows = 0;
    for (let p = 1; p <= priority; p++) rows += this.#level(p).rows;
    return rows;
  }

  push(item: T): void {
    const level = this.#level(item.priority);
    level.items.push(item);
    level.live++;
    level.rows += item.rows;
  }

  /** False when it is no longer queued. */
  remove(item: T): boolean {
    const level = this.#level(item.priority);
    const at = level.items.indexOf(item, level.head);
    if (at < 0) return false;
    level.items[at] = undefined;
    level.live--;
    level.rows -= item.rows;
    this.#sweep(level);
    return true;
  }

  /** The request that has waited longest in the highest priority. */
  peek(): T | undefined {
    for (const level of this.#levels) {
      const first = this.#first(level);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /**
   * The next run: requests from the front that share the first one's shape and fit into `limit` rows and `maxBytes`
   * together. The first is always taken, however large. It stops at the first that does not fit, so nobody is
   * overtaken for ever.
   */
  take(limit: number, maxBytes: number): T[] {
    const first = this.peek();
    if (first === undefined) return [];
    const batch: T[] = [];
    let rows = 0;
    let bytes = 0;
    for (const level of this.#levels) {
      for (let next = this.#first(level); next !== undefined; next = this.#first(level)) {
        rows += next.rows;
        bytes += next.bytes;
        const fits = next.shapeKey === first.shapeKey && rows <= limit && bytes <= maxBytes;
        if (batch.length > 0 && !fits) return batch;
        batch.push(next);
        level.items[level.head++] = undefined;
        level.live--;
        level.rows -= next.rows;
      }
      this.#sweep(level);
    }
    return batch;
  }

  /** Empties the queue. */
  takeAll(): T[] {
    const all = this.#levels.flatMap((level) => level.items.filter((item) => item !== undefined));
    for (const level of this.#levels) Object.assign(level, { items: [], head: 0, live: 0, rows: 0 });
    return all;
  }

  #first(level: Level<T>): T | undefined {
    while (level.head < level.items.length && level.items[level.head] === undefined) level.head++;
    return level.items[level.head];
  }

  #sweep(level: Level<T>): void {
    if (level.items.length <= 2 * level.live + 64) return;
    level.items = level.items.filter((item) => item !== undefined);
    level.head = 0;
  }

  #level(priority: number): Level<T> {
    const level = this.#levels[priority - 1];
    if (level === undefined) throw new RangeError(`priority ${priority} of ${this.#levels.length}`);
    return level;
  }
}
