import { describe, expect, test } from '@jest/globals';
import type { Clock } from '../../clock.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { batchLimit } from './batch-policy.ts';
import { Batcher, type Runner, type RunResult } from './batcher.ts';
import { predict } from './latency-line.ts';

/** A child on a clock without noise: a run takes exactly a + b * rows milliseconds. */
class TimedRunner implements Runner<number, number> {
  readonly #clock: Clock;
  readonly #line: { a: number; b: number };

  constructor(clock: Clock, line: { a: number; b: number }) {
    this.#clock = clock;
    this.#line = line;
  }

  async run(jobs: readonly number[]): Promise<RunResult<number>> {
    const ms = predict(this.#line, jobs.length);
    await this.#clock.sleep(ms);
    return { answers: jobs, inputMs: 0, inferMs: ms, outputMs: 0 };
  }
}

const never = new AbortController().signal;

/** Requests at an even pace for `seconds` of virtual time. */
async function load(options: { factor: number; target: number; runners: number; seconds: number }) {
  const line = { a: 2, b: 0.5 };
  const clock = new FakeClock();
  const maxBatch = 32;
  const batcher = new Batcher<number, number>({
    clock,
    model: 'm',
    maxBatch,
    maxQueueDelayMs: 0,
    maxQueue: 1000,
    priorityLevels: 1,
    latencyTargetMs: options.target,
  });
  for (let i = 0; i < options.runners; i++) batcher.addRunner(new TimedRunner(clock, line));
  for (const rows of [1, 2, 8]) batcher.learn(rows, predict(line, rows));
  const limit = batchLimit(line, options.target, maxBatch);
  const capacity = (options.runners * limit * 1000) / predict(line, limit);
  const latencies: number[] = [];
  let refused = 0;
  let mostPending = 0;
  const count = Math.round(options.seconds * capacity * options.factor);
  for (let i = 0; i < count; i++) {
    const at = clock.monotonic();
    batcher.submit(
      { payload: i, rows: 1, bytes: 4, priority: 1, shapeKey: '', timeoutMs: undefined },
      never,
      (answer) => {
        if (answer === undefined) refused++;
        else latencies.push(clock.monotonic() - at);
      },
    );
    mostPending = Math.max(mostPending, batcher.pending);
    // oxlint-disable-next-line no-await-in-loop -- virtual time goes on between arrivals
    await clock.advance(1000 / (capacity * options.factor));
  }
  const served = latencies.length / options.seconds;
  return { latencies, refused, mostPending, served, capacity };
}

describe('on a clock without noise', () => {
  test.each([
    [1, 40],
    [3, 40],
    [1, 15],
  ])(
    'four times more than %i children can do: every admitted answer within %i ms, at full use',
    async (runners, target) => {
      const { latencies, refused, served, capacity, mostPending } = await load({
        factor: 4,
        target,
        runners,
        seconds: 1,
      });
      expect(Math.max(...latencies)).toBeLessThanOrEqual(target + 1e-6);
      expect(served).toBeGreaterThan(0.9 * capacity);
      expect(refused).toBeGreaterThan(0);
      expect(mostPending).toBeLessThanOrEqual((target * capacity) / 1000);
    },
  );

  test('half of what it can do: nobody is refused', async () => {
    const { refused, latencies } = await load({ factor: 0.5, target: 40, runners: 1, seconds: 1 });
    expect(refused).toBe(0);
    expect(Math.max(...latencies)).toBeLessThanOrEqual(40);
  });
});
