/**
 * One load in fixed memory: a circular buffer with one float per step, NaN where nothing is known. It starts small
 * and grows up to its capacity, so a thousand new scalers do not pay for two weeks that they have not lived yet.
 *
 * float32 keeps a load to 7 digits, which is more than any metric source measures, at half the memory.
 */
import type { AppendOutcome } from './types.ts';

const SMALLEST = 256;

export class Ring {
  readonly stepMs: number;
  readonly capacity: number;
  #values = new Float32Array(0);
  /** Slot = index of a step since the epoch. The buffer holds slots (newest - length, newest]. */
  #newest: number | undefined;
  /** Time of the reading in the newest slot: within a step the latest reading counts. */
  #newestAtMs = Number.NEGATIVE_INFINITY;
  #oldest: number | undefined;
  #dirtyFrom: number | undefined;

  constructor(stepMs: number, capacity: number) {
    this.stepMs = stepMs;
    this.capacity = Math.max(capacity, 1);
  }

  get bytes(): number {
    return this.#values.byteLength;
  }

  get newestSlot(): number | undefined {
    return this.#newest;
  }

  slotOf(atMs: number): number {
    return Math.floor(atMs / this.stepMs);
  }

  /** A live reading. `value` must be finite. */
  append(atMs: number, value: number): AppendOutcome {
    const slot = this.slotOf(atMs);
    if (this.#newest === undefined || slot > this.#newest) {
      this.#advance(slot);
      this.#newestAtMs = atMs;
      this.#write(slot, value);
      return 'stored';
    }
    if (slot === this.#newest && atMs > this.#newestAtMs) {
      this.#newestAtMs = atMs;
      this.#write(slot, value);
      return 'stored';
    }
    return this.#fillGap(slot, value);
  }

  /** Puts a value into a step that is unknown; a known one stays. Also takes steps older than any seen so far. */
  fillGap(slot: number, value: number): boolean {
    if (this.#newest === undefined || slot > this.#newest) {
      this.#advance(slot);
      this.#newestAtMs = slot * this.stepMs;
      this.#write(slot, value);
      return true;
    }
    return this.#fillGap(slot, value) === 'late';
  }

  /** Value of a slot; NaN outside. */
  at(slot: number): number {
    if (this.#newest === undefined || slot > this.#newest || slot <= this.#newest - this.#values.length) {
      return Number.NaN;
    }
    return this.#values[modulo(slot, this.#values.length)] ?? Number.NaN;
  }

  /** The slots from the oldest to the newest that was ever written and is still held. */
  bounds(): { first: number; last: number } | undefined {
    if (this.#newest === undefined || this.#oldest === undefined) return undefined;
    return { first: this.#oldest, last: this.#newest };
  }

  /** The oldest slot changed since the last `takeDirty`, or undefined. */
  takeDirty(): number | undefined {
    const from = this.#dirtyFrom;
    this.#dirtyFrom = undefined;
    return from;
  }

  /** Puts back what `takeDirty` took, when writing it failed. */
  markDirty(slot: number): void {
    if (this.#dirtyFrom === undefined || slot < this.#dirtyFrom) this.#dirtyFrom = slot;
  }

  #fillGap(slot: number, value: number): AppendOutcome {
    const newest = this.#newest ?? slot;
    if (newest - slot + 1 > this.capacity) return 'tooOld';
    this.#reserve(slot, newest);
    if (!Number.isNaN(this.at(slot))) return 'duplicate';
    this.#write(slot, value);
    return 'late';
  }

  #write(slot: number, value: number): void {
    this.#values[modulo(slot, this.#values.length)] = value;
    if (this.#oldest === undefined || slot < this.#oldest) this.#oldest = slot;
    this.markDirty(slot);
  }

  #advance(slot: number): void {
    const last = this.#newest;
    if (last === undefined || this.#oldest === undefined) {
      this.#reserve(slot, slot);
      this.#newest = slot;
      return;
    }
    this.#reserve(this.#oldest, slot);
    const length = this.#values.length;
    if (slot - last >= length) this.#values.fill(Number.NaN);
    else for (let s = last + 1; s <= slot; s++) this.#values[modulo(s, length)] = Number.NaN;
    this.#newest = slot;
    this.#oldest = Math.max(this.#oldest, slot - length + 1);
    if (this.#dirtyFrom !== undefined) this.#dirtyFrom = Math.max(this.#dirtyFrom, this.#oldest);
  }

  /** Makes room for [first, last] as far as the capacity allows; nothing known is lost before it is used up. */
  #reserve(first: number, last: number): void {
    const needed = Math.min(last - first + 1, this.capacity);
    if (needed <= this.#values.length) return;
    let length = Math.max(this.#values.length, SMALLEST);
    while (length < needed) length *= 2;
    const grown = new Float32Array(Math.min(length, this.capacity)).fill(Number.NaN);
    const bounds = this.bounds();
    if (bounds !== undefined) {
      for (let s = bounds.first; s <= bounds.last; s++) grown[modulo(s, grown.length)] = this.at(s);
    }
    this.#values = grown;
  }
}

function modulo(slot: number, length: number): number {
  const rest = slot % length;
  return rest < 0 ? rest + length : rest;
}
