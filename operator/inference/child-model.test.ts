import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import type { ForecastWindow } from '../forecast/types.ts';
import { ChildModel, type ChildModelOptions } from './child-model.ts';
import { childCommand } from './sandbox.ts';
import { tinyModel } from './testing/tiny-model.ts';
import type { ModelState } from './types.ts';

const signal = new AbortController().signal;
const open: ChildModel[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((model) => model.close()));
});

function start(bytes: Uint8Array, options: Partial<ChildModelOptions> = {}) {
  const states: ModelState[] = [];
  const model = new ChildModel('tiny', bytes, {
    clock: systemClock,
    backoffMs: 20,
    loadDeadlineMs: 60_000,
    runDeadlineMs: 60_000,
    onState: (state) => states.push(state),
    ...options,
  });
  open.push(model);
  return { model, states };
}

function windowOf(last: number): ForecastWindow {
  return {
    key: 'k',
    context: new Float32Array(512).fill(last),
    seasonal: new Float32Array(512).fill(Number.NaN),
    originMs: 0,
    stepMs: 60_000,
  };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the awaited state did not come');
    // oxlint-disable-next-line no-await-in-loop -- polling
    await systemClock.sleep(10);
  }
}

/** Without a pid there is nobody to kill; 0 would be the test's own process group. */
function kill(pid: number | undefined, how: NodeJS.Signals): void {
  if (pid === undefined) throw new Error('the model has no child');
  process.kill(pid, how);
}

describe('a foreign model in a child', () => {
  test('forecasts, in the order of the windows', async () => {
    const { model } = start(tinyModel({ offset: 3 }), { maxBatch: 2 });
    await model.settled();
    const forecasts = await model.forecast([windowOf(10), windowOf(20), windowOf(30)], signal);
    expect(forecasts.map((forecast) => forecast.values[0])).toEqual([13, 23, 33]);
    expect(forecasts[0]?.model.name).toBe('tiny');
  });

  test('sees no variable of our environment', async () => {
    process.env['FORESAIL_SECRET_FOR_TEST'] = 'secret';
    const { model } = start(tinyModel());
    await model.settled();
    const { readFileSync } = await import('node:fs');
    const environment = readFileSync(`/proc/${model.pid}/environ`, 'utf8');
    delete process.env['FORESAIL_SECRET_FOR_TEST'];
    expect(environment).toBe('');
  });

  test.each(['SIGSEGV', 'SIGKILL'] as const)(
    'killed by %s it is started again; after the third time it stays out',
    async (how) => {
      const { model, states } = start(tinyModel());
      await model.settled();
      for (let crash = 1; crash <= 3; crash++) {
        // oxlint-disable-next-line no-await-in-loop -- one crash after the other
        await until(() => model.state.phase === 'ready');
        const { pid } = model;
        kill(pid, how);
        // oxlint-disable-next-line no-await-in-loop -- one crash after the other
        await until(() => model.pid !== pid);
      }
      expect(model.state).toMatchObject({ phase: 'quarantined', reason: 'Crashed' });
      expect(states.filter((state) => state.phase === 'backoff')).toHaveLength(2);
      await expect(model.forecast([windowOf(1)], signal)).rejects.toMatchObject({
        code: 'MODEL_QUARANTINED',
      });
    },
  );

  test('a crash during a run fails that run, and the next child serves', async () => {
    const { model } = start(tinyModel());
    await model.settled();
    const running = model.forecast([windowOf(1)], signal);
    kill(model.pid, 'SIGKILL');
    await expect(running).rejects.toMatchObject({ code: 'MODEL_RUN_FAILED' });
    await until(() => model.state.phase === 'ready');
    expect(await model.forecast([windowOf(1)], signal)).toHaveLength(1);
  });

  test('a model that never answers is killed each time and stays out as too slow', async () => {
    const { model } = start(tinyModel({ endless: true }), { loadDeadlineMs: 1500 });
    await until(() => model.state.phase === 'quarantined');
    expect(model.state).toMatchObject({ reason: 'TooSlow' });
    expect(model.pid).toBeUndefined();
  });

  test('a model that eats all memory loses its child, not the operator', async () => {
    const { model } = start(tinyModel({ blowUp: 2 ** 40 }), { memoryMiB: 512 });
    await until(() => model.state.phase === 'quarantined');
    expect(['RunFailed', 'Crashed']).toContain((model.state as { reason: string }).reason);
  });

  test('a child that answers nonsense is a crashed child', async () => {
    const script = 'require("fs").writeSync(3, Buffer.alloc(64, 255)); setInterval(() => 0, 1000)';
    const { model } = start(tinyModel(), { command: { command: process.execPath, args: ['-e', script] } });
    await until(() => model.state.phase === 'quarantined');
    expect(model.state).toMatchObject({ reason: 'Crashed' });
  });
});

describe('the walls around it', () => {
  /** Runs a script as the child would run, with the same command line but for its entry point. */
  function inside(script: string): string {
    const { command, args } = childCommand(512);
    const child = spawnSync(command, [...args.slice(0, -1), '-e', script], { env: {}, encoding: 'utf8' });
    return child.stdout.trim();
  }

  test('its script reads no file outside the operator and starts no process', () => {
    const attempt = (code: string): string =>
      `try { ${code}; console.log('done') } catch (e) { console.log(e.code) }`;
    expect(inside(attempt('require("fs").readFileSync("/etc/hostname")'))).toBe('ERR_ACCESS_DENIED');
    expect(inside(attempt('require("fs").writeFileSync("/tmp/x", "")'))).toBe('ERR_ACCESS_DENIED');
    expect(inside(attempt('require("child_process").execSync("true")'))).toBe('ERR_ACCESS_DENIED');
  });

  // Where the machine gives plain users no network namespace, the policy of the cluster has to do it.
  const walled = childCommand(512).walls.includes('network');
  (walled ? test : test.skip)('it has no network', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = `require('net').connect(${port}, '127.0.0.1').on('connect', () => console.log('connected')).on('error', (e) => console.log(e.code))`;
    expect(inside(script)).toMatch(/^(ENETUNREACH|EADDRNOTAVAIL|ECONNREFUSED)$/);
    server.close();
  });
});
