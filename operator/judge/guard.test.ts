import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '../simulate/generated.ts';
import { RateGuard } from './guard.ts';

const INTERVALS = 200;

function intervals(stableRate: number, canaryRate: number, seed: number): RateGuard {
  const random = seededRandom(seed);
  const failures = (requests: number, rate: number): number =>
    Array.from({ length: requests }, random).filter((u) => u < rate).length;
  const guard = new RateGuard();
  for (let i = 0; i < INTERVALS; i++)
    guard.take(
      { requests: 90, failures: failures(90, stableRate) },
      { requests: 10, failures: failures(10, canaryRate) },
    );
  return guard;
}

describe('the guard of a rate', () => {
  test('leaves a canary alone that fails as often', () => {
    const breached = Array.from({ length: 40 }, (_, i) => intervals(0.02, 0.02, i + 1)).filter(
      (g) => g.breached,
    );
    expect(breached.length).toBeLessThanOrEqual(2);
  });

  test('finds one that fails four times as often', () => {
    const breached = Array.from({ length: 20 }, (_, i) => intervals(0.02, 0.08, i + 1)).filter(
      (g) => g.breached,
    );
    expect(breached.length).toBeGreaterThanOrEqual(18);
  });

  test('finds failures where stable has none', () => {
    expect(intervals(0, 0.05, 3).breached).toBe(true);
  });

  test('says nothing before both have served enough', () => {
    const guard = new RateGuard();
    guard.take({ requests: 50, failures: 0 }, { requests: 50, failures: 50 });
    expect(guard.breached).toBe(false);
    guard.take({ requests: 50, failures: 0 }, { requests: 50, failures: 0 });
    expect(guard.breached).toBe(true);
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'a count of %p is unknown, and blinds nothing',
    (odd) => {
      const guard = intervals(0, 0.05, 3);
      const fresh = new RateGuard();
      const served = { requests: 100, failures: 0 };
      fresh.take(served, { requests: 100, failures: odd });
      fresh.take({ requests: odd, failures: 0 }, served);
      expect(fresh.state).toEqual(new RateGuard().state);
      guard.take(served, { requests: 100, failures: odd });
      expect(guard.breached).toBe(true);
    },
  );

  test('an interval without requests on one side compares nothing', () => {
    const guard = new RateGuard();
    for (let i = 0; i < 100; i++) guard.take({ requests: 0, failures: 0 }, { requests: 100, failures: 100 });
    expect(guard.state.canary.requests).toBe(0);
    expect(guard.breached).toBe(false);
  });
});
