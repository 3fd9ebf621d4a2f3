import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { openEngine } from './engine.ts';
import { type Bench, floatsRequest, never, newBench, numbersOf, until } from './testing/engines.ts';
import {
  addModel,
  crossRowModel,
  everyTypeModel,
  gatherModel,
  putVersion,
  runtimeOperatorModel,
  slowModel,
  twoInTwoOutModel,
} from './testing/models.ts';
import type { Datatype, Tensor, TensorData } from './types.ts';

let bench: Bench;
beforeEach(() => {
  bench = newBench();
});
afterEach(() => bench.end());

const box = new URL('../../../models/loadcast/', import.meta.url);

describe('a model in the repository', () => {
  test('answers, in every version, and the newest when none is asked for', async () => {
    putVersion(bench.root, 'add', '2', addModel(2));
    putVersion(bench.root, 'add', '10', addModel(10));
    const engine = await bench.open();
    expect(engine.ready()).toBe(true);
    const ask = async (version?: string) => {
      const request = floatsRequest('add', [[1, 2, 3, 4]], version === undefined ? {} : { version });
      const answer = await engine.infer(request, never);
      return [answer.version, ...numbersOf(answer.outputs[0])];
    };
    expect(await ask()).toEqual(['10', 11, 12, 13, 14]);
    expect(await ask('')).toEqual(['10', 11, 12, 13, 14]);
    expect(await ask('2')).toEqual(['2', 3, 4, 5, 6]);
    await expect(ask('3')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    expect(engine.metadata('add')).toMatchObject({
      name: 'add',
      versions: ['2', '10'],
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }],
      properties: { batching: 'dynamic', executionProvider: 'cpu', contract: 'generic' },
    });
    expect(engine.index(true).map((state) => state.version)).toEqual(['10', '2']);
  });

  test('the box model passes its golden vectors and is known as a forecaster', async () => {
    const golden: unknown = JSON.parse(readFileSync(new URL('golden.json', box), 'utf8'));
    putVersion(bench.root, 'loadcast', '1', readFileSync(new URL('loadcast.onnx', box)), golden);
    const engine = await bench.open();
    expect(engine.index(false)).toEqual([{ name: 'loadcast', version: '1', state: 'READY', reason: '' }]);
    const { properties } = engine.metadata('loadcast');
    expect(properties).toMatchObject({ contract: 'forecast', 'foresail.horizon': '64', batching: 'dynamic' });
    const inputs: Tensor[] = [
      { name: 'seasonal', datatype: 'FP32', shape: [2, 4, 128], data: new Float32Array(1024).fill(7) },
      { name: 'context', datatype: 'FP32', shape: [2, 512], data: new Float32Array(1024).fill(7) },
    ];
    const { outputs } = await engine.infer({ model: 'loadcast', inputs }, never);
    expect(outputs.map((output) => [output.name, output.shape])).toEqual([['quantiles', [2, 64, 13]]]);
    expect(numbersOf(outputs[0]).every(Number.isFinite)).toBe(true);
  });

  const examples: readonly (readonly [Datatype, TensorData])[] = [
    ['BOOL', Uint8Array.of(0, 1)],
    ['UINT8', Uint8Array.of(0, 255)],
    ['UINT16', Uint16Array.of(1, 65_535)],
    ['UINT32', Uint32Array.of(1, 2 ** 32 - 1)],
    ['UINT64', BigUint64Array.of(1n, 2n ** 64n - 1n)],
    ['INT8', Int8Array.of(-128, 127)],
    ['INT16', Int16Array.of(-32_768, 1)],
    ['INT32', Int32Array.of(-(2 ** 31), 1)],
    ['INT64', BigInt64Array.of(-(2n ** 63n), 1n)],
    ['FP16', Uint16Array.of(0x3c00, 0xc000)],
    ['FP32', Float32Array.of(1.5, -2)],
    ['FP64', Float64Array.of(Math.PI, -0)],
    ['BYTES', [Buffer.from('größer'), Buffer.from('')]],
  ];

  test('every datatype goes in and comes out unchanged, also in a batch', async () => {
    putVersion(bench.root, 'all', '1', everyTypeModel());
    const engine = await bench.open();
    expect(engine.metadata('all').properties['batching']).toBe('dynamic');
    const inputs = examples.map(
      ([datatype, data]): Tensor => ({ name: datatype, datatype, shape: [1, 2], data }),
    );
    const answers = await Promise.all([1, 2, 3].map(() => engine.infer({ model: 'all', inputs }, never)));
    for (const { outputs } of answers) {
      expect(outputs.map(({ datatype, data }) => [datatype, data])).toEqual(examples);
    }
  });

  test('requests that come together run together, and each gets its own rows', async () => {
    putVersion(bench.root, 'pair', '1', twoInTwoOutModel());
    const engine = await bench.open();
    const tensor = (name: string, rows: number, length: number, value: number): Tensor => ({
      name,
      datatype: 'FP32',
      shape: [rows, length],
      data: new Float32Array(rows * length).fill(value),
    });
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const [rows, length] = [1 + (i % 3), i < 10 ? 5 : 2];
        const inputs = [tensor('b', rows, length, 1), tensor('a', rows, length, i)];
        return await engine.infer({ model: 'pair', inputs, outputs: ['difference'] }, never);
      }),
    );
    answers.forEach(({ outputs }, i) => {
      const [rows, length] = [1 + (i % 3), i < 10 ? 5 : 2];
      expect(outputs.map((output) => [output.name, output.shape])).toEqual([['difference', [rows, length]]]);
      expect(new Set(numbersOf(outputs[0]))).toEqual(new Set([i - 1]));
    });
    const [statistics] = engine.statistics('pair');
    expect(statistics).toMatchObject({ inference_count: 39, inference_stats: { success: { count: 20 } } });
    expect(statistics?.execution_count).toBeLessThan(20);
    expect(bench.events.filter((event) => event.outcome === 'success')).toHaveLength(20);
  });

  test('a free first dimension that is no batch is found out, and requests run alone', async () => {
    putVersion(bench.root, 'mean', '1', crossRowModel());
    const engine = await bench.open();
    expect(engine.metadata('mean').properties).toMatchObject({
      batching: 'off',
      batchingReason: expect.stringMatching(/change each other/),
    });
    const answers = await Promise.all(
      [1, 2, 3].map((value) =>
        engine.infer(
          floatsRequest('mean', [
            [value, 0],
            [value + 2, 0],
          ]),
          never,
        ),
      ),
    );
    expect(answers.map((answer) => numbersOf(answer.outputs[0]))).toEqual([
      [-1, 0, 1, 0],
      [-1, 0, 1, 0],
      [-1, 0, 1, 0],
    ]);
  });

  test('a value that fails the run fails its own request only', async () => {
    putVersion(bench.root, 'gather', '1', gatherModel());
    const engine = await bench.open();
    const ask = (index: bigint) => {
      const x: Tensor = { name: 'x', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(index) };
      return engine.infer({ model: 'gather', inputs: [x] }, never);
    };
    const [good, bad, fine] = await Promise.allSettled([ask(2n), ask(99n), ask(0n)]);
    expect(good).toMatchObject({ value: { outputs: [{ data: Float32Array.of(30) }] } });
    expect(fine).toMatchObject({ value: { outputs: [{ data: Float32Array.of(10) }] } });
    expect(bad).toMatchObject({ reason: { code: 'BACKEND' } });
  });

  test('operators that the runtime brings along are taken', async () => {
    putVersion(bench.root, 'gelu', '1', runtimeOperatorModel());
    const engine = await bench.open();
    const { outputs } = await engine.infer(floatsRequest('gelu', [[-1, 0]]), never);
    expect(numbersOf(outputs[0])[0]).toBeCloseTo(0);
    expect(numbersOf(outputs[0])[1]).toBeCloseTo(0.8413);
  });

  test('bad input is refused with the field, unknown models by name', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open();
    await expect(engine.infer(floatsRequest('add', [[1, 2]]), never)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      subject: 'inputs.x.shape',
    });
    const odd = floatsRequest('add', [[1, 2, 3, 4]], { priority: 9 });
    await expect(engine.infer(odd, never)).rejects.toMatchObject({ subject: 'priority' });
    await expect(engine.infer(floatsRequest('no', [[1]]), never)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    expect(bench.events.map(({ model, outcome }) => [model, outcome])).toEqual([
      ['add', 'invalid'],
      ['add', 'invalid'],
      ['', 'invalid'],
    ]);
  });
});

