import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { normal, seededRandom } from '../simulate/generated.ts';
import { type PairedLosses, pairedRatio } from './paired-ratio.ts';
import { tQuantile95 } from './t-quantile.ts';

const cell = (series: string, own: readonly number[], other: readonly number[]): PairedLosses => ({
  series,
  own: Float64Array.from(own),
  other: Float64Array.from(other),
});
const ones = Array<number>(10).fill(1);

describe('the ratio of two forecasters', () => {
  test('is the geometric mean over series, each of the same weight', () => {
    const small = cell(
      'small',
      ones,
      ones.map((one) => 2 * one),
    );
    const large = cell(
      'large',
      ones.map((one) => 4000 * one),
      ones.map((one) => 2000 * one),
    );
    expect(pairedRatio([small, large]).ratio).toBeCloseTo(1);
    expect(pairedRatio([small]).ratio).toBeCloseTo(0.5);
  });

  test('of a forecaster to itself is 1, without any doubt', () => {
    const losses = [3, 1, 4, 1, 5, 9, 2, 6];
    expect(pairedRatio([cell('a', losses, losses), cell('b', losses, losses)])).toMatchObject({
      ratio: 1,
      lower95: 1,
      upper95: 1,
    });
  });

  test('one series cannot be more than four times better, and is worse as much as it is', () => {
    expect(
      pairedRatio([
        cell(
          'a',
          ones.map(() => 0.01),
          ones,
        ),
      ]).ratio,
    ).toBeCloseTo(0.25);
    expect(
      pairedRatio([
        cell(
          'a',
          ones.map(() => 100),
          ones,
        ),
      ]).ratio,
    ).toBeCloseTo(100);
  });

  test('of too few blocks of time is not bounded, of none is not told', () => {
    expect(pairedRatio([cell('a', [1, 1], [2, 2])]).upper95).toBeNaN();
    expect(pairedRatio([]).ratio).toBeNaN();
    expect(
      pairedRatio([
        cell(
          'a',
          ones,
          ones.map(() => 0),
        ),
      ]).ratio,
    ).toBeNaN();
  });

  test('a single block that decides makes the bound wide', () => {
    const even = pairedRatio([
      cell(
        'a',
        ones.map(() => 0.9),
        ones,
      ),
    ]);
    const one = pairedRatio([
      cell(
        'a',
        ones.map((_, i) => (i === 3 ? 0 : 1)),
        ones,
      ),
    ]);
    expect(one.ratio).toBeCloseTo(even.ratio);
    expect(even.upper95).toBeLessThan(0.91);
    expect(one.upper95).toBeGreaterThan(1);
  });

  test('the bounds hold the ratio, whatever comes', () => {
    const losses = fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 6, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(losses, losses), { minLength: 1, maxLength: 5 }), (pairs) => {
        const cells = pairs.map(([a, b], i) =>
          cell(String(i), a, b.concat(Array(12).fill(1)).slice(0, a.length)),
        );
        const { ratio, lower95, upper95 } = pairedRatio(cells);
        expect(lower95).toBeLessThanOrEqual(ratio);
        expect(upper95).toBeGreaterThanOrEqual(ratio);
      }),
    );
  });

  test.each([
    [1, 14],
    [4, 8],
    [30, 14],
  ])(
    'of two equally good ones on %i series and %i days is found better in at most one of twenty',
    (series, days) => {
      const random = seededRandom(series);
      let better = 0;
      const runs = 2000;
      for (let run = 0; run < runs; run++) {
        const shared = Array.from({ length: days }, () => 0.2 * normal(random));
        const cells = Array.from({ length: series }, (_, s) => {
          const other = shared.map(() => 1 + 0.2 * Math.abs(normal(random)));
          const own = other.map((loss, d) =>
            Math.max(loss * (1 + (shared[d] ?? 0) + 0.3 * normal(random)), 0.05),
          );
          return cell(String(s), own, other);
        });
        if (pairedRatio(cells).upper95 < 1) better++;
      }
      // The bound of a binomial share of 0.05 in 2000 runs.
      expect(better / runs).toBeLessThan(0.065);
    },
  );
});

test.each([
  [1, 6.314],
  [2, 2.92],
  [3, 2.353],
  [4, 2.132],
  [10, 1.812],
  [30, 1.697],
  [1e6, 1.645],
])("Student's t at 95 %% with %i degrees of freedom", (df, value) => {
  expect(tQuantile95(df)).toBeCloseTo(value, 2);
});
