import { describe, expect, test } from '@jest/globals';
import { quantile, ratio, short } from './numbers.ts';

describe('quantile', () => {
  test('is a value that was measured, never one between two', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(quantile([4, 1, 3, 2], 0.51)).toBe(3);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([1, 2], 1)).toBe(2);
  });
  test('of nothing is not a number', () => expect(quantile([], 0.5)).toBeNaN());
});

test('a ratio to nothing says nothing', () => {
  expect(ratio(3, 2)).toBe('1.50');
  expect(ratio(0, 0)).toBe('1.00');
  expect(ratio(1, 0)).toBe('n/a');
  expect(ratio(Number.NaN, 1)).toBe('n/a');
});

test('numbers are short and never exponential', () => {
  expect([0, 0.0123, 4.04, 25.66, 12_345.6, Number.NaN].map(short)).toEqual([
    '0',
    '0.012',
    '4.0',
    '25.7',
    '12,346',
    'n/a',
  ]);
});
