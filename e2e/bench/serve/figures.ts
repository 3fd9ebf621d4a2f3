/** What samples of one cell come to. Pure. */
import type { Sample } from './load.ts';

export interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSecondsPer1000: number;
  readonly rssMiB: number;
  /** Answers that were not ok, as a share of all. */
  readonly failed: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Share of its core that the load generator took: near 1 it is what was measured. */
  readonly loadCore: number;
}

/** @param samples of one server under one load, from as many rounds as there were */
export function figuresOf(samples: readonly Sample[]): Figures {
  const sum = (of: (sample: Sample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const statuses: Record<string, number> = {};
  for (const sample of samples)
    for (const [status, count] of Object.entries(sample.statuses))
      statuses[status] = (statuses[status] ?? 0) + count;
  const all = Object.values(statuses).reduce((total, count) => total + count, 0);
  const ok = statuses['ok'] ?? 0;
  const histogram = merged(samples.map((sample) => sample.histogram));
  return {
    requestsPerSecond: ok / sum((sample) => sample.seconds),
    p50Ms: quantileMs(histogram, 0.5),
    p99Ms: quantileMs(histogram, 0.99),
    cpuSecondsPer1000: (1000 * sum((sample) => sample.serverCpuSeconds)) / ok,
    rssMiB: Math.max(...samples.map((sample) => sample.rssMiB)),
    failed: all === 0 ? 1 : 1 - ok / all,
    statuses,
    loadCore: sum((sample) => sample.loadCpuSeconds) / sum((sample) => sample.seconds),
  };
}

function merged(histograms: readonly Sample['histogram'][]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const histogram of histograms)
    for (const [bucket, count] of Object.entries(histogram))
      counts.set(Number(bucket), (counts.get(Number(bucket)) ?? 0) + count);
  return counts;
}

/** The middle of the bucket in which the quantile lies; NaN of nothing. */
export function quantileMs(histogram: ReadonlyMap<number, number>, q: number): number {
  const buckets = [...histogram].sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen >= q * total) return 1.01 ** (bucket + 0.5) / 1000;
  }
  return Number.NaN;
}
