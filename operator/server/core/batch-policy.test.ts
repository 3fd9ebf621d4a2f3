import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { batchLimit, predictAnswer } from './batch-policy.ts';
import { predict } from './latency-line.ts';

const line = { a: 1, b: 0.5 };

describe('the size of a batch', () => {
  test.each([
    ['without a target: the most', undefined, 64],
    ['two runs fit into 18 ms: 2 * (1 + 0.5 * 16) = 18', 18, 16],
    ['a target below one row still runs one', 0.1, 1],
    ['never above the most', 1e6, 64],
  ])('%s', (_, target, limit) => {
    expect(batchLimit(line, target, 64)).toBe(limit);
  });

  test('a line that knows nothing limits nothing', () => {
    expect(batchLimit(undefined, 10, 64)).toBe(64);
  });

  test('two runs of the chosen size fit into the target whenever two runs of one row do', () => {
    const positive = fc.double({ min: 1e-3, max: 50, noNaN: true });
    fc.assert(
      fc.property(positive, positive, positive, (a, b, target) => {
        const rows = batchLimit({ a, b }, target, 64);
        if (2 * predict({ a, b }, 1) <= target) {
          expect(2 * predict({ a, b }, rows)).toBeLessThanOrEqual(target + 3e-6 * b);
        } else {
          expect(rows).toBe(1);
        }
      }),
    );
  });
});

describe('the predicted answer', () => {
  const idle = { rowsAhead: 0, rows: 1, freeInMs: [0], batchLimit: 8, usualRows: 0 };

  test.each([
    ['alone: one run of one row', idle, 1.5],
    ['alone, however full the latest run was', { ...idle, usualRows: 8 }, 1.5],
    ['the run under way comes first', { ...idle, freeInMs: [3] }, 4.5],
    ['the next run will be as full as the latest', { ...idle, freeInMs: [3], usualRows: 8 }, 3 + 5],
    ['shares a run with those ahead', { ...idle, rowsAhead: 3 }, 3],
    ['waits for full runs ahead, and its own will be full', { ...idle, rowsAhead: 17 }, 2 * 5 + 5],
    ['a second child takes every other run', { ...idle, rowsAhead: 17, freeInMs: [0, 4] }, 5 + 5],
    ['the run ahead takes the child that is free first', { ...idle, rowsAhead: 9, freeInMs: [4, 1] }, 4 + 5],
    ['a request larger than a batch runs whole', { ...idle, rows: 20 }, 11],
  ])('%s', (_, backlog, ms) => {
    expect(predictAnswer(line, backlog)).toBeCloseTo(ms);
  });

  test('grows with every full run ahead', () => {
    const free = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.nat(1000), free, (rowsAhead, freeInMs) => {
        const now = predictAnswer(line, { ...idle, rowsAhead, freeInMs });
        const later = predictAnswer(line, { ...idle, rowsAhead: rowsAhead + 8 * freeInMs.length, freeInMs });
        expect(later).toBeGreaterThan(now);
      }),
    );
  });
});
