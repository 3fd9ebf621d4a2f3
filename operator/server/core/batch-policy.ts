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
  // The grain keeps a limit that comes out whole from flickering with the last digit of the fit.
  const rows = Math.floor((latencyTargetMs / 2 - line.a) / line.b + 1e-6);
  return Math.max(1, Math.min(maxBatch, rows));
}

export interface Backlog {
  /** Rows that will run before the request: of its priority and above. */
  readonly rowsAhead: number;
  readonly rows: number;
  /** Milliseconds until each child is free, in any order; at least one. */
  readonly freeInMs: readonly number[];
  readonly batchLimit: number;
  /** Rows of the latest run: a run that has yet to start will be about as full by then. */
  readonly usualRows: number;
}

/** Milliseconds from now until the request's answer. */
export function predictAnswer(line: LatencyLine, backlog: Backlog): number {
  const { rowsAhead, rows, freeInMs, batchLimit: limit, usualRows } = backlog;
  const runsAhead = Math.floor(rowsAhead / limit);
  const free = [...freeInMs].sort((a, b) => a - b);
  const turns = Math.floor(runsAhead / free.length);
  const startsIn = (free[runsAhead % free.length] ?? 0) + turns * predict(line, limit);
  const inOwnRun = (rowsAhead % limit) + rows;
  // Who has a full run ahead of it waits in a crowd, and its own run will be full too.
  const later = runsAhead > 0 ? limit : startsIn > 0 ? usualRows : 0;
  const own = Math.max(rows, Math.min(limit, Math.max(inOwnRun, later)));
  return startsIn + predict(line, own);
}
