/**
 * HPA counts in int64 and int32. Doubles hold those exactly up to 2^53, which the sum of a memory metric times 100
 * passes on a large workload, so the sums here fall back to BigInt when they would round.
 */
const INT32_MAX = 2_147_483_647;

/** Sum of whole numbers as the nearest double and, for the divisions below, exactly. */
export class WholeSum {
  #approximate = 0;
  readonly #values: number[] = [];

  add(value: number): void {
    this.#approximate += value;
    this.#values.push(value);
  }

  get count(): number {
    return this.#values.length;
  }

  /** Nearest double of the exact sum. */
  get value(): number {
    return Number.isSafeInteger(this.#approximate) ? this.#approximate : Number(this.#exact());
  }

  /** trunc(sum · factor / divisor), exact. */
  scaledQuotient(factor: number, divisor: WholeSum | number): number {
    const scaled = this.#approximate * factor;
    const by = typeof divisor === 'number' ? divisor : divisor.#approximate;
    // Below 2^53 a correctly rounded quotient never reaches the next whole number, so truncation is exact.
    if (Number.isSafeInteger(scaled) && Number.isSafeInteger(by)) return Math.trunc(scaled / by);
    const exactBy = typeof divisor === 'number' ? BigInt(divisor) : divisor.#exact();
    return Number((this.#exact() * BigInt(factor)) / exactBy);
  }

  #exact(): bigint {
    let sum = 0n;
    for (const value of this.#values) sum += BigInt(Math.trunc(value));
    return sum;
  }
}

/** ceil to a replica count; an absurd ratio ends at int32's edge instead of wrapping round. */
export function ceilReplicas(count: number): number {
  return Math.min(Math.ceil(count), INT32_MAX) + 0;
}
