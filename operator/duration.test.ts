import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { formatDuration, parseDurationMs } from './duration.ts';
import { isForesailError } from './errors.ts';

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['336h', 1_209_600_000],
  ['250ms', 250],
  ['1m0.5s', 60_500],
  ['0s', 0],
  ['30m1h', 5_400_000],
])('%s is %d ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

test.each(['', '90', '-1s', '1d', '1 h', '1h ', '.5s', '1.s', 's', '1us', '1H', '9'.repeat(40) + 's'])(
  '%j is refused',
  (text) => {
    expect(() => parseDurationMs(text)).toThrow('1h30m');
  },
);

test.each([
  [90_000, '1m30s'],
  [5_400_000, '1h30m'],
  [1_209_600_000, '336h'],
  [250, '250ms'],
  [61_001, '1m1s1ms'],
  [0, '0s'],
  [0.2, '0s'],
  [-1500, '-1s500ms'],
])('%d ms is written %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('NaN is no duration', () => {
  expect(() => formatDuration(Number.NaN)).toThrow('NaN');
});

describe('properties', () => {
  test('format then parse gives the number back', () => {
    fc.assert(fc.property(fc.nat({ max: 2 ** 41 }), (ms) => parseDurationMs(formatDuration(ms)) === ms));
  });

  test('any text is read or refused with our error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.hms]{0,12}$/)), (text) => {
        try {
          expect(parseDurationMs(text)).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(isForesailError(error, 'DURATION_INVALID')).toBe(true);
        }
      }),
    );
  });
});
