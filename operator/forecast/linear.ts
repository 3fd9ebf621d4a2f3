/** The little linear algebra that closed-form fits need: symmetric positive definite systems by Cholesky. */

/** Lower factor L with L L' = A, A [width, width] given by its lower half; A must be positive definite. */
export function cholesky(a: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      const [row, column] = [i * width, j * width];
      let sum = a[row + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (lower[row + k] as number) * (lower[column + k] as number);
      lower[i * width + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / (lower[j * width + j] ?? 1);
    }
  }
  return lower;
}

/** Solves L y = b. */
export function forward(lower: Float64Array, b: Float64Array, width: number): Float64Array {
  const y = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (lower[i * width + k] ?? 0) * (y[k] ?? 0);
    y[i] = sum / (lower[i * width + i] ?? 1);
  }
  return y;
}

/** Solves L' x = y. */
export function backward(lower: Float64Array, y: Float64Array, width: number): Float64Array {
  const x = new Float64Array(width);
  for (let i = width - 1; i >= 0; i--) {
    let sum = y[i] ?? 0;
    for (let k = i + 1; k < width; k++) sum -= (lower[k * width + i] ?? 0) * (x[k] ?? 0);
    x[i] = sum / (lower[i * width + i] ?? 1);
  }
  return x;
}

/** Solves A x = b for a positive definite A [width, width], of which the lower half is read. */
export function solveSymmetric(a: Float64Array, b: Float64Array, width: number): Float64Array {
  const lower = cholesky(a, width);
  return backward(lower, forward(lower, b, width), width);
}
