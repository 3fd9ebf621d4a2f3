import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { backend, overloaded, pastDeadline } from '../core/errors.ts';
import { type Bench, floatsRequest, never, newBench } from '../core/testing/engines.ts';
import { addModel, putVersion, randomModel } from '../core/testing/models.ts';
import type { InferAnswer, InferRequest, ModelMetadata, Tensor } from '../core/types.ts';
import { servers } from '../testing/servers.ts';
import type { Infer } from './infer.ts';
import { createResponseCache } from './response-cache.ts';

const start = servers();

/** An engine whose answers the test gives by hand, to see who waits for whom. */
function byHand(maxBytes = 1_000_000) {
  const runs: {
    request: InferRequest;
    signal: AbortSignal;
    answer: (value: number) => void;
    fail: (error: unknown) => void;
  }[] = [];
  const counts = { hits: 0, misses: 0 };
  const file = { versions: ['1'], sha256: 'aaa', deterministic: 'true' };
  const metadata = () =>
    ({
      versions: file.versions,
      properties: { sha256: file.sha256, deterministic: file.deterministic },
    }) as unknown as ModelMetadata;
  const next: Infer = (request, _call, signal) =>
    new Promise<InferAnswer>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      runs.push({
        request,
        signal,
        answer: (value) => {
          // As a run gives it: a view into the buffer of a whole batch.
          const data = Float32Array.from([0, value, 0]).subarray(1, 2);
          resolve({
            model: request.model,
            version: request.version ?? '1',
            outputs: [{ name: 'y', datatype: 'FP32', shape: [1], data }],
          });
        },
        fail: reject,
      });
    });
  const cache = createResponseCache({ metadata }, next, maxBytes, {
    hit: () => counts.hits++,
    miss: () => counts.misses++,
  });
  const ask = (request: InferRequest, signal: AbortSignal = never) => cache.infer(request, {}, signal);
  return { cache, ask, runs, counts, file };
}

