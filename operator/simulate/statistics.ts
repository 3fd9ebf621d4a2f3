/** Order statistics of a trace's known values. */

/** Ascending, without the unknown. */
export function knownSorted(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value)).sort();
}

/**
 * The value at index floor(n * level) of `n` sorted ones (the highest at level 1); NaN of none.
 */
export function quantileOf(sorted: Float64Array, level: number): number {
  return sorted[Math.min(Math.floor(sorted.length * level), sorted.length - 1)] ?? Number.NaN;
}
