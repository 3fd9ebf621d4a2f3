import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ForesailError } from '../../errors.ts';
import { createForecaster, FORECASTERS } from '../../forecast/registry.ts';
import type { EvaluationResult } from './report-types.ts';
import { rollForecasts } from './rolling.ts';
import { type Scene, sceneOf, windowAt } from './scene.ts';
import { type Contender, type ScoreOptions, scoreSeries } from './score.ts';
import { contenderOf, DAY_STEPS, forecasterOf, lastValue, madeLoad, traceOf } from './testing/fixtures.ts';

// Thousands of windows: seconds on a busy machine.
const { signal } = new AbortController();
const OPTIONS: ScoreOptions = { horizonsMs: [900_000, 3_600_000], naive: [], excludeTrained: false };

async function score(scene: Scene, contenders: readonly Contender[], options: Partial<ScoreOptions> = {}) {
  return await scoreSeries(scene, contenders, { ...OPTIONS, ...options }, signal);
}

const made = sceneOf(traceOf('made', madeLoad(16 * DAY_STEPS)));
/** Few origins: every window costs its thousand reads. */
const flatOf = (height: number) =>
  contenderOf(
    forecasterOf('flat', () => height),
    { maxOrigins: 60 },
  );
/** Six days: enough of a test part to count in. */
const six = sceneOf(traceOf('six', madeLoad(6 * DAY_STEPS)));

/** What the trainer's `evaluate.score_trace` says of the same load: mase, WQL, and per level pinball and coverage. */
const TRAINER: readonly [
  string,
  number,
  number,
  number,
  Record<string, number>,
  Record<string, number>,
  number,
][] = [
  [
    'naive-day',
    900,
    0.97794903,
    0.03591466,
    { '0.9': 2.87965243, '0.95': 1.62682839, '0.99': 0.37682839 },
    { '0.9': 0.9160029, '0.95': 0.955105, '0.99': 0.99131064 },
    0.9037037,
  ],
  [
    'naive-last',
    900,
    1.00136141,
    0.03678263,
    { '0.9': 2.94706734, '0.95': 1.68410572, '0.99': 0.40364229 },
    { '0.9': 0.9094858, '0.95': 0.95655322, '0.99': 0.98913831 },
    0.80740741,
  ],
  [
    'naive-last',
    3600,
    1.20947414,
    0.04431279,
    { '0.9': 3.53396501, '0.95': 2.02478134, '0.99': 0.47180758 },
    { '0.9': 0.90014577, '0.95': 0.95262391, '0.99': 0.99125364 },
    0.75555556,
  ],
];

test.each(TRAINER)(
  '%s at %d s is scored as the trainer scores it',
  async (model, horizon, mase, wql, pinball, coverage, top) => {
    const { results } = await score(made, [], { naive: ['naive-day', 'naive-last'] });
    const row = results.find((one) => one.model === model && one.horizonSeconds === horizon);
    expect(row?.mase).toBeCloseTo(mase, 6);
    expect(row?.wql).toBeCloseTo(wql, 6);
    for (const level of ['0.9', '0.95', '0.99']) {
      expect(row?.pinball[level]).toBeCloseTo(pinball[level] ?? Number.NaN, 4);
      expect(row?.coverage[level]).toBeCloseTo(coverage[level] ?? Number.NaN, 6);
    }
    expect(row?.coverageTopDecile['0.9']).toBeCloseTo(top, 6);
  },
);

test('the seasonal naive point is the unit of the ratios', async () => {
  const { results } = await score(made, [], { naive: ['naive-day'] });
  expect(results.map(({ relMase, n }) => [relMase, n])).toEqual([
    [1, 1383 - 2],
    [1, 1383 - 11],
  ]);
  // A band instead of the point costs less where it is to be seldom exceeded.
  expect(results[0]?.relPinball?.['0.99']).toBeLessThan(0.2);
});

test('a forecast is compared with the value at its horizon, counted from its origin', async () => {
  const values = madeLoad(6 * DAY_STEPS);
  // Knows the load three steps ahead of the origin, whose time tells its place.
  const knows = contenderOf(
    forecasterOf('knows', ({ originMs, stepMs }) => values[originMs / stepMs + 3] ?? 0),
  );
  const { results } = await score(six, [knows]);
  expect(results[0]).toMatchObject({ horizonSeconds: 900, mae: 0, r2: 1, coverage: { '0.9': 1 }, relWql: 0 });
  expect(results[1]?.mae).toBeGreaterThan(1);
});

