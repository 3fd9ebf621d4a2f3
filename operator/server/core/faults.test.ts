import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { tinyModel } from '../../inference/testing/tiny-model.ts';
import { type Bench, floatsRequest, never, newBench, until } from './testing/engines.ts';
import { addModel, gatherModel, model, nanModel, putVersion, slowModel } from './testing/models.ts';
import type { Engine } from './types.ts';

let bench: Bench;
beforeEach(() => {
  bench = newBench();
});
afterEach(() => bench.end());

/** Children of this process that run a model; tests of other files run in processes of their own. */
function children(parent = process.pid): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        const own = new RegExp(`^PPid:\\t${parent}$`, 'm').test(status);
        return own && command.includes('server/core/child/main.ts');
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Fields of /proc/PID/stat from the third on: state, parent, group, ... */
function statOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
}

/** Processor time of a process. */
function secondsOf(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function signalOnly(how: NodeJS.Signals): number {
  const [pid, ...others] = children();
  if (pid === undefined || others.length > 0) throw new Error('there is not exactly one child');
  process.kill(pid, how);
  return pid;
}

const state = (engine: Engine) => engine.index(false)[0];

describe('a child that dies', () => {
  test.each(['SIGSEGV', 'SIGKILL'] as const)(
    'by %s is started again; after the third time the version is out, and an older one serves',
    async (how) => {
      putVersion(bench.root, 'add', '2', addModel(2));
      const engine = await bench.open({ modelControl: 'poll' });
      for (let crash = 1; crash <= 3; crash++) {
        const pid = signalOnly(how);
        // oxlint-disable-next-line no-await-in-loop -- one crash after the other
        await until('the end is seen', () => !children().includes(pid) && !engine.modelReady('add'));
        // oxlint-disable-next-line no-await-in-loop -- as above
        if (crash < 3) await until('the next child', () => engine.modelReady('add'));
      }
      expect(state(engine)).toMatchObject({
        state: 'UNAVAILABLE',
        reason: expect.stringMatching(/^Crashed: .*3 crashes/),
      });
      await expect(engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never)).rejects.toMatchObject({
        code: 'MODEL_NOT_READY',
      });
      expect(engine.live()).toBe(true);
      putVersion(bench.root, 'add', '1', addModel(1));
      await until('version 1', () => engine.modelReady('add'));
      expect((await engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never)).version).toBe('1');
    },
  );

  test('fails the run it had and keeps those who wait', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open({ maxBatch: 1 });
    // Stopped, it certainly has not answered yet.
    const pid = signalOnly('SIGSTOP');
    const request = floatsRequest('add', [[1, 2, 3, 4]]);
    const asked = Promise.allSettled([1, 2, 3].map(() => engine.infer(request, never)));
    await until('a run', () => engine.gauges()[0]?.runningRequests === 1);
    process.kill(pid, 'SIGKILL');
    const ended = await asked;
    expect(ended.map((end) => end.status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(ended[0]).toMatchObject({
      reason: { code: 'BACKEND', message: expect.stringMatching(/SIGKILL/) },
    });
    expect(engine.gauges()[0]).toMatchObject({ restarts: 1, instancesReady: 1 });
  });

  test('gets no other bytes than those that were checked', async () => {
    const folder = putVersion(bench.root, 'add', '1', addModel(1));
    const engine = await bench.open();
    writeFileSync(join(folder, 'model.onnx'), addModel(2));
    signalOnly('SIGKILL');
    await until('the refusal', () => state(engine)?.state === 'UNAVAILABLE');
    expect(state(engine)?.reason).toMatch(/^DigestMismatch: /);
  });

  test('while its version is loading counts once', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const opened = bench.open({ instances: 2, maxCrashes: 3 });
    await until('the second child', () => children().length === 2);
    process.kill(Math.max(...children()), 'SIGKILL');
    const engine = await opened;
    await until('both', () => engine.gauges()[0]?.instancesReady === 2);
    expect(children()).toHaveLength(2);
  });

  test('too often, can be loaded again by request', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open({ modelControl: 'explicit', maxCrashes: 1 });
    await engine.load('add', never);
    signalOnly('SIGKILL');
    await until('the end is seen', () => state(engine)?.state === 'UNAVAILABLE');
    await engine.load('add', never);
    await engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never);
  });

  test('of several, the others go on', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open({ instances: 2 });
    const [first] = children();
    process.kill(first ?? 0, 'SIGKILL');
    await until('the end is seen', () => engine.gauges()[0]?.instancesReady === 1);
    expect(engine.modelReady('add')).toBe(true);
    await engine.infer(floatsRequest('add', [[1, 2, 3, 4]]), never);
    await until('the next child', () => engine.gauges()[0]?.instancesReady === 2);
  });

  test('is not reached by a signal to the group of the server', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    await bench.open();
    const [pid = 0] = children();
    expect(statOf(pid)[2]).toBe(String(pid));
  });

  test('no child outlives its engine', async () => {
    putVersion(bench.root, 'add', '1', addModel());
    const engine = await bench.open({ instances: 2 });
    expect(children()).toHaveLength(2);
    await engine.close(never);
    expect(children()).toEqual([]);
  });
});

