import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { empiricalQuantile, quantileAt, repairCrossing } from './quantiles.ts';
import { MODEL_LEVELS } from './types.ts';

const sorted = fc
  .array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 13, maxLength: 13 })
  .map((values) => values.sort((a, b) => a - b));

describe('a quantile at any level', () => {
  test('is exact at the given levels', () => {
    const values = MODEL_LEVELS.map((level) => level * 10);
    for (const level of MODEL_LEVELS)
      expect(quantileAt(MODEL_LEVELS, values, 0, level)).toBeCloseTo(level * 10, 12);
  });

  test('never falls when the level rises, tails included', () => {
    const level = fc.double({ min: 0.0001, max: 0.9999, noNaN: true });
    fc.assert(
      fc.property(sorted, level, level, (values, a, b) => {
        const low = quantileAt(MODEL_LEVELS, values, 0, Math.min(a, b));
        const high = quantileAt(MODEL_LEVELS, values, 0, Math.max(a, b));
        expect(high).toBeGreaterThanOrEqual(low - 1e-9 * Math.max(Math.abs(low), 1));
      }),
    );
  });

  test('follows an exponential tail exactly beyond the last level', () => {
    const exponential = MODEL_LEVELS.map((level) => -Math.log(1 - level));
    expect(quantileAt(MODEL_LEVELS, exponential, 0, 0.999)).toBeCloseTo(-Math.log(0.001), 6);
  });

  test.each([0, 1, -0.1, Number.NaN])('level %p is refused', (level) => {
    expect(() => quantileAt(MODEL_LEVELS, [], 0, level)).toThrow('level');
  });
});

test('repair sorts the rows that cross and no other', () => {
  const values = Float32Array.of(1, 2, 3, 6, 5, 4);
  expect(repairCrossing(values, 3)).toBe(1);
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
});

test('the empirical quantile lies within the sample and is NaN without one', () => {
  expect(empiricalQuantile([], 0.5)).toBeNaN();
  expect(empiricalQuantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(empiricalQuantile([1, 2, 3, 4], 0.999)).toBe(4);
});