test('imputed and unknown steps are neither seen nor scored', async () => {
  const values = madeLoad(6 * DAY_STEPS);
  const imputed = new Uint8Array(values.length);
  const at = values.length - 100;
  imputed[at] = 1;
  values[at] = 1e9;
  values[at + 1] = Number.NaN;
  const scene = sceneOf({ ...traceOf('holes', values), imputed });
  expect(windowAt(scene, at).context.at(-1)).toBeNaN();
  const { results } = await score(scene, [{ ...flatOf(200), maxOrigins: Number.POSITIVE_INFINITY }]);
  expect(results[0]?.n).toBe(519 - 2 - 2);
  expect(results[0]?.mae).toBeLessThan(200);
});

describe('what cannot be told', () => {
  test('a series shorter than a season is scored without ratios and left out', async () => {
    const { results, skipped } = await score(sceneOf(traceOf('short', madeLoad(200))), [flatOf(250)], {
      naive: ['naive-day', 'naive-last'],
    });
    const row = results.find(({ model }) => model === 'flat');
    expect(row).toMatchObject({ season: 'none', relMase: null, relWql: null, inAggregate: false, n: 58 });
    expect(row?.mase).toBeGreaterThan(0);
    expect(results.map(({ model }) => model)).toContain('naive-last');
    expect(skipped).toContainEqual({
      series: 'short',
      model: 'naive-day',
      reason: 'no two seasons in the training part',
    });
  });

  test('a constant is skipped with the reason', async () => {
    expect(await score(sceneOf(traceOf('still', Array<number>(5000).fill(3))), [flatOf(3)])).toEqual({
      results: [],
      skipped: [{ series: 'still', reason: 'constant: nothing to forecast' }],
    });
  });

  test('a forecaster that never answers is skipped with what it said; one that sometimes does is scored on that', async () => {
    const noHistory = contenderOf({
      id: 'mute',
      forecast: () => Promise.reject(new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too early')),
    });
    const moody = forecasterOf('moody', ({ originMs, stepMs }) =>
      (originMs / stepMs) % 2 === 0 ? 250 : Number.NaN,
    );
    const { results, skipped } = await score(six, [noHistory, contenderOf(moody)]);
    expect(skipped[0]).toEqual({ series: 'six', model: 'mute', horizonSeconds: 900, reason: 'too early' });
    expect(results[0]).toMatchObject({ model: 'moody', unanswered: 259, n: 259 });
  });

  test('a horizon beyond the forecaster is skipped', async () => {
    const { skipped } = await score(made, [flatOf(250)], { horizonsMs: [65 * 300_000] });
    expect(skipped).toEqual([
      { series: 'made', model: 'flat', horizonSeconds: 19_500, reason: 'no forecast 65 steps ahead' },
    ]);
  });

  test('a horizon as long as the test part has one origin, a longer one none', async () => {
    const short = sceneOf(traceOf('short', madeLoad(200)));
    const naive = ['naive-last'];
    const of = async (steps: number) => await score(short, [], { horizonsMs: [steps * 300_000], naive });
    expect((await of(60)).results).toMatchObject([{ n: 1 }]);
    expect(await of(61)).toEqual({
      results: [],
      skipped: [
        { series: 'short', horizonSeconds: 18_300, reason: 'the horizon is longer than the test part' },
      ],
    });
  });

  test('any other failure ends the run', async () => {
    const broken = contenderOf({
      id: 'broken',
      forecast: () => Promise.reject(new ForesailError('MODEL_RUN_FAILED', 'transient', 'it crashed')),
    });
    await expect(score(made, [broken])).rejects.toMatchObject({ code: 'MODEL_RUN_FAILED' });
  });
});

test('a series of the training data is marked, and left out when asked', async () => {
  const knew = { ...flatOf(250), trainedOn: (series: string) => series === 'made' };
  const one = async (excludeTrained: boolean): Promise<EvaluationResult | undefined> =>
    (await score(made, [knew], { excludeTrained })).results[0];
  expect(await one(false)).toMatchObject({ trained: true, inAggregate: true, leftOut: null });
  expect(await one(true)).toMatchObject({
    trained: true,
    inAggregate: false,
    leftOut: "named in the model's card",
  });
});

test('few origins are spread evenly, and the ratio is to seasonal naive at those same origins', async () => {
  const asNaive = forecasterOf('asNaive', ({ seasonal }) => seasonal[64 + 2] ?? 0);
  const { results } = await score(made, [contenderOf(asNaive, { maxOrigins: 100 })], {
    horizonsMs: [900_000],
  });
  expect(results[0]).toMatchObject({ stride: 14, n: 99, relMase: 1 });
});

test.each(FORECASTERS.map(({ id }) => id))('%s sees nothing after an origin', async (id) => {
  const values = madeLoad(6 * DAY_STEPS);
  const plan = { leads: [1, 12], batch: 1, calibrated: false };
  const roll = async (scene: Scene, origins: readonly number[]): Promise<readonly Float64Array[]> =>
    (await rollForecasts(scene, [createForecaster(id)], { ...plan, origins }, signal)).quantiles;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 4 * DAY_STEPS, max: 5 * DAY_STEPS }),
      fc.integer({ min: 0, max: 10_000 }),
      async (last, garbage) => {
        const origins = [last - 20, last - 10, last];
        const future = sceneOf(
          traceOf(
            'x',
            values.map((value, i) => (i > last ? garbage + i : value)),
          ),
        );
        expect(await roll(future, origins)).toEqual(await roll(sceneOf(traceOf('x', values)), origins));
      },
    ),
    { numRuns: 2 },
  );
});