describe('four times more than the model can do', () => {
  test('the queue keeps its bound, the rest is refused at the door with a time to wait', async () => {
    putVersion(bench.root, 'slow', '1', slowModel());
    const engine = await bench.open({ latencyTargetMs: 30_000, maxQueue: 16, maxBatch: 4 });
    let waited = 0;
    const refused: unknown[] = [];
    const ask = async (): Promise<void> => {
      const request = floatsRequest('slow', [Array.from({ length: 256 }, () => 1)]);
      const asked = engine.infer(request, never);
      waited = Math.max(waited, engine.gauges()[0]?.pendingRequests ?? 0);
      await asked.catch((error: unknown) => refused.push(error));
    };
    await Promise.all(Array.from({ length: 200 }, ask));
    expect(waited).toBeLessThanOrEqual(16);
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused)
      expect(error).toMatchObject({ code: 'OVERLOADED', retryAfterMs: expect.any(Number) });
    const rejected = bench.events.filter((event) => event.outcome === 'rejected');
    expect(rejected).toHaveLength(refused.length);
    // Refused means that it never waited.
    expect(rejected.every((event) => event.queueNs === 0)).toBe(true);
    const [statistics] = engine.statistics('slow');
    expect(statistics?.inference_stats.success.count).toBe(200 - refused.length);
    expect(statistics?.batch_stats.every((size) => size.batch_size <= 4)).toBe(true);
  });
});

