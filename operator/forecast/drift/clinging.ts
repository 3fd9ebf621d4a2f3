/**
 * How much neighbouring errors are alike. A hundred errors that cling to each other tell as much as a few that do not:
 * of n values with first-order autocorrelation r about n (1 - r) / (1 + r) count (Bayley & Hammersley 1946, "The
 * effective number of independent observations in an autocorrelated time series", for the mean of an AR(1)).
 */

/** Errors that the estimate remembers. */
const MEMORY = 1000;
/** Errors that the mean remembers from which they are apart: few, or a change of their level would look like clinging. */
const MEAN_MEMORY = 50;
/** Fewer pairs than this say nothing. */
const ENOUGH = 50;

/** Plain JSON. */
export interface ClingingState {
  readonly pairs: number;
  readonly mean: number;
  readonly variance: number;
  readonly covariance: number;
  readonly last?: number;
}

/** Before the first error. */
export const LOOSE: ClingingState = { pairs: 0, mean: 0, variance: 0, covariance: 0 };

/** @param value a bounded error; the one before is known to `state` */
export function cling(state: ClingingState, value: number): ClingingState {
  const pairs = state.pairs + 1;
  const weight = Math.max(1 / pairs, 1 / MEMORY);
  const mean = state.mean + Math.max(weight, 1 / MEAN_MEMORY) * (value - state.mean);
  const apart = value - mean;
  const lastApart = (state.last ?? mean) - mean;
  return {
    pairs: Math.min(pairs, MEMORY),
    mean,
    variance: state.variance + weight * (apart * apart - state.variance),
    covariance: state.covariance + weight * (apart * lastApart - state.covariance),
    last: value,
  };
}

/** Share of the errors that count as independent, in (0, 1]. */
export function independentShare({ pairs, variance, covariance }: ClingingState): number {
  if (pairs < ENOUGH || variance <= 0) return 1;
  const r = Math.min(Math.max(covariance / variance, 0), 0.99);
  return (1 - r) / (1 + r);
}
