/**
 * Has the mean of a stream changed? ADWIN2 of Bifet & Gavalda, "Learning from Time-Changing Data with Adaptive
 * Windowing" (SIAM International Conference on Data Mining 2007): a window that grows while nothing changes and drops
 * its old part when two parts of it differ by more than chance explains:
 *
 *   |mean0 - mean1| > eps,  eps = sqrt(2/m * var * ln(2/d)) + 2/(3m) * ln(2/d),  1/m = 1/n0 + 1/n1,  d = delta / ln n
 *
 * The window is an exponential histogram: at most `PER_ROW` buckets of 1, 2, 4, ... values each, so a window of n
 * values costs O(log n) memory and one look at all its cuts O(log n) time. About ln n cuts are looked at, not n, hence
 * `delta / ln n`. The bound holds for values in [0, 1] that are independent; the caller sees to both.
 */

/** Buckets of one size. More make the cuts finer and the window dearer; 5 is the authors' own choice. */
const PER_ROW = 5;

export interface AdwinOptions {
  /** Confidence of a cut; the authors use 0.002. */
  readonly delta: number;
  /** Values that each side of a cut has at least. */
  readonly minPart: number;
  /** Values that the window holds at most; the oldest go. */
  readonly maxWidth: number;
}

export interface Cut {
  /** Mean of what was dropped. */
  readonly before: number;
  /** Mean of what is left, and how many values that is. */
  readonly after: number;
  readonly width: number;
}

interface Bucket {
  readonly sum: number;
  /** Sum of squared deviations from the bucket's own mean. */
  readonly squares: number;
}

/** Rows from buckets of one value upward; in a row the oldest bucket first, as [sum, squares]. */
export type AdwinState = readonly (readonly (readonly [number, number])[])[];

export class Adwin {
  readonly #options: AdwinOptions;
  /** Row i holds buckets of 2^i values, oldest first. */
  #rows: Bucket[][] = [];
  #width = 0;
  #sum = 0;

  constructor(options: AdwinOptions) {
    this.#options = options;
  }

  get width(): number {
    return this.#width;
  }

  /** NaN while the window is empty. */
  get mean(): number {
    return this.#sum / this.#width;
  }

  /**
   * Takes in a value in [0, 1]; another one is brought to the nearest of them.
   * @param share of the values that count as independent, in (0, 1]
   * @returns what was dropped, when the mean has changed
   */
  add(value: number, share = 1): Cut | undefined {
    const sum = Math.min(Math.max(value, 0), 1);
    this.#insert(0, { sum, squares: 0 });
    this.#width++;
    this.#sum += sum;
    while (this.width > this.#options.maxWidth) this.#dropOldest();
    let dropped = { count: 0, sum: 0 };
    while (this.#differs(share)) {
      const oldest = this.#dropOldest();
      dropped = { count: dropped.count + oldest.count, sum: dropped.sum + oldest.sum };
    }
    if (dropped.count === 0) return undefined;
    return { before: dropped.sum / dropped.count, after: this.mean, width: this.width };
  }

  toState(): AdwinState {
    return this.#rows.map((row) => row.map(({ sum, squares }) => [rounded(sum), rounded(squares)] as const));
  }

  static fromState(state: AdwinState, options: AdwinOptions): Adwin {
    const adwin = new Adwin(options);
    adwin.#rows = state.map((row) => row.slice(-PER_ROW).map(([sum, squares]) => ({ sum, squares })));
    adwin.#rows.forEach((row, i) => {
      adwin.#width += row.length * 2 ** i;
      for (const { sum } of row) adwin.#sum += sum;
    });
    return adwin;
  }

  #insert(i: number, bucket: Bucket): void {
    this.#rows[i] ??= [];
    const row = this.#rows[i];
    row.push(bucket);
    if (row.length <= PER_ROW) return;
    const [a, b] = row.splice(0, 2) as [Bucket, Bucket];
    const size = 2 ** i;
    const apart = (a.sum - b.sum) / size;
    this.#insert(i + 1, {
      sum: a.sum + b.sum,
      squares: a.squares + b.squares + (size / 2) * apart * apart,
    });
  }

  #dropOldest(): { count: number; sum: number } {
    const oldest = this.#rows.findLastIndex((row) => row.length > 0);
    const bucket = this.#rows[oldest]?.shift();
    while (this.#rows.at(-1)?.length === 0) this.#rows.pop();
    const count = bucket === undefined ? 0 : 2 ** oldest;
    this.#width -= count;
    this.#sum -= bucket?.sum ?? 0;
    return { count, sum: bucket?.sum ?? 0 };
  }

  #differs(share: number): boolean {
    const { delta, minPart } = this.#options;
    const n = this.width;
    if (n < 2 * minPart) return false;
    const total = this.#sum;
    const variance = this.#squares(total / n) / n;
    const confidence = Math.log((2 * Math.log(n)) / delta);
    let n0 = 0;
    let sum0 = 0;
    for (let i = this.#rows.length - 1; i >= 0; i--) {
      for (const bucket of this.#rows[i] ?? []) {
        n0 += 2 ** i;
        sum0 += bucket.sum;
        const n1 = n - n0;
        if (n1 < minPart) return false;
        if (n0 < minPart) continue;
        const inverse = (1 / n0 + 1 / n1) / share;
        const apart = Math.abs(sum0 / n0 - (total - sum0) / n1);
        const chance = Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence;
        if (apart > chance) return true;
      }
    }
    return false;
  }

  /** Sum of squared deviations of all values from `mean`. */
  #squares(mean: number): number {
    let squares = 0;
    this.#rows.forEach((row, i) => {
      for (const bucket of row) squares += bucket.squares + 2 ** i * (bucket.sum / 2 ** i - mean) ** 2;
    });
    return squares;
  }
}

/** Enough digits for any comparison, few enough for a checkpoint. */
function rounded(value: number): number {
  return Number(value.toPrecision(7));
}