describe('a model that hangs', () => {
  test('is killed at its deadline and answers BACKEND', async () => {
    putVersion(bench.root, 'endless', '1', tinyModel({ endless: true }));
    const engine = await bench.open({ runDeadlineMs: 300, maxCrashes: 1 });
    expect(state(engine)).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringMatching(/no answer within 300 ms/),
    });
    await until('the end of the child', () => children().length === 0);
  });

  test('in its first run does not keep the engine from closing', async () => {
    putVersion(bench.root, 'endless', '1', tinyModel({ endless: true }));
    const engine = await bench.open({ modelControl: 'explicit' });
    const loading = engine.load('endless', never).catch((error: unknown) => error);
    await until('the child', () => children().length === 1);
    await engine.close(never);
    expect(await loading).toMatchObject({ code: 'MODEL_NOT_READY' });
    await until('the end of the child', () => children().length === 0);
  });

  test('does not keep the engine from closing', async () => {
    putVersion(bench.root, 'slow', '1', slowModel(2000));
    const engine = await bench.open({ maxBatch: 1, warmUpRuns: 1 });
    const request = floatsRequest('slow', [Array.from({ length: 256 }, () => 1)]);
    const asked = Promise.allSettled(Array.from({ length: 50 }, () => engine.infer(request, never)));
    const patience = new AbortController();
    const closing = engine.close(patience.signal);
    patience.abort();
    await closing;
    const codes = (await asked).map((end) =>
      end.status === 'rejected' ? (end.reason as { code: string }).code : 'ok',
    );
    expect(codes).toContain('MODEL_NOT_READY');
    await until('the end of the child', () => children().length === 0);
  });
});

describe('a server that is killed', () => {
  test.each(['idle', 'in a run that never ends'])('leaves no child behind: %s', async (when) => {
    putVersion(bench.root, 'm', '1', tinyModel({ endless: when !== 'idle' }));
    const script = `
      import { systemClock } from '${new URL('../../clock.ts', import.meta.url).href}';
      import { openEngine } from '${new URL('./engine.ts', import.meta.url).href}';
      const signal = new AbortController().signal;
      const engine = await openEngine({ repository: '${bench.root}', clock: systemClock, accelerator: 'cpu' }, signal);
      ${when === 'idle' ? 'await engine.settled(signal);' : ''}
      console.log('up');
      setInterval(() => 0, 1000);`;
    const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(server.stdout, 'data');
    await until('the child', () => children(server.pid).length === 1);
    const [pid = 0] = children(server.pid);
    // The model's bytes are in and it runs: a child that has not begun would end by its closed pipe alone.
    if (when !== 'idle') await until('the run', () => secondsOf(pid) > 0.5);
    server.kill('SIGKILL');
    await until('the end of the child', () => !existsSync(`/proc/${pid}`));
  });
});

