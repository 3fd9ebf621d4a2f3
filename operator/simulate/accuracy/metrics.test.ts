import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  bias,
  columnOf,
  coverage,
  geometricMean,
  LEVELS,
  mape,
  meanPinball,
  missRates,
  quantileOf,
  r2,
  ratio,
  rmse,
  seasonalScale,
  told,
  WIDTH,
  wape,
  wql,
} from './metrics.ts';

const of = (...values: number[]): Float64Array => Float64Array.of(...values);

/** The point taken as every quantile. */
function flat(point: Float64Array): Float64Array {
  return Float64Array.from(
    { length: point.length * WIDTH },
    (_, i) => point[Math.floor(i / WIDTH)] ?? Number.NaN,
  );
}

describe('by hand', () => {
  const y = of(10, 20, 0, 30);
  const point = of(12, 16, 3, 30);

  test('point measures', () => {
    expect(wape(y, point)).toBeCloseTo(9 / 60);
    expect(rmse(y, point)).toBeCloseTo(Math.sqrt((4 + 16 + 9 + 0) / 4));
    // The zero is left out: |2|/10 and |4|/20 and 0.
    expect(mape(y, point)).toBeCloseTo(0.4 / 3);
    expect(mape(of(0), of(1))).toBeNaN();
    // Squares around 15: 25 + 25 + 225 + 225.
    expect(r2(y, point)).toBeCloseTo(1 - 29 / 500);
    expect(r2(of(5, 5), of(5, 6))).toBeNaN();
    expect(bias(y, point)).toBeCloseTo((2 - 4 + 3) / 60);
    expect(missRates(y, point)).toEqual({ under: 0.25, over: 0.5 });
  });

  test('pinball charges what the level says', () => {
    expect(meanPinball(of(10), of(4), 0.9)).toBeCloseTo(0.9 * 6);
    expect(meanPinball(of(4), of(10), 0.9)).toBeCloseTo(0.1 * 6);
    expect(meanPinball(of(10, 4), of(4, 10), 0.5)).toBeCloseTo(3);
  });

  test('coverage counts what is at or below, among those asked about', () => {
    expect(coverage(y, point)).toBe(0.75);
    expect(coverage(y, point, (value) => value >= 20)).toBe(0.5);
    expect(coverage(y, point, () => false)).toBeNaN();
  });

  test('the scale of MASE leaves unknown pairs out', () => {
    expect(seasonalScale(of(1, 2, 4, 8), 2)).toBeCloseTo((3 + 6) / 2);
    expect(seasonalScale(of(1, Number.NaN, 4, 8), 2)).toBeCloseTo(3);
    expect(seasonalScale(of(1, 2), 2)).toBeNaN();
  });

  test('quantiles are linear between order statistics', () => {
    expect(quantileOf(of(4, 1, 3, 2), 0.5)).toBe(2.5);
    expect(quantileOf(of(0, Number.NaN, 10), 0.9)).toBeCloseTo(9);
    expect(quantileOf(of(), 0.9)).toBeNaN();
  });

  test('geometric means take positive finite ratios', () => {
    expect(geometricMean([0.5, 2, null, 0, Number.POSITIVE_INFINITY])).toBeCloseTo(1);
    expect(geometricMean([null])).toBeNaN();
  });

  test('division by zero: nothing by nothing is perfect, all else cannot be told', () => {
    expect(ratio(0, 0)).toBe(0);
    expect(told(ratio(1, 0))).toBeNull();
    expect(told(Number.NaN)).toBeNull();
  });
});

test('a column of the matrix is one level of every row', () => {
  const matrix = Float64Array.from({ length: 2 * WIDTH }, (_, i) => i);
  expect([...columnOf(matrix, 0.9)]).toEqual([LEVELS.indexOf(0.9), WIDTH + LEVELS.indexOf(0.9)]);
});

const loads = fc.array(
  fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true })),
  {
    minLength: 1,
    maxLength: 30,
  },
);

test('the WQL of a point is its WAPE, and both do not change with the unit', () => {
  fc.assert(
    fc.property(loads, fc.double({ min: 0.1, max: 1000, noNaN: true }), (pairs, unit) => {
      const y = Float64Array.from(pairs, ([value]) => value + 1);
      const point = Float64Array.from(pairs, ([, forecast]) => forecast);
      const once = wql(y, flat(point));
      expect(once).toBeCloseTo(wape(y, point), 9);
      const scaled = wql(
        y.map((value) => value * unit),
        flat(point.map((value) => value * unit)),
      );
      expect(Math.abs(scaled - once)).toBeLessThanOrEqual(1e-9 * Math.max(once, 1));
    }),
  );
});

test('no constant has a lower pinball loss than the empirical quantile', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 100 }),
      fc.constantFrom(0.1, 0.5, 0.9, 0.99),
      (values, other, level) => {
        const y = Float64Array.from(values);
        const best = y.toSorted()[Math.ceil(level * y.length) - 1] ?? 0;
        const loss = (q: number): number => meanPinball(y, y.slice().fill(q), level);
        expect(loss(best)).toBeLessThanOrEqual(loss(other) + 1e-9);
      },
    ),
  );
});
