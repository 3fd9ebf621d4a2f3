import { expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { RateLimiter } from './rate-limit.ts';

test('a burst passes at once, then one request per 1/qps, in order', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter({ qps: 10, burst: 3 }, clock);
  const { signal } = new AbortController();
  const passed: [number, number][] = [];
  const all = [0, 1, 2, 3, 4, 5].map(async (n) => {
    await limiter.acquire(signal);
    passed.push([n, clock.monotonic()]);
  });
  await clock.advance(0); // lets the callers that need not wait go
  await clock.advance(1000);
  await Promise.all(all);
  expect(passed).toEqual([
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 100],
    [4, 200],
    [5, 300],
  ]);
});

test('tokens come back with time, but never more than the burst', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter({ qps: 10, burst: 2 }, clock);
  const { signal } = new AbortController();
  await clock.advance(3_600_000);
  expect(await limiter.acquire(signal)).toBe(0);
  expect(await limiter.acquire(signal)).toBe(0);
  const third = limiter.acquire(signal);
  await clock.advance(100);
  expect(await third).toBe(100);
});

test('a caller that gives up does not take the token with it', async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter({ qps: 1, burst: 1 }, clock);
  const abort = new AbortController();
  await limiter.acquire(abort.signal);
  const waiting = limiter.acquire(abort.signal);
  abort.abort(new Error('shutdown'));
  await expect(waiting).rejects.toThrow('shutdown');
  const next = limiter.acquire(new AbortController().signal);
  await clock.advance(1000);
  expect(await next).toBe(1000);
});
