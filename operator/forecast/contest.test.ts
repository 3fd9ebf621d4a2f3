import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ForesailError } from '../errors.ts';
import { blend } from './blend.ts';
import { Contest } from './contest.ts';
import { ensemble } from './ensemble.ts';
import { persistence } from './persistence.ts';
import { forecastQuantile } from './quantiles.ts';
import { seasonalNaive } from './seasonal-naive.ts';
import { gaussian, MINUTE, readerOf, seeded } from './testing/series.ts';
import { type Forecaster, type ForecastWindow, MODEL_LEVELS, type QuantileForecast } from './types.ts';
import { buildWindow } from './window.ts';

const { signal } = new AbortController();
const DAY = 1440;

/** Says the same whatever the window; the fault that a contest has to find. */
function constant(id: string, value: number): Forecaster {
  return {
    id,
    forecast: (windows) => Promise.resolve(windows.map((window) => flat(value, window))),
  };
}

function flat(
  value: number,
  { originMs, stepMs }: Pick<ForecastWindow, 'originMs' | 'stepMs'>,
): QuantileForecast {
  return {
    originMs,
    stepMs,
    horizon: 64,
    levels: MODEL_LEVELS,
    values: Float32Array.from(
      { length: 64 * MODEL_LEVELS.length },
      (_, i) => value + (i % MODEL_LEVELS.length),
    ),
    model: { name: 'flat', version: '1', digest: 'builtin' },
  };
}

const window = (values: ArrayLike<number>, t: number): ForecastWindow =>
  buildWindow('k', t * MINUTE, MINUTE, readerOf(values));

async function medianAt(forecaster: Forecaster, values: ArrayLike<number>, t: number, h: number) {
  const [forecast] = await forecaster.forecast([window(values, t)], signal);
  if (forecast === undefined) throw new Error('no forecast');
  return forecastQuantile(forecast, h - 1, 0.5);
}

describe('a change of level', () => {
  const noise = gaussian(seeded(5));
  const SHIFT = 3 * DAY + 200;
  // Every day alike and restless within it, so that yesterday knows best until the level changes.
  const load = Float64Array.from(
    { length: SHIFT + 120 },
    (_, i) => 100 + 40 * Math.sin((2 * Math.PI * i) / 30) + noise() + (i >= SHIFT ? 400 : 0),
  );

  test('is followed within minutes by another leader, and by the blend', async () => {
    const members = [seasonalNaive, persistence];
    const follow = ensemble('contest', members, { mode: 'follow' });
    const mixed = ensemble('ensemble', members, { mode: 'blend' });
    const off = async (forecaster: Forecaster, t: number): Promise<number> =>
      Math.abs((await medianAt(forecaster, load, t, 5)) - (load[t + 5] ?? 0));
    let before = 0;
    for (let t = 3 * DAY; t < SHIFT - 5; t++) {
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      before = Math.max(before, await off(follow, t));
      // oxlint-disable-next-line no-await-in-loop
      await off(mixed, t);
    }
    expect(before).toBeLessThan(10);
    let minutes = 0;
    for (let t = SHIFT; t < SHIFT + 60; t++) {
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      const [leading, together] = [await off(follow, t), await off(mixed, t)];
      if (leading > 100) minutes = t - SHIFT + 1;
      if (t > SHIFT + 15) expect(together).toBeLessThan(150);
    }
    expect(minutes).toBeLessThanOrEqual(8);
  });
});

