import { describe, expect, test } from '@jest/globals';
import { dailyLoad, MINUTE, readerOf } from '../testing/series.ts';
import { type ForecastWindow, MODEL_HORIZON, MODEL_LEVELS, type QuantileForecast } from '../types.ts';
import { buildWindow } from '../window.ts';
import { attribute } from './attribution.ts';

const { signal } = new AbortController();
const DAYS = 15;
const NOW = DAYS * 1440 * MINUTE;

function windowOf(values: Float64Array, stepMs = MINUTE): ForecastWindow {
  return buildWindow('load', NOW, stepMs, readerOf(values));
}

const flat = new Float64Array(DAYS * 1440 + 1).fill(100);

/** Forecasts one number at every step and level. */
function constant(load: number, { originMs, stepMs }: ForecastWindow): QuantileForecast {
  const values = new Float32Array(MODEL_HORIZON * MODEL_LEVELS.length).fill(load);
  const model = { name: 'toy', version: '1', digest: 'builtin' };
  return { originMs, stepMs, horizon: MODEL_HORIZON, levels: MODEL_LEVELS, values, model };
}

/** Mean of some values, an unknown one being nothing. */
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0) / values.length;

const yesterday = ({ seasonal }: ForecastWindow) => mean(seasonal.subarray(0, 128));
const lastEight = ({ context }: ForecastWindow) => mean(context.subarray(-8));

function ask(window: ForecastWindow, toy: (window: ForecastWindow) => number | undefined) {
  const batches: number[] = [];
  const result = attribute(
    {
      window,
      step: 3,
      level: 0.9,
      forecast: async (windows) => {
        batches.push(windows.length);
        return windows.map((each) => {
          const load = toy(each);
          return load === undefined ? undefined : constant(load, each);
        });
      },
    },
    signal,
  );
  return { result, batches };
}

describe('a forecaster whose reasons are known', () => {
  test('gets them back as shares', async () => {
    const { result } = ask(windowOf(flat), (window) => 0.7 * yesterday(window) + 0.3 * lastEight(window));
    const attribution = await result;
    const shares = Object.fromEntries(attribution?.parts.map(({ name, share }) => [name, share]) ?? []);
    expect(shares['1 day ago']).toBeCloseTo(0.7, 5);
    expect(shares['last 8 steps']).toBeCloseTo(0.3, 5);
    expect(shares['9 to 32 steps ago']).toBe(0);
    expect(shares['14 days ago']).toBe(0);
    expect(attribution?.load).toBeCloseTo(100, 4);
    expect(attribution?.seasons).toBeCloseTo(70, 4);
  });

  test('is told which part raised the forecast and which lowered it', async () => {
    const { result } = ask(windowOf(flat), (window) => 2 * lastEight(window) - yesterday(window));
    const effects = Object.fromEntries((await result)?.parts.map(({ name, effect }) => [name, effect]) ?? []);
    expect(effects['last 8 steps']).toBeCloseTo(200, 4);
    expect(effects['1 day ago']).toBeCloseTo(-100, 4);
  });

  test('with two parts that say the same: each is spared, both together are not', async () => {
    const highest = ({ seasonal }: ForecastWindow) =>
      Math.max(0, ...Array.from(seasonal).filter((value) => !Number.isNaN(value)));
    const attribution = await ask(windowOf(flat), highest).result;
    expect(attribution?.parts.every(({ share }) => share === 0)).toBe(true);
    expect(attribution?.seasons).toBeCloseTo(100, 4);
  });

  test('that cannot forecast without a part says so instead of a number', async () => {
    const { result } = ask(windowOf(flat), (window) =>
      Number.isNaN(window.context.at(-1) ?? Number.NaN) ? undefined : yesterday(window),
    );
    const parts = (await result)?.parts ?? [];
    expect(parts.find(({ name }) => name === 'last 8 steps')).toMatchObject({
      effect: undefined,
      share: undefined,
    });
    expect(parts.find(({ name }) => name === '1 day ago')?.share).toBe(1);
  });

  test('reads the longer past, too, without what is hidden', async () => {
    const attribution = await ask(windowOf(flat), ({ past }) => mean(past?.(3 * 1440) ?? [])).result;
    const two = attribution?.parts.find(({ name }) => name === '2 days ago');
    expect(two?.effect).toBeCloseTo((100 * 128) / (3 * 1440), 3);
  });
});

describe('the cost', () => {
  test('is one batch of ten windows, whatever is asked', async () => {
    const { result, batches } = ask(windowOf(dailyLoad(DAYS * 1440 + 1, 1)), lastEight);
    await result;
    expect(batches).toEqual([10]);
  });

  test('is less where parts are unknown, which then had no effect', async () => {
    const young = flat.map((value, i) => (i < (DAYS - 3) * 1440 ? Number.NaN : value));
    const { result, batches } = ask(windowOf(young), lastEight);
    const parts = (await result)?.parts ?? [];
    expect(parts.find(({ name }) => name === '7 days ago')).toMatchObject({ known: 0, effect: 0, share: 0 });
    expect(batches).toEqual([8]);
  });
});

test('a window that cannot be forecast has no reasons', async () => {
  expect(await ask(windowOf(flat), () => undefined).result).toBeUndefined();
});

test('with steps of five minutes yesterday is hidden in the last 512 steps, too', async () => {
  const stepMs = 5 * MINUTE;
  const window = buildWindow('load', NOW, stepMs, (_end, _step, count) => new Float64Array(count).fill(100));
  const old = ({ context }: ForecastWindow) => context.filter((value) => Number.isNaN(value)).length;
  const attribution = await ask(window, old).result;
  const day = attribution?.parts.find(({ name }) => name === '1 day ago');
  expect(day?.effect).toBe(-128);
});
