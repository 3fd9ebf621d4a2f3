import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { faultOf } from './guard.ts';
import { forecastQuantile } from './quantiles.ts';
import { createForecaster, FORECASTERS } from './registry.ts';
import { seasonShape, shapeAt } from './season-shape.ts';
import { gaussian, readerOf, seeded } from './testing/series.ts';
import { trendFourier } from './trend-fourier.ts';
import type { Forecaster, QuantileForecast } from './types.ts';
import { buildWindow } from './window.ts';

const STEP = 300_000;
const DAY = 288;
const HORIZON = 64;
const { signal } = new AbortController();
const fresh = (id: string): Forecaster => createForecaster(id, { fitsPerStep: Number.POSITIVE_INFINITY });
const windowAt = (values: ArrayLike<number>, t: number) => buildWindow('k', t * STEP, STEP, readerOf(values));

async function at(forecaster: Forecaster, values: ArrayLike<number>, t: number): Promise<QuantileForecast> {
  const [forecast] = await forecaster.forecast([windowAt(values, t)], signal);
  if (forecast === undefined) throw new Error('no forecast');
  return forecast;
}

/** Mean absolute error of the median over the steps ahead and over origins that lie apart. */
async function errorOf(forecaster: Forecaster, values: Float64Array, from: number): Promise<number> {
  let sum = 0;
  let count = 0;
  for (let t = from; t < values.length - HORIZON; t += 37) {
    // oxlint-disable-next-line no-await-in-loop -- in order of time
    const forecast = await at(forecaster, values, t);
    for (let h = 1; h <= HORIZON; h += 7) {
      sum += Math.abs(forecastQuantile(forecast, h - 1, 0.5) - (values[t + h] ?? 0));
      count++;
    }
  }
  return sum / count;
}

const wave = (i: number): number =>
  50 * Math.sin((2 * Math.PI * i) / DAY) + 20 * Math.cos((4 * Math.PI * i) / DAY);
const generated = (length: number, make: (i: number, noise: () => number) => number): Float64Array => {
  const noise = gaussian(seeded(17));
  return Float64Array.from({ length }, (_, i) => make(i, noise));
};
const daily = generated(16 * DAY, (i, noise) => 200 + wave(i) + 3 * noise());
const FITTED = ['ridge', 'holt-winters', 'theta', 'arima', 'trend-fourier', 'seasonal-profile'];

describe.each(FITTED)('%s', (id) => {
  test('finds a day in noise: off by little more than the noise itself', async () => {
    // The mean of |noise| is 2.4; half an hour of profile is as coarse as it is.
    expect(await errorOf(fresh(id), daily, 14 * DAY)).toBeLessThan(4.5);
  });

  test('has bands that hold about as often as they say', async () => {
    const forecaster = fresh(id);
    let inside = 0;
    let total = 0;
    for (let t = 14 * DAY; t < daily.length - HORIZON; t += 3) {
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      const forecast = await at(forecaster, daily, t);
      for (const h of [3, 12, 48]) {
        total++;
        const value = daily[t + h] ?? 0;
        if (
          value >= forecastQuantile(forecast, h - 1, 0.1) &&
          value <= forecastQuantile(forecast, h - 1, 0.9)
        )
          inside++;
      }
    }
    expect(inside / total).toBeGreaterThan(0.7);
    expect(inside / total).toBeLessThan(0.95);
  });

  test('says the same however it came to know the past', async () => {
    const stepwise = fresh(id);
    for (let t = 14 * DAY; t < 14 * DAY + 20; t++) {
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      await at(stepwise, daily, t);
    }
    const leaping = fresh(id);
    await at(leaping, daily, 14 * DAY);
    const [one, other] = [await at(stepwise, daily, 14 * DAY + 20), await at(leaping, daily, 14 * DAY + 20)];
    expect(one.values).toEqual(other.values);
    // A second look at the same step changes nothing; going back in time begins anew.
    expect((await at(stepwise, daily, 14 * DAY + 20)).values).toEqual(one.values);
    expect(faultOf(await at(stepwise, daily, 14 * DAY), windowAt(daily, 14 * DAY))).toBeUndefined();
  });
});