describe('a bad forecaster', () => {
  test('that is preferred gives way to the best simple one and is not much worse over a day', async () => {
    const noise = gaussian(seeded(9));
    const load = Float64Array.from(
      { length: 3 * DAY },
      (_, i) => 200 + 100 * Math.sin(i / 200) + 3 * noise(),
    );
    const follow = ensemble('contest', [constant('wild', 900), persistence], { mode: 'follow' });
    let lost = 0;
    let simple = 0;
    for (let t = 600; t < 600 + DAY; t++) {
      const value = load[t + 16] ?? 0;
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      lost += Math.abs((await medianAt(follow, load, t, 16)) - value);
      // oxlint-disable-next-line no-await-in-loop
      simple += Math.abs((await medianAt(persistence, load, t, 16)) - value);
    }
    // Half an hour of being wrong by 700 before there is enough to judge by, then as good as the other.
    expect((lost - simple) / 700).toBeLessThan(60);
  });

  test('that merely wakes up now and then neither wins nor loses by its silence', () => {
    const contest = new Contest('steady', { stepMs: MINUTE });
    for (let t = 0; t < 2000; t++) {
      contest.settle(t * MINUTE, () => 100);
      contest.enter('steady', flat(103, { originMs: t * MINUTE, stepMs: MINUTE }));
      if (t % 10 === 0) contest.enter('rare', flat(103, { originMs: t * MINUTE, stepMs: MINUTE }));
    }
    expect(contest.leader).toBe('steady');
    expect(contest.weights().get('rare')).toBeGreaterThan(0.2);
  });

  test('cannot take the lead with one lucky spike', () => {
    const contest = new Contest('model', { stepMs: MINUTE });
    const at = (t: number): number => (t === 700 ? 5000 : 100);
    for (let t = 0; t < 1000; t++) {
      contest.settle(t * MINUTE, (atMs) => at(atMs / MINUTE));
      contest.enter('model', flat(95, { originMs: t * MINUTE, stepMs: MINUTE }));
      contest.enter('lucky', flat(t === 699 ? 5000 : 88, { originMs: t * MINUTE, stepMs: MINUTE }));
    }
    expect(contest.leader).toBe('model');
  });

  test('that was preferred but never spoke keeps its place, so that its absence is named', () => {
    const contest = new Contest('missing', { stepMs: MINUTE });
    for (let t = 0; t < 500; t++) {
      contest.settle(t * MINUTE, () => 100);
      contest.enter('worse', flat(150, { originMs: t * MINUTE, stepMs: MINUTE }));
      contest.enter('better', flat(101, { originMs: t * MINUTE, stepMs: MINUTE }));
    }
    expect(contest.order()).toEqual(['missing', 'better', 'worse']);
  });
});

test('weights are a distribution, whatever comes, and survive a restart', () => {
  const value = fc.double({ min: 0, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value), { minLength: 5, maxLength: 200 }), (steps) => {
      const contest = new Contest('a', { stepMs: MINUTE, patience: 8 });
      steps.forEach(([load, a, b], t) => {
        contest.settle(t * MINUTE, () => load);
        contest.enter('a', flat(a, { originMs: t * MINUTE, stepMs: MINUTE }));
        contest.enter('b', flat(b, { originMs: t * MINUTE, stepMs: MINUTE }));
      });
      const weights = [...contest.weights().values()];
      expect(weights.every((weight) => weight > 0 && weight <= 1 + 1e-9)).toBe(true);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
      const again = Contest.fromState(JSON.parse(JSON.stringify(contest.toState())), { stepMs: MINUTE });
      expect(again.leader).toBe(contest.leader);
      for (const [id, weight] of contest.weights()) expect(again.weights().get(id)).toBeCloseTo(weight, 6);
    }),
  );
});

describe('a blend', () => {
  const origin = { originMs: 0, stepMs: MINUTE };

  test('is the weighted mean of each quantile', () => {
    const mixed = blend([
      { forecast: flat(100, origin), weight: 3 },
      { forecast: flat(200, origin), weight: 1 },
    ]);
    expect(mixed && forecastQuantile(mixed, 10, 0.5)).toBeCloseTo(125 + MODEL_LEVELS.indexOf(0.5), 3);
  });

  test('keeps quantiles in order and reads levels that a part does not have', () => {
    const coarse: QuantileForecast = {
      ...flat(0, origin),
      horizon: 32,
      levels: [0.1, 0.5, 0.9],
      values: Float32Array.from({ length: 96 }, (_, i) => 10 * (i % 3)),
    };
    const mixed = blend([
      { forecast: coarse, weight: 1 },
      { forecast: flat(5, origin), weight: 1 },
    ]);
    expect(mixed?.horizon).toBe(32);
    for (let i = 1; i < MODEL_LEVELS.length; i++) {
      expect(mixed?.values[i]).toBeGreaterThanOrEqual(mixed?.values[i - 1] ?? 0);
    }
  });

  test('of nothing is nothing', () => {
    expect(blend([])).toBeUndefined();
    expect(blend([{ forecast: flat(1, origin), weight: 0 }])).toBeUndefined();
  });
});

test('an ensemble says that nobody has history, and passes on what is not about history', async () => {
  const none = ensemble('e', [seasonalNaive, persistence], { mode: 'blend' });
  const unknown = new Float64Array(600).fill(Number.NaN);
  await expect(none.forecast([window(unknown, 599)], signal)).rejects.toMatchObject({
    code: 'FORECAST_NO_HISTORY',
  });
  const broken: Forecaster = {
    id: 'broken',
    forecast: () => Promise.reject(new ForesailError('MODEL_RUN_FAILED', 'transient', 'broken')),
  };
  await expect(
    ensemble('e', [broken, persistence], { mode: 'follow' }).forecast([window(unknown, 599)], signal),
  ).rejects.toMatchObject({ code: 'MODEL_RUN_FAILED' });
});
