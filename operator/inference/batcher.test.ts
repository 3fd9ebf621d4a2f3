import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import {
  type Forecaster,
  type ForecastWindow,
  MODEL_LEVELS,
  type QuantileForecast,
} from '../forecast/types.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';
import { forecastByChain, linkOf } from './chain.ts';

const { signal } = new AbortController();

function windowOf(key: string): ForecastWindow {
  return {
    key,
    context: new Float32Array(512).fill(10),
    seasonal: new Float32Array(512).fill(Number.NaN),
    originMs: 0,
    stepMs: 60_000,
  };
}

function answer(window: ForecastWindow, value = 10): QuantileForecast {
  return {
    originMs: window.originMs,
    stepMs: window.stepMs,
    horizon: 1,
    levels: MODEL_LEVELS,
    values: new Float32Array(MODEL_LEVELS.length).fill(value),
    model: { name: window.key, version: '1', digest: 'builtin' },
  };
}

/** A forecaster under the test's control: notes its batches and answers when told. */
function controlled(options: Partial<BatcherOptions> = {}) {
  const clock = new FakeClock();
  const batches: string[][] = [];
  const gates: ((error?: Error) => void)[] = [];
  const forecaster: Forecaster = {
    id: 'controlled',
    forecast(windows) {
      batches.push(windows.map((window) => window.key));
      return new Promise((resolve, reject) => {
        gates.push((error) => (error === undefined ? resolve(windows.map((w) => answer(w))) : reject(error)));
      });
    },
  };
  const batcher = new Batcher(forecaster, {
    clock,
    maxBatch: 3,
    maxDelayMs: 5,
    deadlineMs: 1000,
    ...options,
  });
  return { clock, batches, gates, batcher };
}

describe('batching', () => {
  test('waits a little for company, then runs what is there; each gets its own answer', async () => {
    const { clock, batches, gates, batcher } = controlled();
    const both = Promise.all([
      batcher.forecast(windowOf('a'), signal),
      batcher.forecast(windowOf('b'), signal),
    ]);
    await clock.advance(4);
    expect(batches).toEqual([]);
    await clock.advance(1);
    gates[0]?.();
    expect((await both).map((forecast) => forecast.model.name)).toEqual(['a', 'b']);
    expect(batches).toEqual([['a', 'b']]);
  });

  test('a full batch does not wait; one run at a time, in order of arrival', async () => {
    const { clock, batches, gates, batcher } = controlled();
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => batcher.forecast(windowOf(key), signal)));
    await clock.advance(0);
    expect(batches).toEqual([['a', 'b', 'c']]);
    gates[0]?.();
    await clock.advance(0);
    expect(batches).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e'],
    ]);
    gates[1]?.();
    expect(await all).toHaveLength(5);
  });

  test('who gives up waiting leaves the queue, the others go on', async () => {
    const { clock, batches, gates, batcher } = controlled();
    const abort = new AbortController();
    const gone = batcher.forecast(windowOf('gone'), abort.signal);
    const stays = batcher.forecast(windowOf('stays'), signal);
    abort.abort(new Error('shutdown'));
    await expect(gone).rejects.toThrow('shutdown');
    await clock.advance(5);
    expect(batches).toEqual([['stays']]);
    gates[0]?.();
    await stays;
  });

  test('a request that is not answered in time is told so', async () => {
    const { clock, batcher } = controlled();
    const late = batcher.forecast(windowOf('a'), signal);
    const outcome = late.catch((error: unknown) => error);
    await clock.advance(1000);
    expect(await outcome).toMatchObject({ code: 'FORECAST_TIMEOUT' });
  });

  test('a full queue refuses at once', async () => {
    const { clock, gates, batcher } = controlled({ maxQueue: 1 });
    const first = batcher.forecast(windowOf('a'), signal);
    await expect(batcher.forecast(windowOf('b'), signal)).rejects.toMatchObject({
      code: 'FORECAST_OVERLOADED',
    });
    await clock.advance(5);
    gates[0]?.();
    await first;
  });

  test('a failing run fails its batch only', async () => {
    const { clock, gates, batcher } = controlled();
    const first = batcher.forecast(windowOf('a'), signal);
    await clock.advance(5);
    gates[0]?.(new ForesailError('MODEL_RUN_FAILED', 'transient', 'boom'));
    await expect(first).rejects.toMatchObject({ code: 'MODEL_RUN_FAILED' });
    await clock.advance(0);
    const second = batcher.forecast(windowOf('b'), signal);
    await clock.advance(5);
    gates[1]?.();
    expect(await second).toMatchObject({ horizon: 1 });
  });

  test('closing answers what is queued and refuses what comes later', async () => {
    const { clock, gates, batcher } = controlled();
    const queued = batcher.forecast(windowOf('a'), signal);
    const closing = batcher.close();
    await clock.advance(0);
    gates[0]?.();
    await closing;
    await expect(queued).resolves.toMatchObject({ horizon: 1 });
    await expect(batcher.forecast(windowOf('b'), signal)).rejects.toMatchObject({ code: 'MODEL_LOADING' });
  });
});

describe('the chain', () => {
  const failing = (id: string, code: string): Forecaster => ({
    id,
    forecast: () => Promise.reject(new ForesailError(code, 'transient', `${id} says no`)),
  });
  const serving = (id: string, value: number): Forecaster => ({
    id,
    forecast: (windows) => Promise.resolve(windows.map((window) => answer(window, value))),
  });

  test('serves from the first that can, and says what kept the others', async () => {
    const links = [failing('model', 'MODEL_TIMEOUT'), serving('wild', 1e9), serving('naive', 9)].map(linkOf);
    const outcome = await forecastByChain(links, windowOf('a'), signal);
    expect(outcome).toMatchObject({
      kind: 'forecast',
      by: 'naive',
      failed: [
        { id: 'model', reason: 'ModelTimeout', message: 'model says no' },
        { id: 'wild', reason: 'ForecastRejected' },
      ],
    });
  });

  test.each([
    ['MODEL_QUARANTINED', 'ModelQuarantined'],
    ['MODEL_LOADING', 'ModelLoading'],
    ['FORECAST_NO_HISTORY', 'NoHistory'],
    ['FORECAST_OVERLOADED', 'Overloaded'],
    ['SOMETHING_NEW', 'ModelFailed'],
  ])('%s alone is unavailable with reason %s', async (code, reason) => {
    const outcome = await forecastByChain([linkOf(failing('model', code))], windowOf('a'), signal);
    expect(outcome).toMatchObject({ kind: 'unavailable', reason, message: 'model says no' });
  });

  test('rejects with the reason of the caller, and only with that', async () => {
    const abort = new AbortController();
    abort.abort(new Error('shutdown'));
    const link = linkOf({ id: 'x', forecast: (_, inner) => Promise.reject(inner.reason) });
    await expect(forecastByChain([link], windowOf('a'), abort.signal)).rejects.toThrow('shutdown');
    await expect(forecastByChain([], windowOf('a'), signal)).resolves.toMatchObject({
      reason: 'ModelMissing',
    });
  });
});
