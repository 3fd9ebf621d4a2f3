/**
 * Ridge regression that learns row by row: recursive least squares in its information form. Kept are the decayed sums
 * of x x' and x y and not the inverse, as textbooks do: the penalty then never fades, a load that stands still or has
 * gaps winds nothing up, and nothing has to stay positive definite over months of updates. Weights cost one Cholesky
 * factor when they are asked for (a width of 17: some microseconds).
 */
import { backward, cholesky, forward } from './linear.ts';

export interface RidgeWeights {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  /** On standardised features. */
  readonly weights: Float64Array;
  readonly bias: number;
}

export interface Solved {
  readonly fit: RidgeWeights;
  /** Lower Cholesky factor of the standardised, penalised X'X. */
  readonly factor: Float64Array;
  /** Sum of the rows' weights. */
  readonly count: number;
}

export class Moments {
  readonly width: number;
  /** Lower half of the weighted sum of [1, x] [1, x]', row-major over width + 1. */
  readonly #gram: Float64Array;
  readonly #moment: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.#gram = new Float64Array((width + 1) ** 2);
    this.#moment = new Float64Array(width + 1);
  }

  /**
   * Takes in one row.
   *
   * @param x [width] features
   * @param keep what is left of all earlier rows, in (0, 1]
   */
  add(x: ArrayLike<number>, y: number, weight = 1, keep = 1): void {
    const size = this.width + 1;
    const gram = this.#gram;
    const moment = this.#moment;
    for (let i = 0; i < size; i++) {
      const a = weight * (i === 0 ? 1 : (x[i - 1] ?? 0));
      moment[i] = keep * (moment[i] ?? 0) + a * y;
      for (let j = 0; j <= i; j++) {
        gram[i * size + j] = keep * (gram[i * size + j] ?? 0) + a * (j === 0 ? 1 : (x[j - 1] ?? 0));
      }
    }
  }

  /**
   * Standardised features, a free intercept.
   *
   * @param penalty lambda as a share of the number of rows
   * @returns undefined before the first row
   */
  solve(penalty: number): Solved | undefined {
    const { width } = this;
    const size = width + 1;
    const gram = this.#gram;
    const count = gram[0] ?? 0;
    if (!(count > 0)) return undefined;
    const mean = new Float64Array(width);
    const deviation = new Float64Array(width);
    for (let i = 0; i < width; i++) {
      const middle = (gram[(i + 1) * size] ?? 0) / count;
      const square = (gram[(i + 1) * size + i + 1] ?? 0) / count;
      const variance = square - middle ** 2;
      mean[i] = middle;
      // Less than rounding can tell from a constant.
      deviation[i] = variance > 1e-12 * square ? Math.sqrt(variance) : 1;
    }
    const bias = (this.#moment[0] ?? 0) / count;
    const system = new Float64Array(width * width);
    const right = new Float64Array(width);
    for (let i = 0; i < width; i++) {
      const own = deviation[i] ?? 1;
      right[i] = ((this.#moment[i + 1] ?? 0) - count * (mean[i] ?? 0) * bias) / own;
      for (let j = 0; j <= i; j++) {
        const cross = (gram[(i + 1) * size + j + 1] ?? 0) - count * (mean[i] ?? 0) * (mean[j] ?? 0);
        system[i * width + j] = cross / own / (deviation[j] ?? 1);
      }
      system[i * width + i] = Math.max(system[i * width + i] ?? 0, 0) + penalty * count;
    }
    const factor = cholesky(system, width);
    const weights = backward(factor, forward(factor, right, width), width);
    return { fit: { mean, deviation, weights, bias }, factor, count };
  }
}

/** The target at features `x`. */
export function applied({ mean, deviation, weights, bias }: RidgeWeights, x: ArrayLike<number>): number {
  let sum = bias;
  for (let i = 0; i < weights.length; i++) {
    sum += ((weights[i] ?? 0) * ((x[i] ?? 0) - (mean[i] ?? 0))) / (deviation[i] ?? 1);
  }
  return sum;
}

/**
 * How much a row of weight 1 pulled its own fitted value: h_ii = x' (X'X + lambda I)^-1 x + 1/n. Its error without
 * itself is its error divided by 1 - h_ii, exactly.
 */
export function leverage({ fit, factor, count }: Solved, x: ArrayLike<number>): number {
  const { mean, deviation } = fit;
  const row = Float64Array.from(mean, (middle, i) => ((x[i] ?? 0) - middle) / (deviation[i] ?? 1));
  let sum = 1 / count;
  for (const value of forward(factor, row, row.length)) sum += value * value;
  return sum;
}