describe.each(FORECASTERS.map(({ id }) => id))('%s on loads that are hard to bear', (id) => {
  const cases: readonly (readonly [string, Float64Array])[] = [
    ['constant', generated(15 * DAY, () => 42)],
    ['all zero', generated(15 * DAY, () => 0)],
    ['two hours old', generated(24, (i) => 10 + i)],
    ['half a day old', generated(DAY / 2, (_, noise) => 10 + noise())],
    ['a day and a half old', generated(1.5 * DAY, (i, noise) => 200 + wave(i) + noise())],
    ['full of gaps', generated(15 * DAY, (i, noise) => (noise() > 0.5 ? Number.NaN : 200 + wave(i)))],
    ['known again after a day', daily.map((value, i) => (i > 14 * DAY && i < 15 * DAY ? Number.NaN : value))],
    ['unknown just now', daily.map((value, i) => (i > daily.length - 4 ? Number.NaN : value))],
    ['a lone spike', daily.map((value, i) => (i === 15 * DAY ? 1e6 : value))],
    ['huge', daily.map((value) => value * 1e12)],
    ['tiny', daily.map((value) => value * 1e-9)],
    ['on and off', generated(15 * DAY, (i) => (i % 50 === 0 ? 1000 : 0))],
  ];
  test.each(cases)('%s: a sound forecast, or none for want of history', async (_, values) => {
    await soundOrNone(fresh(id), values, values.length - 1);
  });

  test('whatever comes', async () => {
    const value = fc.oneof(
      fc.constantFrom(Number.NaN, 0, 1),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.integer({ min: 0, max: 100 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        async (some, times) => {
          const values = Float64Array.from(
            { length: some.length * times * 5 },
            (_, i) => some[i % some.length] ?? 0,
          );
          const forecaster = fresh(id);
          await soundOrNone(forecaster, values, values.length - 8);
          await soundOrNone(forecaster, values, values.length - 1);
        },
      ),
      { numRuns: 10 },
    );
  });
});

async function soundOrNone(forecaster: Forecaster, values: Float64Array, t: number): Promise<void> {
  const forecast = await at(forecaster, values, t).catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'FORECAST_NO_HISTORY' });
  });
  if (forecast === undefined) return;
  expect(faultOf(forecast, windowAt(values, t))).toBeUndefined();
  // Nothing here is below zero, so no forecast is.
  expect(Math.min(...forecast.values)).toBeGreaterThanOrEqual(0);
}

test('theta goes on with half the slope of a load that grows', async () => {
  const growing = generated(6 * DAY, (i, noise) => 100 + 0.5 * i + 0.5 * noise());
  const forecast = await at(fresh('theta'), growing, growing.length - 1);
  const rise = forecastQuantile(forecast, 63, 0.5) - forecastQuantile(forecast, 0, 0.5);
  expect(rise / (63 * 0.5)).toBeGreaterThan(0.4);
  expect(rise / (63 * 0.5)).toBeLessThan(0.6);
});

test('holt-winters damps the trend it has seen', async () => {
  const growing = generated(6 * DAY, (i, noise) => 100 + 2 * i + 0.2 * noise());
  const forecast = await at(fresh('holt-winters'), growing, growing.length - 1);
  const last = growing.at(-1) ?? 0;
  expect(forecastQuantile(forecast, 15, 0.5) - last).toBeGreaterThan(10);
  expect(forecastQuantile(forecast, 63, 0.5) - last).toBeLessThan(2 * 64 * 1.2);
});

