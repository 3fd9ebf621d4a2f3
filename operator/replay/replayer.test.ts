import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { HPA_DEFAULTS } from '../decision/reactive/tuning.ts';
import { persistence } from '../forecast/persistence.ts';
import type { Forecaster } from '../forecast/types.ts';
import { specFor } from '../simulate/policies/decided.ts';
import { replay } from '../simulate/replay.ts';
import { noise, traceOf } from '../simulate/testing/loads.ts';
import type { ReplayJob } from './messages.ts';
import { createReplayer, type Replayer } from './replayer.ts';

const signal = new AbortController().signal;
/** A day and a bit in coarse steps: little arithmetic, and all of the way. */
const past = () => traceOf(Array.from(noise(3).values.subarray(0, 180)), 'past', 600_000);
let replayer: Replayer | undefined;
afterEach(() => replayer?.close());

function jobOf(trace: ReplayJob['trace'], forecasters = ['model', 'persistence']): ReplayJob {
  const spec = specFor('Auto', 'availability', 0.7, 20);
  const more = { coverage: 0.9, startUpMs: 60_000, metricDelayMs: 30_000, capacity: 20 };
  return { trace, spec, tuning: HPA_DEFAULTS, forecasters, ...more };
}

/** Another name for persistence, on this side of the thread. */
const model: Forecaster = { ...persistence, id: 'model' };

test('the thread comes to what this one comes to, with the model on the other side', async () => {
  let windows = 0;
  const counting: Forecaster = {
    id: 'model',
    forecast(asked, until) {
      windows += asked.length;
      return persistence.forecast(asked, until);
    },
  };
  replayer = createReplayer({ clock: systemClock });
  const job = jobOf(past());
  const found = await replayer.replay(job, [counting], signal);
  expect(windows).toBeGreaterThan(150);
  expect(found).toEqual(await replay(job, [model], signal));
});

test('too little of a past is not an error', async () => {
  replayer = createReplayer({ clock: systemClock });
  await expect(replayer.replay(jobOf(traceOf([1, 2, 3])), [model], signal)).resolves.toBeUndefined();
});

test('a model that fails leaves the replay to the next forecaster', async () => {
  const broken: Forecaster = { id: 'model', forecast: () => Promise.reject(new Error('no session')) };
  replayer = createReplayer({ clock: systemClock });
  const found = await replayer.replay(jobOf(past()), [broken], signal);
  expect(found?.coverage.realised).toBeGreaterThan(0.5);
});

test('a thread that dies costs one replay, one that hangs the deadline', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-replay-'));
  try {
    const [dies, hangs] = ['dies', 'hangs'].map((name) => join(folder, `${name}.mjs`)) as [string, string];
    const wait = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => `;
    await writeFile(dies, `${wait}process.exit(3));`);
    await writeFile(hangs, `${wait}undefined);`);
    replayer = createReplayer({ clock: systemClock, entry: pathToFileURL(dies) });
    const job = jobOf(traceOf([1]));
    for (let i = 0; i < 2; i++)
      // oxlint-disable-next-line no-await-in-loop -- the second one shows that there is a new thread
      await expect(replayer.replay(job, [model], signal)).rejects.toMatchObject({ code: 'REPLAY_FAILED' });
    await replayer.close();
    replayer = createReplayer({ clock: systemClock, entry: pathToFileURL(hangs), deadlineMs: 500 });
    await expect(replayer.replay(job, [model], signal)).rejects.toThrow('no end within 0.5 s');
    const stop = new AbortController();
    const given = replayer.replay(job, [model], stop.signal);
    stop.abort(new Error('shutdown'));
    await expect(given).rejects.toThrow('shutdown');
  } finally {
    await rm(folder, { recursive: true });
  }
});
