/** How large a batch may be and whether a request is let in: pure arithmetic on the latency line. */
import { type LatencyLine, predict } from './latency-line.ts';

/**
 * Rows of one run. A request that just misses a run waits for it and then runs in the next one, so two runs must fit
 * into the target: the largest n with 2 * (a + b * n) <= target, at least 1.
 */
export function batchLimit(
  line: LatencyLine | undefined,
  latencyTargetMs: number | undefined,
  maxBatch: number,
): number {
  if (line === undefined || latencyTargetMs === undefined || line.b === 0) return maxBatch;
  const rows = Math.floor((latencyTargetMs / 2 - line.a) / line.b);
  return Math.max(1, Math.min(maxBatch, rows));
}

export interface Backlog {
  /** Rows that will run before the request: of its priority and above. */
  readonly rowsAhead: number;
  readonly rows: number;
  /** Children that work in parallel; at least 1. */
  readonly runners: number;
  /** Milliseconds until one of them is free. */
  readonly freeInMs: number;
  readonly batchLimit: number;
}

/** Milliseconds from now until the request's answer. */
export function predictAnswer(line: LatencyLine, backlog: Backlog): number {
  const { rowsAhead, rows, runners, freeInMs, batchLimit: limit } = backlog;
  const fullBatches = Math.floor(rowsAhead / limit);
  const turns = Math.floor(fullBatches / runners);
  const own = Math.max(rows, Math.min(limit, (rowsAhead % limit) + rows));
  return freeInMs + turns * predict(line, limit) + predict(line, own);
}
