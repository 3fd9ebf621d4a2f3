/**
 * What a run costs, as `a + b * rows` milliseconds, fitted by least squares on the latest runs (the idea is BentoML's
 * dispatcher). A line is enough: a run has a fixed price (frames, kernels that start) and a price per row.
 */
export interface LatencyLine {
  /** Milliseconds; a >= 0, b >= 0. */
  readonly a: number;
  readonly b: number;
}

export function predict(line: LatencyLine, rows: number): number {
  return line.a + line.b * rows;
}

/**
 * Ordinary least squares with both terms kept at or above zero. Runs of one size cannot tell the fixed price from the
 * price per row: then the shares stay as in `before`, and only the level is new. Without a line before, all of it counts
 * per row, which is too dear for larger runs and so never promises too much.
 */
export function fitLine(
  rows: readonly number[],
  ms: readonly number[],
  before?: LatencyLine,
): LatencyLine | undefined {
  const n = rows.length;
  if (n === 0) return undefined;
  const meanX = rows.reduce((sum, x) => sum + x, 0) / n;
  const meanY = ms.reduce((sum, y) => sum + y, 0) / n;
  let covariance = 0;
  let variance = 0;
  for (let i = 0; i < n; i++) {
    const dx = (rows[i] ?? 0) - meanX;
    covariance += dx * ((ms[i] ?? 0) - meanY);
    variance += dx * dx;
  }
  if (variance === 0) {
    const known = before === undefined ? 0 : predict(before, meanX);
    if (before === undefined || known === 0) return { a: 0, b: meanY / meanX };
    return { a: (before.a * meanY) / known, b: (before.b * meanY) / known };
  }
  const slope = covariance / variance;
  if (slope <= 0) return { a: meanY, b: 0 };
  const intercept = meanY - slope * meanX;
  if (intercept >= 0) return { a: intercept, b: slope };
  // Through the origin: the least-squares slope under a = 0.
  let xy = 0;
  let xx = 0;
  for (let i = 0; i < n; i++) {
    xy += (rows[i] ?? 0) * (ms[i] ?? 0);
    xx += (rows[i] ?? 0) ** 2;
  }
  return { a: 0, b: xy / xx };
}

/** The line over the last `capacity` runs. */
export class LatencyFit {
  readonly #rows: number[] = [];
  readonly #ms: number[] = [];
  readonly #capacity: number;
  #next = 0;
  #line: LatencyLine | undefined;
  #stale = false;

  constructor(capacity = 50) {
    this.#capacity = capacity;
  }

  observe(rows: number, ms: number): void {
    this.#rows[this.#next] = rows;
    this.#ms[this.#next] = ms;
    this.#next = (this.#next + 1) % this.#capacity;
    this.#stale = true;
  }

  /** Undefined before the first run: what is unknown refuses nobody. */
  get line(): LatencyLine | undefined {
    if (this.#stale) {
      this.#line = fitLine(this.#rows, this.#ms, this.#line);
      this.#stale = false;
    }
    return this.#line;
  }
}
