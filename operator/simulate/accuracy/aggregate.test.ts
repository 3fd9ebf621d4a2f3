import { expect, test } from '@jest/globals';
import { aggregateOf } from './aggregate.ts';
import type { EvaluationResult } from './report-types.ts';

function result(
  series: string,
  relWql: number | null,
  covered: number,
  more: Partial<EvaluationResult> = {},
): EvaluationResult {
  const levels = { '0.9': covered, '0.95': 0.95, '0.99': 0.99 };
  return {
    series,
    model: 'm',
    horizonSeconds: 900,
    stepSeconds: 60,
    days: 20,
    n: 100,
    stride: 1,
    unanswered: 0,
    season: 'day',
    mase: 1,
    wql: 0.1,
    relMase: relWql,
    relWql,
    wape: 0.2,
    bias: 0,
    mae: 1,
    rmse: 1,
    mape: null,
    r2: null,
    underRate: 0.5,
    overRate: 0.5,
    pinball: levels,
    relPinball: { '0.9': relWql, '0.95': null, '0.99': 1 },
    coverage: levels,
    coverageTopDecile: { '0.9': series === 'a' ? 0.5 : null, '0.95': 0.6, '0.99': 0.7 },
    trained: false,
    inAggregate: true,
    leftOut: null,
    ...more,
  };
}

test('ratios are averaged geometrically, coverages plainly, misses by their size; the worst series is named', () => {
  const [row, ...rest] = aggregateOf([result('a', 0.5, 0.85), result('b', 2, 0.95)]);
  expect(rest).toEqual([]);
  expect(row).toMatchObject({
    model: 'm',
    horizonSeconds: 900,
    series: 2,
    worstSeries: 'b',
    worstRelWql: 2,
    betterThanNaive: 1,
    coverageTopDecile: { '0.9': 0.5, '0.95': 0.6 },
  });
  expect(row?.relWql).toBeCloseTo(1);
  expect(row?.relMase).toBeCloseTo(1);
  expect(row?.relPinball).toEqual({ '0.9': expect.closeTo(1), '0.95': null, '0.99': 1 });
  expect(row?.coverage['0.9']).toBeCloseTo(0.9);
  expect(row?.coverageError['0.9']).toBeCloseTo(0.05);
  expect(row?.coverageError['0.99']).toBeCloseTo(0);
  expect(row?.worstCoverage['0.9']?.series).toMatch(/^[ab]$/);
});

test('the series whose coverage misses most is named with what it realised', () => {
  const [row] = aggregateOf([result('a', 1, 0.8), result('b', 1, 0.98)]);
  expect(row?.worstCoverage['0.9']).toEqual({ series: 'a', realised: 0.8 });
});

test('what is left out counts nowhere; models and horizons stay apart, in order of horizon', () => {
  const rows = aggregateOf([
    result('a', 0.5, 0.9, { horizonSeconds: 3600 }),
    result('a', 0.5, 0.9),
    result('a', 0.5, 0.9, { model: 'other' }),
    result('b', 100, 0, { inAggregate: false, leftOut: 'short' }),
  ]);
  expect(rows.map(({ model, horizonSeconds, series }) => [model, horizonSeconds, series])).toEqual([
    ['m', 900, 1],
    ['other', 900, 1],
    ['m', 3600, 1],
  ]);
});

test('none of it is made up when there is nothing', () => {
  expect(aggregateOf([])).toEqual([]);
  expect(aggregateOf([result('a', null, 0.9)])[0]).toMatchObject({
    relWql: null,
    worstSeries: null,
    betterThanNaive: 0,
  });
});
