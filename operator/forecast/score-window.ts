/** The last scores in order of arrival and in order of size, so that a quantile costs nothing and an update little. */
import { empiricalQuantile } from './quantiles.ts';

export class ScoreWindow {
  readonly capacity: number;
  readonly #arrived: Float32Array;
  readonly #sorted: Float32Array;
  #count = 0;
  #next = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#arrived = new Float32Array(capacity);
    this.#sorted = new Float32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  push(score: number): void {
    const value = Math.fround(score);
    if (this.#count === this.capacity) this.#remove(this.#arrived[this.#next] ?? 0);
    this.#arrived[this.#next] = value;
    this.#next = (this.#next + 1) % this.capacity;
    const at = this.#lowerBound(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#count++;
  }

  /** The k-th smallest, 1-based. */
  ranked(k: number): number {
    return k >= 1 && k <= this.#count ? (this.#sorted[k - 1] ?? Number.NaN) : Number.NaN;
  }

  quantile(level: number): number {
    return empiricalQuantile(this.#sorted.subarray(0, this.#count), level);
  }

  /** Oldest first. */
  values(): Float32Array {
    const start = this.#count === this.capacity ? this.#next : 0;
    return Float32Array.from(
      { length: this.#count },
      (_, i) => this.#arrived[(start + i) % this.capacity] ?? Number.NaN,
    );
  }

  #remove(value: number): void {
    const at = this.#lowerBound(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }

  #lowerBound(value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