describe('a repository that changes', () => {
  test('a new version takes over and an old one leaves without a failed request', async () => {
    putVersion(bench.root, 'add', '1', addModel(1));
    const engine = await bench.open({ modelControl: 'poll' });
    const versions = new Set<string>();
    const wrong: unknown[] = [];
    let asked = 0;
    const stop = new AbortController();
    const client = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          asked++;
          // oxlint-disable-next-line no-await-in-loop -- a client that asks again and again
          const { version, outputs } = await engine.infer(floatsRequest('add', [[0, 0, 0, 0]]), never);
          if (numbersOf(outputs[0])[0] !== Number(version)) wrong.push(version);
          versions.add(version);
        } catch (error) {
          wrong.push(error);
        }
      }
    };
    const clients = Array.from({ length: 4 }, client);
    await until('requests', () => asked > 20);
    putVersion(bench.root, 'add', '2', addModel(2));
    await until('version 2', () => versions.has('2'));
    rmSync(join(bench.root, 'add', '1'), { recursive: true });
    await until('version 1 gone', () => engine.index(false).every((state) => state.version === '2'));
    // The file of a version that serves is replaced.
    const next = putVersion(bench.root, '.next', '2', addModel(2, 4));
    renameSync(join(next, 'model.onnx'), join(bench.root, 'add', '2', 'model.onnx'));
    putVersion(bench.root, 'add', '3', Buffer.from('not a model'));
    await until('version 3 refused', () =>
      engine.index(false).some((state) => state.version === '3' && state.state === 'UNAVAILABLE'),
    );
    stop.abort();
    await Promise.all(clients);
    expect(wrong).toEqual([]);
    expect(versions).toEqual(new Set(['1', '2']));
    expect(engine.ready()).toBe(true);
    expect(engine.index(false)[0]?.reason).toMatch(/^(Truncated|NotOnnx): /);
  });

  test('a removed model leaves; a repository that cannot be read changes nothing', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    putVersion(bench.root, 'other', '1', addModel());
    const engine = await bench.open({ modelControl: 'poll' });
    rmSync(join(bench.root, 'other'), { recursive: true });
    await until('other gone', () => !engine.modelReady('other'));
    renameSync(bench.root, `${bench.root}-away`);
    await systemClock.sleep(200);
    expect(engine.modelReady('add')).toBe(true);
    renameSync(`${bench.root}-away`, bench.root);
    await engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never);
  });

  test('explicit control loads and unloads by request', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    putVersion(bench.root, 'broken', '1', Buffer.from('not a model'));
    const engine = await bench.open({ modelControl: 'explicit' });
    expect(engine.index(false).map(({ name, state }) => [name, state])).toEqual([
      ['add', 'UNAVAILABLE'],
      ['broken', 'UNAVAILABLE'],
    ]);
    await engine.load('add', never);
    expect(engine.modelReady('add')).toBe(true);
    await expect(engine.load('broken', never)).rejects.toMatchObject({
      code: 'MODEL_REFUSED',
      subject: 'NotOnnx',
      message: expect.stringMatching(/^version 1 does not serve: /),
    });
    putVersion(bench.root, 'add', '2', Buffer.from('not a model'));
    await expect(engine.load('add', never)).rejects.toMatchObject({ code: 'MODEL_REFUSED' });
    expect(engine.modelReady('add')).toBe(true);
    rmSync(join(bench.root, 'add', '2'), { recursive: true });
    await engine.load('add', never);
    await expect(engine.load('nobody', never)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(engine.load('../add', never)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    const last = engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never);
    await engine.unload('add', never);
    expect((await last).version).toBe('1');
    await expect(engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
  });

  test('an unload cuts short the load under way', async () => {
    for (const version of ['1', '2', '3']) putVersion(bench.root, 'add', version, addModel());
    const engine = await bench.open({ modelControl: 'explicit' });
    const loading = engine.load('add', never).catch((error: unknown) => error);
    await until('the load', () => engine.index(false).some((state) => state.state === 'LOADING'));
    await engine.unload('add', never);
    expect(await loading).toMatchObject({ code: 'MODEL_REFUSED' });
    expect(bench.states.filter((state) => state.state === 'READY')).toEqual([]);
  });

  test('without explicit control nobody loads by request', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open();
    await expect(engine.load('add', never)).rejects.toMatchObject({ code: 'LOAD_DISABLED' });
    await expect(engine.unload('add', never)).rejects.toMatchObject({ code: 'LOAD_DISABLED' });
  });

  test('only the newest versions serve when so many are wanted, and a refused one counts for none', async () => {
    for (const version of ['1', '2', '3']) putVersion(bench.root, 'add', version, addModel(Number(version)));
    putVersion(bench.root, 'add', '4', Buffer.from('not a model'));
    const engine = await bench.open({ latestVersions: 2 });
    const ready = engine.index(true).map((state) => state.version);
    expect(ready).toEqual(['3', '2']);
    expect(engine.index(false)).toContainEqual(
      expect.objectContaining({
        version: '1',
        state: 'UNAVAILABLE',
        reason: expect.stringMatching(/newest 2/),
      }),
    );
  });
});

describe('the end', () => {
  test('those under way are answered, those who come are refused, and no child is left', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open();
    const last = engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never);
    const closing = engine.close(never);
    await expect(engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never)).rejects.toMatchObject({
      code: 'MODEL_NOT_READY',
    });
    expect([engine.live(), engine.ready()]).toEqual([true, false]);
    expect((await last).version).toBe('1');
    await closing;
    expect(engine.live()).toBe(false);
  });

  test('a server without a model is not ready', async () => {
    const engine = await bench.open();
    expect([engine.live(), engine.ready()]).toEqual([true, false]);
  });

  test.each([
    ['instances', { instances: 0 }],
    ['accelerator', { accelerator: 'tpu' as 'cpu' }],
    ['maxBatch', { models: { m: { maxBatch: 1.5 } } }],
  ])('a setting out of bounds is refused by name: %s', async (subject, over) => {
    const options = { repository: bench.root, clock: systemClock, ...over };
    await expect(openEngine(options, never)).rejects.toMatchObject({ code: 'SETTING_INVALID', subject });
  });
});
