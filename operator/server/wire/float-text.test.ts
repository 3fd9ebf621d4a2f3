import { expect, test } from '@jest/globals';
import { array, assert, double, integer, property } from 'fast-check';
import { floatsText } from './float-text.ts';

const text = (...values: number[]) => floatsText(Float32Array.from(values));

test.each([
  [[0, 1, -1, 10, 100.5], '[0,1,-1,10,100.5]'],
  [[0.1, 0.05, 0.000_123, -0.5], '[0.1,0.05,0.000123,-0.5]'],
  [[123.456, 16_777_216, 999_999_936], '[123.456,16777216,999999936]'],
  [[Number.NaN, 2], '[null,2]'],
  [[], '[]'],
])('%j', (values, written) => expect(text(...values)).toBe(written));

test('infinity has no text', () => expect(text(1, Number.POSITIVE_INFINITY)).toBeUndefined());

test('is at most nine digits long where the language writes up to seventeen', () =>
  expect(text(0.3)).toBe('[0.3]'));

test('is the same float32 again', () => {
  const bits = integer({ min: 0, max: 0xffffffff });
  assert(
    property(array(bits, { minLength: 1, maxLength: 50 }), (words) => {
      const values = new Float32Array(Uint32Array.from(words).buffer).filter((value) =>
        Number.isFinite(value),
      );
      const read = JSON.parse(String(floatsText(values))) as number[];
      // Minus zero is written as zero.
      expect(Float32Array.from(read)).toEqual(values.map((value) => (value === 0 ? 0 : value)));
    }),
    { numRuns: 2000 },
  );
});

test('is the same float32 again in the range of usual numbers', () => {
  assert(
    property(double({ min: 1e-7, max: 1e10, noNaN: true }), (value) => {
      const single = Math.fround(value);
      const [positive, negative] = JSON.parse(text(single, -single) ?? '') as [number, number];
      expect(Math.fround(positive)).toBe(single);
      expect(negative).toBe(-positive);
    }),
    { numRuns: 5000 },
  );
});
