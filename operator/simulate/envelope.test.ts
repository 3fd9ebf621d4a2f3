import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { costAt, loosest, lowerEnvelope, type SweepPoint } from './envelope.ts';

const STEPS = 100_000;

function points(...rows: [tauU: number, replicaHours: number][]): SweepPoint[] {
  return rows.map(([tauU, replicaHours], i) => ({ parameter: i, tauU, replicaHours }));
}

describe('the lower envelope', () => {
  test('drops runs that cost more and are short at least as long', () => {
    const { points: kept } = lowerEnvelope(
      points([1, 80], [0.1, 100], [0.5, 120], [0.1, 101], [2, 80]),
      STEPS,
    );
    expect(kept.map(({ tauU, replicaHours }) => [tauU, replicaHours])).toEqual([
      [0.1, 100],
      [1, 80],
    ]);
  });

  test('refuses a sweep without runs and a run without a number, naming its setting', () => {
    expect(() => lowerEnvelope([], STEPS)).toThrow('one run');
    expect(() => lowerEnvelope([{ parameter: 0.7, tauU: Number.NaN, replicaHours: 1 }], STEPS)).toThrow(
      '0.7',
    );
  });

  test('is no dearer than any run that keeps the promise, and never rises', () => {
    const run = fc.record({
      parameter: fc.constant(0.5),
      tauU: fc.double({ min: 0, max: 100, noNaN: true }),
      replicaHours: fc.double({ min: 1, max: 1000, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 20 }), (runs) => {
        const envelope = lowerEnvelope(runs, STEPS);
        for (const { tauU, replicaHours } of runs) {
          const cost = costAt(envelope, tauU);
          expect(cost).not.toBeNull();
          expect(cost).toBeLessThanOrEqual(replicaHours);
        }
        const costs = [0, 0.01, 0.1, 1, 10, 100].map((tauU) => costAt(envelope, tauU) ?? Infinity);
        for (const [i, cost] of costs.entries())
          if (i > 0) expect(cost).toBeLessThanOrEqual((costs[i - 1] ?? 0) + 1e-9);
      }),
    );
  });
});

describe('what a tau_U costs', () => {
  test('is a straight line in log tau_U', () => {
    const envelope = lowerEnvelope(points([0.1, 100], [10, 60]), STEPS);
    expect(costAt(envelope, 1)).toBeCloseTo(80, 10);
    expect(costAt(envelope, 0.1)).toBe(100);
    expect(costAt(envelope, 10)).toBeCloseTo(60, 10);
  });

  test('is null where no setting is that tight, and the cheapest run where the sweep ended before', () => {
    const envelope = lowerEnvelope(points([0.2, 100], [0.9, 70]), STEPS);
    expect(costAt(envelope, 0.1)).toBeNull();
    expect(costAt(envelope, 5)).toBe(70);
    expect(loosest(envelope)).toBe(0.9);
  });

  test('puts a tau_U of 0 at half a step', () => {
    const envelope = lowerEnvelope(points([0, 100], [0.5, 60]), 10_000);
    expect(costAt(envelope, 0)).toBe(100);
    // Half a step of 10,000 is 0.005 %; 0.05 % stands in the middle to 0.5 % in logarithms.
    expect(costAt(envelope, 0.05)).toBeCloseTo(80, 10);
    expect(costAt(envelope, 0.004)).toBe(100);
  });

  test('with one run alone is that run or nothing', () => {
    const envelope = lowerEnvelope(points([0.3, 50]), STEPS);
    expect([0.1, 0.3, 1].map((tauU) => costAt(envelope, tauU))).toEqual([null, 50, 50]);
  });
});