describe('a file that must not serve', () => {
  const golden = (wanted: number) => ({
    tolerance: 1e-4,
    cases: [
      {
        name: 'one row',
        inputs: [{ name: 'x', shape: [1, 4], data: [0, 1, 2, 3] }],
        outputs: [{ name: 'y', data: [1, 2, 3, wanted] }],
      },
    ],
  });
  test.each<[string, Uint8Array, unknown, RegExp]>([
    ['no ONNX', Buffer.from('hello'), undefined, /^(NotOnnx|Truncated): /],
    ['empty', Buffer.alloc(0), undefined, /^Empty: /],
    ['a newer operator set', model(99), undefined, /^OpsetUnsupported: .*99/],
    ['operators of another domain', tinyModel({ domain: 'com.example' }), undefined, /^CustomOperator: /],
    ['tensors in another file', tinyModel({ external: true }), undefined, /^ExternalData: /],
    ['a graph that the runtime refuses', model(18), undefined, /^LoadFailed: /],
    ['NaN', nanModel(), undefined, /^NotFinite: "y".*golden\.json/],
    ['a forecaster with NaN', tinyModel({ nan: true }), undefined, /^NotFinite: "quantiles"/],
    [
      'a forecaster of another contract',
      tinyModel({ contextDims: ['batch', 7] }),
      undefined,
      /^WrongInputs: /,
    ],
    [
      'golden vectors that differ',
      addModel(1),
      golden(5),
      /^GoldenMismatch: golden case "one row": "y"\[3\] is 4, expected 5/,
    ],
    [
      'golden vectors of another model',
      addModel(1),
      { modelSha256: 'x', ...golden(4) },
      /^GoldenInvalid: .*another model/,
    ],
    ['golden vectors that do not fit', gatherModel(), golden(4), /^GoldenInvalid: /],
    ['golden vectors that are none', addModel(1), { cases: [] }, /^GoldenInvalid: /],
  ])('%s: refused with the reason', async (_, file, beside, reason) => {
    putVersion(bench.root, 'm', '1', file, beside);
    const engine = await bench.open();
    expect(state(engine)).toMatchObject({ state: 'UNAVAILABLE', reason: expect.stringMatching(reason) });
    expect(engine.ready()).toBe(false);
    await expect(engine.infer(floatsRequest('m', [[1, 2, 3, 4]]), never)).rejects.toMatchObject({
      code: 'MODEL_NOT_READY',
      message: expect.stringMatching(/not ready: [A-Z]/),
    });
  });

  test('golden vectors that agree let it in', async () => {
    putVersion(bench.root, 'm', '1', addModel(1), golden(4));
    expect(state(await bench.open())).toMatchObject({ state: 'READY', reason: '' });
  });

  test('too large', async () => {
    putVersion(bench.root, 'm', '1', slowModel());
    expect(state(await bench.open({ maxModelBytes: 1000 }))?.reason).toMatch(/^TooLarge: /);
  });

  test('too slow for its target', async () => {
    putVersion(bench.root, 'm', '1', slowModel());
    expect(state(await bench.open({ latencyTargetMs: 0.001 }))?.reason).toMatch(
      /^TooSlow: p99 of 3 single runs/,
    );
  });

  test('too slow to start', async () => {
    putVersion(bench.root, 'm', '1', addModel());
    expect(state(await bench.open({ coldStartMs: 1 }))?.reason).toMatch(/^ColdStart: /);
  });

  test('too hungry', async () => {
    putVersion(bench.root, 'm', '1', tinyModel({ blowUp: 2 ** 40 }));
    const engine = await bench.open({ memoryMiB: 512, maxCrashes: 1 });
    expect(state(engine)).toMatchObject({ state: 'UNAVAILABLE' });
    expect(engine.live()).toBe(true);
  });
});

test('an answer with NaN is given, as a client may want it, and told of', async () => {
  putVersion(bench.root, 'm', '1', nanModel(), {
    tolerance: 1e-4,
    cases: [
      {
        name: 'threes',
        inputs: [{ name: 'x', shape: [1, 2], data: [3, 3] }],
        outputs: [{ name: 'y', data: [0, 0] }],
      },
    ],
  });
  const engine = await bench.open();
  bench.events.length = 0;
  await engine.infer(floatsRequest('m', [[3, 3]]), never);
  await engine.infer(floatsRequest('m', [[3, 1]]), never);
  expect(bench.events.map(({ outcome, nonFinite }) => [outcome, nonFinite])).toEqual([
    ['success', false],
    ['success', true],
  ]);
});