test('arima returns to the mean as fast as the process does', async () => {
  const PHI = 0.9;
  let x = 0;
  const process = generated(4000, (_, noise) => {
    x = PHI * x + 5 * noise();
    return 500 + x;
  });
  // An origin far from the mean, where a return can be seen.
  let t = process.length - 1;
  while (Math.abs((process[t] ?? 0) - 500) < 20) t--;
  const forecast = await at(fresh('arima'), process, t);
  for (const h of [1, 5, 10, 40]) {
    const expected = 500 + PHI ** h * ((process[t] ?? 0) - 500);
    expect(Math.abs(forecastQuantile(forecast, h - 1, 0.5) - expected)).toBeLessThan(4);
  }
});

test('a walk stays where it is under arima', async () => {
  let x = 1000;
  const walk = generated(3000, (_, noise) => (x += noise()));
  const forecast = await at(fresh('arima'), walk, walk.length - 1);
  expect(Math.abs(forecastQuantile(forecast, 63, 0.5) - (walk.at(-1) ?? 0))).toBeLessThan(4);
});

test('the regression learns the lift of a holiday that was named', async () => {
  const start = Date.UTC(2026, 0, 5) / STEP;
  const holidays = new Set([6, 13, 20]);
  const values = generated(
    21 * DAY,
    (i, noise) => 300 + wave(i) + (holidays.has(Math.floor(i / DAY)) ? 200 : 0) + noise(),
  );
  const dates = [...holidays].map((day) => new Date(Date.UTC(2026, 0, 5 + day)).toISOString().slice(0, 10));
  const reader = (endMs: number, stepMs: number, count: number) =>
    readerOf(values)(endMs - start * STEP, stepMs, count);
  // Two hours before the third holiday, so that its first hours lie ahead.
  const window = buildWindow('k', (start + 20 * DAY - 24) * STEP, STEP, reader);
  const median = async (named: readonly string[]): Promise<number> => {
    const [forecast] = await trendFourier({ holidays: named }).forecast([window], signal);
    return forecast === undefined ? Number.NaN : forecastQuantile(forecast, 50, 0.5);
  };
  const truth = values[20 * DAY + 27] ?? 0;
  expect(Math.abs((await median(dates)) - truth)).toBeLessThan(40);
  expect(truth - (await median([]))).toBeGreaterThan(100);
});

describe('the shape of a day', () => {
  test('is what the time adds, and nothing where there is no rhythm', () => {
    const shape = seasonShape(daily, (daily.length - 1) * STEP, STEP);
    expect(shape.strength).toBeGreaterThan(0.9);
    for (const i of [0, 40, 130, 250]) expect(Math.abs(shapeAt(shape, i * STEP) - wave(i))).toBeLessThan(5);
    const noise = generated(15 * DAY, (_, random) => 200 + 30 * random());
    const none = seasonShape(noise, (noise.length - 1) * STEP, STEP);
    expect(Math.max(...none.weekday)).toBeLessThan(4);
  });

  test('tells weekends apart', () => {
    // 1970-01-01 was a Thursday.
    const working = generated(21 * DAY, (i) => {
      const weekday = (Math.floor(i / DAY) + 4) % 7;
      return 200 + (weekday === 0 || weekday === 6 ? 0.2 : 1) * wave(i);
    });
    const shape = seasonShape(working, (working.length - 1) * STEP, STEP);
    const noon = DAY / 4;
    expect(shapeAt(shape, (2 * DAY + noon) * STEP)).toBeLessThan(0.5 * shapeAt(shape, noon * STEP));
  });

  test('does not pretend to know a day from an hour', () => {
    expect(seasonShape(daily.subarray(0, 12), 11 * STEP, STEP).strength).toBe(0);
  });
});

test('arima bears a third of the values missing', async () => {
  const gappy = generated(15 * DAY, (i, noise) => (noise() > 0.5 ? Number.NaN : 200 + wave(i) + noise()));
  const forecast = await at(fresh('arima'), gappy, gappy.length - 1);
  expect(Math.abs(forecastQuantile(forecast, 11, 0.5) - 200 - wave(gappy.length + 11))).toBeLessThan(10);
});

test('an unknown id is refused with the ids that there are', () => {
  expect(() => createForecaster('prophet')).toThrow(/no forecaster is called prophet; there are .*ridge/);
});
