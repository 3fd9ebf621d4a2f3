import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../../testing/fake-clock.ts';
import { Batcher, type BatcherOptions, type Runner, type RunResult, type Spent } from './batcher.ts';
import { backend, runFailed } from './errors.ts';

/** A child under the test's control: what takes how long, and what fails, is decided here. */
class StagedRunner implements Runner<string, string> {
  readonly batches: (readonly string[])[] = [];
  #open: { finish: () => void; fail: (error: Error) => void }[] = [];

  run(jobs: readonly string[]): Promise<RunResult<string>> {
    this.batches.push(jobs);
    return new Promise((resolve, reject) => {
      this.#open.push({
        finish: () => resolve({ answers: jobs.map((job) => `${job}!`), inputMs: 0, inferMs: 1, outputMs: 0 }),
        fail: reject,
      });
    });
  }

  async finish(): Promise<void> {
    this.#open.shift()?.finish();
    await turn();
  }

  async fail(error: Error): Promise<void> {
    this.#open.shift()?.fail(error);
    await turn();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

interface Ended {
  answer: string | undefined;
  error: unknown;
  spent: Spent | undefined;
}

function setUp(options: Partial<BatcherOptions> = {}) {
  const clock = new FakeClock();
  const batcher = new Batcher<string, string>({
    clock,
    model: 'm',
    maxBatch: 4,
    maxQueueDelayMs: 0,
    maxQueue: 8,
    priorityLevels: 2,
    latencyTargetMs: undefined,
    ...options,
  });
  const runner = new StagedRunner();
  batcher.addRunner(runner);
  const never = new AbortController().signal;
  const submit = (
    payload: string,
    over: { priority?: number; timeoutMs?: number; rows?: number; signal?: AbortSignal } = {},
  ): Ended => {
    const ended: Ended = { answer: undefined, error: undefined, spent: undefined };
    let calls = 0;
    const { priority = 2, timeoutMs, rows = 1, signal = never } = over;
    batcher.submit(
      { payload, rows, bytes: 8 * rows, priority, shapeKey: '', timeoutMs },
      signal,
      (answer, error, spent) => {
        if (++calls > 1) throw new Error('ended twice');
        Object.assign(ended, { answer, error, spent });
      },
    );
    return ended;
  };
  return { clock, batcher, runner, submit };
}

describe('the batcher', () => {
  test('requests of one turn of the loop share a run, the rest runs after it', async () => {
    const { runner, submit } = setUp();
    const ends = ['a', 'b', 'c', 'd', 'e'].map((name) => submit(name));
    await turn();
    expect(runner.batches).toEqual([['a', 'b', 'c', 'd']]);
    await runner.finish();
    expect(runner.batches).toEqual([['a', 'b', 'c', 'd'], ['e']]);
    await runner.finish();
    expect(ends.map((end) => end.answer)).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
  });

  test('an idle model waits for company as long as it may, and not when the batch is full', async () => {
    const { clock, runner, submit } = setUp({ maxQueueDelayMs: 5 });
    submit('a');
    await turn();
    expect(runner.batches).toEqual([]);
    await clock.advance(5);
    expect(runner.batches).toEqual([['a']]);
    await runner.finish();
    for (const name of ['b', 'c', 'd', 'e']) submit(name);
    await turn();
    expect(runner.batches[1]).toEqual(['b', 'c', 'd', 'e']);
  });

  test('two children work at the same time', async () => {
    const { batcher, runner, submit } = setUp();
    const second = new StagedRunner();
    batcher.addRunner(second);
    for (const name of ['a', 'b', 'c', 'd', 'e']) submit(name);
    await turn();
    expect([runner.batches, second.batches]).toEqual([[['a', 'b', 'c', 'd']], [['e']]]);
  });

  test('a full queue refuses at the door, by priority', async () => {
    const { batcher, submit } = setUp();
    submit('running');
    await turn();
    const ends = Array.from({ length: 12 }, (_, i) => submit(`${i}`));
    expect(ends.filter((end) => end.error !== undefined)).toHaveLength(4);
    expect(ends[8]?.error).toMatchObject({ code: 'OVERLOADED', retryAfterMs: expect.any(Number) });
    expect(batcher.pending).toBe(8);
    expect(submit('important', { priority: 1 }).error).toBeUndefined();
  });

  test('what would take longer than the target is refused at the door, with the time to wait', async () => {
    const { batcher, submit } = setUp({ latencyTargetMs: 30, maxQueue: 1000 });
    for (const rows of [1, 2, 4]) batcher.learn(rows, 2 * rows);
    submit('running');
    await turn();
    const ends = Array.from({ length: 100 }, (_, i) => submit(`${i}`));
    const admitted = ends.filter((end) => end.error === undefined).length;
    // 2 ms are under way, runs of 4 rows take 8 ms: three of them (2 + 3 * 8) end by 30 ms, a fourth would not.
    expect(admitted).toBe(12);
    expect(ends[50]?.error).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 4 });
    expect(submit('important', { priority: 1 }).error).toBeUndefined();
  });

  test('a run that stalls shuts the door for as long as it is late', async () => {
    const { clock, batcher, runner, submit } = setUp({ latencyTargetMs: 30, maxBatch: 1 });
    for (let i = 0; i < 9; i++) batcher.learn(1, 5);
    submit('stalled');
    await turn();
    await clock.advance(5 + 20);
    expect(submit('in time').error).toBeUndefined();
    await turn();
    await clock.advance(20);
    expect(submit('too late').error).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 20 });
    await runner.finish();
    expect(submit('open again').error).toBeUndefined();
  });

  test('an idle model takes a request whatever it predicts, or one slow run would shut it for good', async () => {
    const { batcher, runner, submit } = setUp({ latencyTargetMs: 10 });
    batcher.learn(1, 500);
    const end = submit('a');
    await turn();
    await runner.finish();
    expect(end.answer).toBe('a!');
  });

  test('who cancels leaves the queue and hears the reason', async () => {
    const { batcher, runner, submit } = setUp();
    submit('running');
    await turn();
    const controller = new AbortController();
    const end = submit('gone', { signal: controller.signal });
    controller.abort(new Error('no longer wanted'));
    expect(end.error).toMatchObject({ message: 'no longer wanted' });
    expect(batcher.pending).toBe(0);
    await runner.finish();
    expect(runner.batches).toEqual([['running']]);
  });

  test('who has waited too long leaves the queue with DEADLINE', async () => {
    const { clock, batcher, runner, submit } = setUp();
    submit('running');
    await turn();
    const end = submit('late', { timeoutMs: 20 });
    await clock.advance(20);
    expect(end.error).toMatchObject({ code: 'DEADLINE' });
    expect(end.spent?.queueMs).toBe(20);
    expect(batcher.pending).toBe(0);
    await runner.finish();
    expect(runner.batches).toEqual([['running']]);
  });

  test('a deadline during the run answers in time and lets the run end', async () => {
    const { clock, runner, submit } = setUp();
    const end = submit('slow', { timeoutMs: 20 });
    await turn();
    await clock.advance(20);
    expect(end.error).toMatchObject({ code: 'DEADLINE' });
    await runner.finish();
    expect(end.answer).toBeUndefined();
  });

  test('values that fail a shared run fail only their own request', async () => {
    const { runner, submit } = setUp();
    const ends = ['good', 'bad', 'fine'].map((name) => submit(name));
    await turn();
    await runner.fail(runFailed('index out of bounds'));
    await runner.finish();
    await runner.fail(runFailed('index out of bounds'));
    await runner.finish();
    expect(runner.batches).toEqual([['good', 'bad', 'fine'], ['good'], ['bad'], ['fine']]);
    expect(ends.map((end) => end.answer)).toEqual(['good!', undefined, 'fine!']);
    expect(ends[1]?.error).toMatchObject({ code: 'BACKEND', message: 'index out of bounds' });
  });

  test('a crash fails its run; those who wait are kept for the next child', async () => {
    const { batcher, runner, submit } = setUp({ maxBatch: 1 });
    const [first, second] = [submit('a'), submit('b')];
    await turn();
    batcher.removeRunner(runner);
    await runner.fail(backend('the child ended by SIGSEGV'));
    expect(first?.error).toMatchObject({ code: 'BACKEND' });
    expect(second?.error).toBeUndefined();
    const next = new StagedRunner();
    batcher.addRunner(next);
    await turn();
    await next.finish();
    expect(second?.answer).toBe('b!');
  });

  test('closing answers who is in and refuses who comes', async () => {
    const { batcher, runner, submit } = setUp({ maxBatch: 1, maxQueueDelayMs: 1000 });
    const ends = [submit('a'), submit('b')];
    let closed = false;
    const closing = batcher.close().then(() => (closed = true));
    expect(submit('late').error).toMatchObject({ code: 'MODEL_NOT_READY' });
    await runner.finish();
    expect(closed).toBe(false);
    await runner.finish();
    await closing;
    expect(ends.map((end) => end.answer)).toEqual(['a!', 'b!']);
  });
});
