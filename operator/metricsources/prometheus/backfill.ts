/**
 * Fetches weeks of a metric's past. Prometheus refuses a range query of more than 11,000 points, and a thousand
 * scalers that start together must not ask for all of it at once: chunks lie on a fixed grid, wait a random moment,
 * go through a narrow lane of their own, newest first, and are kept when a later one fails, so that the next call
 * goes on instead of starting again.
 */
import type { Clock } from '../../clock.ts';
import { type Known, known, type LoadSeries } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import { RecentMap } from '../recent-map.ts';
import { scopeQuery } from './access.ts';
import { largestLoad, parseAnswer, unusable } from './answer.ts';
import type { ServerClient } from './server.ts';

export interface BackfillRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** Points of a whole back-fill: 60 days of minutes and then some. */
export const maxBackfillPoints = 200_000;
const attempts = 3;
const keepMs = 600_000;
const chunksAtOnce = 2;

interface Progress {
  readonly chunks: Map<number, Float64Array>;
  touchedMs: number;
}

export class PrometheusBackfill {
  readonly #server: ServerClient;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Finished chunks of back-fills that did not come to their end. */
  readonly #unfinished = new RecentMap<Progress>(200);

  constructor(server: ServerClient, clock: Clock, random: () => number) {
    this.#server = server;
    this.#clock = clock;
    this.#random = random;
  }

  /** Rejects with a ReadError, or with the signal's reason. */
  async run(
    namespace: string,
    query: string,
    { fromMs, toMs, stepMs }: BackfillRange,
    signal: AbortSignal,
  ): Promise<Known<LoadSeries>> {
    const { chunkPoints } = this.#server.entry.backfill;
    const scoped = scopeQuery(this.#server.entry, namespace, query);
    const first = Math.ceil(fromMs / stepMs);
    const last = Math.floor(toMs / stepMs);
    const count = last - first + 1;
    if (
      !Number.isSafeInteger(first) ||
      !Number.isSafeInteger(last) ||
      !Number.isInteger(stepMs) ||
      stepMs < 1
    )
      throw new ReadError('BadQuery', 'a back-fill needs finite times and a step of whole milliseconds');
    if (count < 1) throw new ReadError('NoData', 'the range holds no point of the grid');
    if (count > maxBackfillPoints)
      throw new ReadError(
        'BadQuery',
        `a back-fill of ${count} points exceeds ${maxBackfillPoints}: use a larger step`,
      );

    const key = `${namespace} ${stepMs} ${scoped.text}`;
    const progress = this.#resume(key);
    const values = new Float64Array(count).fill(Number.NaN);
    const missing: number[] = [];
    for (let chunk = Math.floor(last / chunkPoints); chunk >= Math.floor(first / chunkPoints); chunk -= 1)
      missing.push(chunk);

    const fetchNext = async (): Promise<void> => {
      for (let chunk = missing.shift(); chunk !== undefined; chunk = missing.shift()) {
        const start = chunk * chunkPoints;
        const end = start + chunkPoints - 1;
        let points = progress.chunks.get(chunk);
        if (points === undefined) {
          const from = Math.max(start, first);
          const to = Math.min(end, last);
          const part = await this.#fetch(namespace, scoped.text, from, to, stepMs, signal);
          points = new Float64Array(chunkPoints).fill(Number.NaN);
          points.set(part, from - start);
          // A chunk cut by the edge of the range is not whole, so it is not kept.
          if (from === start && to === end) progress.chunks.set(chunk, points);
        }
        const [from, to] = [Math.max(start, first), Math.min(end, last)];
        values.set(points.subarray(from - start, to - start + 1), from - first);
      }
    };
    progress.touchedMs = this.#clock.monotonic();
    const runs = Array.from({ length: chunksAtOnce }, fetchNext);
    try {
      await Promise.all(runs);
    } catch (error) {
      missing.length = 0;
      await Promise.allSettled(runs);
      throw error;
    }
    this.#unfinished.delete(key);
    const newest = values.findLastIndex((value) => !Number.isNaN(value));
    if (newest === -1) throw new ReadError('NoData', 'the server holds no past of this metric');
    return known({ startMs: first * stepMs, stepMs, values }, (first + newest) * stepMs);
  }

  #resume(key: string): Progress {
    const now = this.#clock.monotonic();
    const kept = this.#unfinished.get(key);
    const progress =
      kept !== undefined && now - kept.touchedMs <= keepMs ? kept : { chunks: new Map(), touchedMs: now };
    this.#unfinished.set(key, progress);
    return progress;
  }

  /** Grid points `from` to `to`, tried again when the failure may pass, in halves when the answer is too large. */
  async #fetch(
    namespace: string,
    query: string,
    from: number,
    to: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Float64Array> {
    for (let attempt = 1; ; attempt += 1) {
      await this.#clock.sleep(this.#random() * this.#server.entry.backfill.jitter * attempt ** 2, signal);
      try {
        const params = { query, start: at(from, stepMs), end: at(to, stepMs), step: at(1, stepMs) };
        const text = await this.#server.ask(
          { path: '/api/v1/query_range', params, namespace, lane: 'backfill' },
          signal,
        );
        return sumOnGrid(text, from, to, stepMs);
      } catch (error) {
        if (!(error instanceof ReadError)) throw error;
        if (error.reason === 'TooLarge' && to > from) {
          const middle = Math.floor((from + to) / 2);
          const older = await this.#fetch(namespace, query, from, middle, stepMs, signal);
          const newer = await this.#fetch(namespace, query, middle + 1, to, stepMs, signal);
          const both = new Float64Array(to - from + 1);
          both.set(older);
          both.set(newer, older.length);
          return both;
        }
        if (attempt === attempts || !['Unreachable', 'Timeout', 'Overloaded'].includes(error.reason))
          throw error;
      }
    }
  }
}

function at(gridPoint: number, stepMs: number): string {
  return ((gridPoint * stepMs) / 1000).toFixed(3);
}

/** The sum of all series at each grid point; NaN where there is none, or where one of them is not a load. */
export function sumOnGrid(text: string, from: number, to: number, stepMs: number): Float64Array {
  const answer = parseAnswer(text);
  if (answer.type !== 'matrix')
    throw new ReadError('BadAnswer', 'the answer to a range query is not a range');
  const values = new Float64Array(to - from + 1).fill(Number.NaN);
  const spoilt = new Set<number>();
  for (const { samples } of answer.series) {
    let previous = -1;
    for (const { atMs, value } of samples) {
      const index = Math.round(atMs / stepMs) - from;
      // Half a step off or out of order: not the grid that was asked for.
      if (index < 0 || index >= values.length || index <= previous)
        throw new ReadError('BadAnswer', 'the answer has samples at times that were not asked for');
      previous = index;
      if (unusable(value) === undefined) {
        const before = values[index] ?? Number.NaN;
        values[index] = Number.isNaN(before) ? value : before + value;
      } else spoilt.add(index);
    }
  }
  for (const index of spoilt) values[index] = Number.NaN;
  for (const [index, value] of values.entries()) if (value > largestLoad) values[index] = Number.NaN;
  return values;
}
