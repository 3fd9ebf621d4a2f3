/**
 * The last scores in order of arrival and in order of size, so that a quantile costs nothing and an update little.
 * Above their upper twentieth an exponential tail is fitted to the excesses (the peaks-over-threshold idea with shape
 * zero): the largest of a few hundred scores are too few to be read one by one, and what is asked may lie beyond them.
 */
import { empiricalQuantile } from './quantiles.ts';

const TAIL_SHARE = 0.05;

export class ScoreWindow {
  readonly capacity: number;
  readonly #arrived: Float32Array;
  readonly #sorted: Float32Array;
  #count = 0;
  #next = 0;
  #tail: { readonly share: number; readonly from: number; readonly mean: number } | undefined;

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
    this.#tail = undefined;
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

  /**
   * The score that the next one exceeds with probability `1 - level`: the conformal rank ceil(level * (n + 1)), in the
   * upper twentieth the tail. NaN when there are no scores.
   */
  upper(level: number): number {
    const { share, from, mean } = this.#tailOf();
    if (1 - level < share && mean > 0) return from + mean * Math.log(share / (1 - level));
    return this.ranked(Math.min(Math.max(Math.ceil(level * (this.#count + 1)), 1), this.#count));
  }

  #tailOf(): { readonly share: number; readonly from: number; readonly mean: number } {
    if (this.#tail !== undefined) return this.#tail;
    const count = this.#count;
    const first = Math.floor(count * (1 - TAIL_SHARE));
    const from = this.#sorted[first] ?? Number.NaN;
    let sum = 0;
    for (let i = first; i < count; i++) sum += (this.#sorted[i] ?? from) - from;
    const beyond = count - first;
    this.#tail = { share: beyond / (count + 1), from, mean: beyond < 2 ? 0 : sum / beyond };
    return this.#tail;
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
