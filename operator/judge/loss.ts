/**
 * What one forecast of one step cost, once the step's load is known. The pinball loss of a quantile already charges an
 * under-forecast `level / (1 - level)` times an over-forecast; the upper quantiles, which replicas are bought for,
 * weigh more on top of it.
 */
import { pinball } from '../forecast/scores.ts';

/** Quantiles from here on are what capacity is planned by. */
export const UPPER_FROM = 0.9;
export const UPPER_WEIGHT = 2;

export interface Quantiles {
  /** Strictly increasing, inside (0, 1). */
  readonly levels: readonly number[];
  /** One per level, in the load's unit. */
  readonly values: ArrayLike<number>;
}

/**
 * Weighted mean of the pinball losses over the levels, in the load's unit; NaN when a quantile or the load is.
 *
 * @param scored of the levels, those that count: two forecasts compare on the same ones only
 */
export function forecastLoss(
  { levels, values }: Quantiles,
  load: number,
  scored: readonly number[] = levels,
): number {
  let sum = 0;
  let weights = 0;
  levels.forEach((level, i) => {
    if (!scored.includes(level)) return;
    const weight = level >= UPPER_FROM ? UPPER_WEIGHT : 1;
    sum += weight * pinball(level, values[i] ?? Number.NaN, load);
    weights += weight;
  });
  return sum / weights;
}