const x = (...values: number[]): Tensor => ({
  name: 'x',
  datatype: 'FP32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const request = (...values: number[]): InferRequest => ({ model: 'm', inputs: [x(...values)] });
const dataOf = ({ outputs: [first] }: InferAnswer) => first?.data as Float32Array;
const valueOf = (answer: InferAnswer) => dataOf(answer)[0];
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('an identical request', () => {
  test('is answered without a run, and what a caller does with an answer is its own', async () => {
    const { ask, runs, counts } = byHand();
    const first = ask(request(1));
    runs[0]?.answer(7);
    await first;
    const again = await ask(request(1));
    expect(valueOf(again)).toBe(7);
    // Not a view that would keep the whole batch.
    const data = dataOf(again);
    expect(data.buffer.byteLength).toBe(4);
    data.fill(99);
    expect(valueOf(await ask(request(1)))).toBe(7);
    expect([runs.length, counts]).toEqual([1, { hits: 2, misses: 1 }]);
  });

  test.each<[string, InferRequest]>([
    ['another value', request(2)],
    ['minus zero', request(-0)],
    ['another shape', { model: 'm', inputs: [{ ...x(0), shape: [1, 1] }] }],
    ['another type', { model: 'm', inputs: [{ ...x(0), datatype: 'INT32', data: new Int32Array(1) }] }],
    ['another name', { model: 'm', inputs: [{ ...x(0), name: 'z' }] }],
    ['other outputs', { ...request(0), outputs: ['y'] }],
    ['another model', { ...request(0), model: 'n' }],
  ])('is not one with %s', async (_what, other) => {
    const { ask, runs } = byHand();
    const first = ask(request(0));
    runs[0]?.answer(7);
    await first;
    void ask(other);
    expect(runs).toHaveLength(2);
  });

  test('is one with its inputs in another order', async () => {
    const { ask, runs } = byHand();
    const [a, b] = [x(1), { ...x(2), name: 'b' }];
    const first = ask({ model: 'm', inputs: [a, b] });
    runs[0]?.answer(7);
    await first;
    expect(valueOf(await ask({ model: 'm', inputs: [b, a] }))).toBe(7);
  });

  test('meets no answer of another file or version', async () => {
    const { ask, runs, file } = byHand();
    const first = ask(request(1));
    runs[0]?.answer(7);
    await first;
    file.sha256 = 'bbb';
    void ask(request(1));
    expect(runs).toHaveLength(2);
    file.versions = ['1', '2'];
    void ask(request(1));
    expect(runs).toHaveLength(3);
    expect(runs[2]?.request.version).toBe('2');
  });
});

describe('requests at the same time', () => {
  test('share one run', async () => {
    const { ask, runs, counts } = byHand();
    const both = [ask(request(1)), ask(request(1))];
    runs[0]?.answer(7);
    expect((await Promise.all(both)).map(valueOf)).toEqual([7, 7]);
    expect([runs.length, counts]).toEqual([1, { hits: 1, misses: 1 }]);
  });

  test('the one that waits may go, and the run goes on', async () => {
    const { ask, runs } = byHand();
    const first = ask(request(1));
    const gone = new AbortController();
    const second = ask(request(1), gone.signal);
    gone.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    runs[0]?.answer(7);
    expect(valueOf(await first)).toBe(7);
  });

  test('when the one that runs goes, one of the others asks, and the rest waits for that', async () => {
    const { ask, runs } = byHand();
    const gone = new AbortController();
    const first = ask(request(1), gone.signal);
    const others = [ask(request(1)), ask(request(1))];
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    await settled();
    expect(runs).toHaveLength(2);
    runs[1]?.answer(8);
    expect((await Promise.all(others)).map(valueOf)).toEqual([8, 8]);
  });

  test.each([
    ['a full queue', overloaded('full', 10)],
    ['a failed run', backend('the model process ended')],
  ])('%s is everybody’s answer, and is not kept', async (_what, error) => {
    const { ask, runs } = byHand();
    const both = [ask(request(1)), ask(request(1))];
    runs[0]?.fail(error);
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    void ask(request(1));
    expect(runs).toHaveLength(2);
  });

  test('a deadline is its own', async () => {
    const { ask, runs } = byHand();
    const [first, second] = [ask(request(1)), ask(request(1))];
    runs[0]?.fail(pastDeadline(5));
    await expect(first).rejects.toMatchObject({ code: 'DEADLINE' });
    await settled();
    runs[1]?.answer(9);
    expect(valueOf(await second)).toBe(9);
  });

  test('with another time-out or priority they run apart', () => {
    const { ask, runs } = byHand();
    void ask(request(1));
    void ask({ ...request(1), timeoutMs: 5 });
    void ask({ ...request(1), priority: 1 });
    expect(runs).toHaveLength(3);
  });
});

test('the cache is bounded, and no answer takes all of it', async () => {
  const { ask, runs, cache } = byHand(16_384);
  for (let i = 0; i < 100; i++) {
    const answer = ask(request(i));
    runs.at(-1)?.answer(i);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await answer;
  }
  expect(cache.bytes).toBeLessThanOrEqual(16_384);
  expect(cache.entries).toBeGreaterThan(10);
  expect(cache.entries).toBeLessThan(40);
});

describe('with the real engine', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = newBench();
  });
  afterEach(() => bench.end());

  test('a reload brings its own answers, over HTTP, and the metrics tell', async () => {
    putVersion(bench.root, 'm', '1', addModel(1));
    const engine = await bench.open({ modelControl: 'explicit' });
    await engine.load('m', never);
    const server = await start(engine, { repositoryControl: true }, { around: { cacheBytes: 1_000_000 } });
    const ask = async () => {
      const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }];
      const response = await fetch(`${server.httpUrl}/v2/models/m/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs }),
      });
      return ((await response.json()) as { outputs: { data: number[] }[] }).outputs[0]?.data;
    };
    expect([await ask(), await ask()]).toEqual([
      [2, 3, 4, 5],
      [2, 3, 4, 5],
    ]);
    putVersion(bench.root, 'm', '1', addModel(10));
    await engine.load('m', never);
    expect([await ask(), await ask()]).toEqual([
      [11, 12, 13, 14],
      [11, 12, 13, 14],
    ]);
    const text = await server.metrics.registry.metrics();
    expect(text).toContain('foresail_inference_cache_hits_total{model="m",version="1"} 2');
    expect(text).toContain('foresail_inference_cache_misses_total{model="m",version="1"} 2');
    expect(text).toContain('foresail_inference_cache_entries 2');
  });

  test('a model that draws random numbers is asked each time', async () => {
    putVersion(bench.root, 'dice', '1', randomModel());
    const engine = await bench.open();
    expect(engine.metadata('dice').properties['deterministic']).toBe('false');
    const plain: Infer = (asked, _call, signal) => engine.infer(asked, signal);
    const cache = createResponseCache(engine, plain, 1_000_000, { hit: () => {}, miss: () => {} });
    const draw = async () => {
      const answer = await cache.infer(floatsRequest('dice', [[1, 2]]), {}, never);
      return [...dataOf(answer)];
    };
    expect(await draw()).not.toEqual(await draw());
  });
});
