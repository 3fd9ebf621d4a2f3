import { describe, expect, test } from '@jest/globals';
import { array, assert, asyncProperty, double, integer } from 'fast-check';
import { FakeClock } from '../../testing/fake-clock.ts';
import { createRateLimiter } from './rate-limit.ts';

describe('the rate limit', () => {
  test('lets a burst pass, then so many a second', async () => {
    const clock = new FakeClock();
    const limiter = createRateLimiter({ perSecond: 2, burst: 3 }, clock);
    expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0]);
    expect(limiter.take('a')).toBe(500);
    await clock.advance(500);
    expect(limiter.wait('a')).toBe(0);
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBe(500);
  });

  test('counts each caller for itself', () => {
    const limiter = createRateLimiter({ perSecond: 1, burst: 1 }, new FakeClock());
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('b')).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
  });

  test('forgets who has been quiet longest, so that many addresses take no memory', () => {
    const limiter = createRateLimiter({ perSecond: 0.001, burst: 1 }, new FakeClock());
    limiter.take('first');
    for (let i = 0; i < 10_000; i++) limiter.take(`other ${i}`);
    expect(limiter.wait('first')).toBe(0);
    expect(limiter.wait('other 9999')).toBeGreaterThan(0);
  });

  test('never lets more pass than the burst and the rate allow', async () => {
    await assert(
      asyncProperty(
        double({ min: 0.1, max: 50, noNaN: true }),
        integer({ min: 1, max: 20 }),
        array(integer({ min: 0, max: 400 }), { maxLength: 40 }),
        async (perSecond, burst, pauses) => {
          const clock = new FakeClock();
          const limiter = createRateLimiter({ perSecond, burst }, clock);
          let passed = 0;
          let elapsed = 0;
          for (const pause of pauses) {
            elapsed += pause;
            // oxlint-disable-next-line no-await-in-loop -- time goes on between calls
            await clock.advance(pause);
            for (let i = 0; i < 3; i++) if (limiter.take('a') === 0) passed++;
          }
          expect(passed).toBeLessThanOrEqual(burst + (elapsed / 1_000) * perSecond + 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });
});
