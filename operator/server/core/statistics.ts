/** Counters of one version in the shape of Triton's statistics extension. */
import type { BatchReport, Spent } from './batcher.ts';
import type { Duration, VersionStatistics } from './types.ts';

class Sum {
  #count = 0;
  #ns = 0;

  add(ms: number): void {
    this.#count++;
    this.#ns += ms * 1e6;
  }

  read(): Duration {
    return { count: this.#count, ns: Math.round(this.#ns) };
  }
}

interface SizeSums {
  readonly input: Sum;
  readonly infer: Sum;
  readonly output: Sum;
}

const sizeSums = (): SizeSums => ({ input: new Sum(), infer: new Sum(), output: new Sum() });

export class VersionCounters {
  readonly #success = new Sum();
  readonly #fail = new Sum();
  readonly #queue = new Sum();
  readonly #parts = sizeSums();
  /** Bounded by the largest batch, and by requests that come with more rows than that: those share the last key. */
  readonly #bySize = new Map<number, SizeSums>();
  readonly #largestBatch: number;
  #rows = 0;
  #runs = 0;
  #lastMs = 0;

  constructor(largestBatch: number) {
    this.#largestBatch = largestBatch;
  }

  batch({ rows, failed, inputMs, inferMs, outputMs }: BatchReport): void {
    if (failed) return;
    this.#runs++;
    this.#rows += rows;
    const size = Math.min(rows, this.#largestBatch + 1);
    const sums = this.#bySize.get(size) ?? sizeSums();
    this.#bySize.set(size, sums);
    sums.input.add(inputMs);
    sums.infer.add(inferMs);
    sums.output.add(outputMs);
  }

  /** @param nowMs wall clock */
  succeeded(totalMs: number, { queueMs, inputMs, inferMs, outputMs }: Spent, nowMs: number): void {
    this.#success.add(totalMs);
    this.#queue.add(queueMs);
    this.#parts.input.add(inputMs);
    this.#parts.infer.add(inferMs);
    this.#parts.output.add(outputMs);
    this.#lastMs = nowMs;
  }

  failed(totalMs: number): void {
    this.#fail.add(totalMs);
  }

  read(name: string, version: string): VersionStatistics {
    return {
      name,
      version,
      last_inference: this.#lastMs,
      inference_count: this.#rows,
      execution_count: this.#runs,
      inference_stats: {
        success: this.#success.read(),
        fail: this.#fail.read(),
        queue: this.#queue.read(),
        compute_input: this.#parts.input.read(),
        compute_infer: this.#parts.infer.read(),
        compute_output: this.#parts.output.read(),
      },
      batch_stats: [...this.#bySize]
        .sort(([a], [b]) => a - b)
        .map(([batch_size, sums]) => ({
          batch_size,
          compute_input: sums.input.read(),
          compute_infer: sums.infer.read(),
          compute_output: sums.output.read(),
        })),
    };
  }
}
