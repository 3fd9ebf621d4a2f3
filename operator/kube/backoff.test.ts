import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { backoffDelay, retryAfterDelay } from './backoff.ts';

const options = { baseMs: 5, maxMs: 1_000_000, jitter: 0.5 };

test('doubles from the base to the maximum', () => {
  const delays = [0, 1, 2, 10, 17, 18, 1000].map((n) => backoffDelay(options, n, () => 0));
  expect(delays).toEqual([5, 10, 20, 5120, 655_360, 1_000_000, 1_000_000]);
});

test('stays within its jitter for every attempt and every draw', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, draw) => {
      const delay = backoffDelay(options, attempt, () => draw);
      const full = Math.min(5 * 2 ** attempt, 1_000_000);
      expect(delay).toBeGreaterThanOrEqual(full / 2);
      expect(delay).toBeLessThanOrEqual(full);
    }),
  );
});

test('never comes back before the time that the server asked for', () => {
  expect(retryAfterDelay(1000, () => 0)).toBe(1000);
  expect(retryAfterDelay(1000, () => 1)).toBe(1250);
});
