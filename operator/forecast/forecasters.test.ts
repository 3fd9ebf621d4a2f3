import { describe, expect, test } from '@jest/globals';
import { faultOf } from './guard.ts';
import { persistence } from './persistence.ts';
import { profileAt, profilePeak, seasonalProfile } from './profile.ts';
import { forecastQuantile } from './quantiles.ts';
import { ridge } from './ridge.ts';
import { mase, pinball, weightedQuantileLoss } from './scores.ts';
import { seasonalNaive } from './seasonal-naive.ts';
import { dailyLoad, MINUTE, readerOf, seeded } from './testing/series.ts';
import type { Forecaster } from './types.ts';
import { buildWindow } from './window.ts';

const { signal } = new AbortController();
const DAYS = 15;
const END = DAYS * 1440;
const load = dailyLoad(END + 100, 11);
const one = async (forecaster: Forecaster, values: ArrayLike<number>, t: number) => {
  const [forecast] = await forecaster.forecast(
    [buildWindow('k', t * MINUTE, MINUTE, readerOf(values))],
    signal,
  );
  if (forecast === undefined) throw new Error('no forecast');
  return forecast;
};

describe.each([
  ['persistence', () => persistence],
  ['seasonal naive', () => seasonalNaive],
  ['ridge', () => ridge()],
])('%s', (_, make) => {
  test('answers sound quantiles whose bands hold about as often as they say', async () => {
    const forecaster = make();
    let inside = 0;
    let total = 0;
    for (let t = END - 1500; t < END; t += 10) {
      const window = buildWindow('k', t * MINUTE, MINUTE, readerOf(load));
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      const [forecast] = await forecaster.forecast([window], signal);
      if (forecast === undefined) throw new Error('no forecast');
      expect(faultOf(forecast, window)).toBeUndefined();
      total++;
      const value = load[t + 15] ?? 0;
      if (value >= forecastQuantile(forecast, 14, 0.1) && value <= forecastQuantile(forecast, 14, 0.9))
        inside++;
    }
    expect(inside / total).toBeGreaterThan(0.62);
    expect(inside / total).toBeLessThan(0.97);
  });

  test('stands gaps', async () => {
    const random = seeded(3);
    const gappy = load.map((value, i) => (random() < 0.1 && i !== END ? Number.NaN : value));
    const window = buildWindow('k', END * MINUTE, MINUTE, readerOf(gappy));
    const [forecast] = await make().forecast([window], signal);
    expect(forecast && faultOf(forecast, window)).toBeUndefined();
  });

  test('says that it has no history', async () => {
    await expect(one(make(), new Float64Array(600).fill(Number.NaN), 599)).rejects.toMatchObject({
      code: 'FORECAST_NO_HISTORY',
    });
  });
});

test('seasonal naive takes the week where the week fits and the day does not', async () => {
  const weekly = Float64Array.from(
    { length: END },
    (_, i) => 100 + 10 * (Math.floor(i / 1440) % 7) + (i % 3),
  );
  const forecast = await one(seasonalNaive, weekly, END - 30);
  expect(forecastQuantile(forecast, 9, 0.5)).toBeCloseTo(weekly[END - 20] ?? 0, 3);
});

test('ridge beats persistence and seasonal naive on a load with a rhythm and a memory', async () => {
  const losses = { persistence: 0, seasonal: 0, ridge: 0 };
  const regression = ridge();
  for (let t = END - 1440; t < END; t += 48) {
    const values = load.subarray(t + 1, t + 65);
    // oxlint-disable-next-line no-await-in-loop -- in order of time
    losses.persistence += weightedQuantileLoss(await one(persistence, load, t), values);
    // oxlint-disable-next-line no-await-in-loop -- in order of time
    losses.seasonal += weightedQuantileLoss(await one(seasonalNaive, load, t), values);
    // oxlint-disable-next-line no-await-in-loop -- in order of time
    losses.ridge += weightedQuantileLoss(await one(regression, load, t), values);
  }
  expect(losses.ridge).toBeLessThan(losses.persistence);
  expect(losses.ridge).toBeLessThan(losses.seasonal);
});

test('ridge fits at most a few series per step', async () => {
  const regression = ridge({ fitsPerStep: 1 });
  const windowOf = (key: string) => buildWindow(key, END * MINUTE, MINUTE, readerOf(load));
  await regression.forecast([windowOf('a')], signal);
  await expect(regression.forecast([windowOf('b')], signal)).rejects.toMatchObject({
    code: 'FORECAST_NO_HISTORY',
  });
});

describe('the profile of a day', () => {
  const profile = seasonalProfile(load.subarray(0, END), (END - 1) * MINUTE, MINUTE);

  test('is high when the load is and rises with the level', () => {
    if (profile === undefined) throw new Error('no profile');
    const at = (hour: number, level: number) => profileAt(profile, (END + hour * 60) * MINUTE, level) ?? 0;
    expect(at(6, 0.5)).toBeGreaterThan(2 * at(18, 0.5));
    expect(at(6, 0.99)).toBeGreaterThanOrEqual(at(6, 0.9));
    const window = 12 * 60 * MINUTE;
    expect(profilePeak(profile, END * MINUTE, window, 0.9)).toBeGreaterThanOrEqual(at(6, 0.9));
  });

  test('does not pretend to know a day from an hour', () => {
    expect(seasonalProfile(load.subarray(0, 60), 59 * MINUTE, MINUTE)).toBeUndefined();
  });
});

test('scores are what the literature says', () => {
  expect(pinball(0.9, 10, 12)).toBeCloseTo(1.8, 12);
  expect(pinball(0.9, 10, 8)).toBeCloseTo(0.2, 12);
  expect(mase([2, 2], [3, 1], [1, 2, 3, 4], 1)).toBe(1);
  expect(mase([2], [3], [1, 1, 1], 1)).toBeNaN();
});