test('scores before the end do not depend on what comes later', async () => {
  const asFar = async (scene: Scene): Promise<number[]> => {
    const origins = Array.from({ length: 100 }, (_, i) => 400 + i);
    const plan = { origins, leads: [3], batch: 64, calibrated: true };
    const { calibrated } = await rollForecasts(scene, [forecasterOf('last', lastValue, 10)], plan, signal);
    return [...(calibrated?.[0] ?? [])];
  };
  const changed = madeLoad(6 * DAY_STEPS).map((value, i) => (i > 499 ? 9999 : value));
  expect(await asFar(sceneOf(traceOf('x', changed)))).toEqual(await asFar(six));
});

test("the operator's calibration brings a band that is too narrow to the asked coverage", async () => {
  const narrow = contenderOf(
    forecasterOf('narrow', () => 290, 1),
    { calibrated: true },
  );
  const { results } = await score(six, [narrow], { horizonsMs: [900_000] });
  const [own, calibrated] = results;
  expect([own?.model, calibrated?.model]).toEqual(['narrow', 'narrow+calibrated']);
  expect(own?.coverage['0.9']).toBeLessThan(0.7);
  for (const level of [0.9, 0.95, 0.99]) {
    expect(Math.abs((calibrated?.coverage[String(level)] ?? 0) - level)).toBeLessThan(0.03);
  }
  expect(calibrated?.mae).toBe(own?.mae);
});

describe('a contest, held as the operator holds it', () => {
  const three = sceneOf(traceOf('three', madeLoad(3 * DAY_STEPS)));
  const last = forecasterOf('last', lastValue, 40);
  const blind = forecasterOf('blind', () => 900, 1);
  const mute = {
    id: 'mute',
    forecast: () => Promise.reject(new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too early')),
  };
  const asked = { horizonsMs: [900_000] };
  const contestOf = (...members: ReturnType<typeof forecasterOf>[]): Contender => ({
    ...contenderOf(last, { calibrated: true }),
    model: 'contest',
    open: () => members,
  });

  test.each([
    ['the preferred one while it is the best', [last, blind]],
    ['the one that has earned the lead before the first origin', [blind, last]],
    ['the next in line where the leader cannot', [mute, last]],
  ])('is scored by %s', async (_, members) => {
    const { results } = await score(
      three,
      [contestOf(...members), contenderOf(last, { calibrated: true })],
      asked,
    );
    const [contest, band, alone, alonesBand] = results;
    expect(results.map(({ model }) => model)).toEqual([
      'contest',
      'contest+calibrated',
      'last',
      'last+calibrated',
    ]);
    expect({ ...contest, model: '' }).toEqual({ ...alone, model: '' });
    for (const level of ['0.9', '0.95', '0.99'])
      expect(Math.abs((band?.coverage[level] ?? 0) - (alonesBand?.coverage[level] ?? 1))).toBeLessThan(0.02);
  });

  test('nobody has anything to say', async () => {
    const { skipped } = await score(three, [contestOf(mute, mute)], asked);
    expect(skipped).toEqual([
      { series: 'three', model: 'contest', horizonSeconds: 900, reason: 'too early' },
    ]);
  });
});

test('an abort ends the scoring', async () => {
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(scoreSeries(made, [flatOf(1)], OPTIONS, stop)).rejects.toThrow('enough');
});
