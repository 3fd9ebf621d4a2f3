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
          expect(2 * predict({ a, b }, rows)).toBeLessThanOrEqual(target * (1 + 1e-9));
        } else {
          expect(rows).toBe(1);
        }
      }),
    );
  });
});

describe('the predicted answer', () => {
  const idle = { rowsAhead: 0, rows: 1, runners: 1, freeInMs: 0, batchLimit: 8 };

  test.each([
    ['alone: one run of one row', idle, 1.5],
    ['the run under way comes first', { ...idle, freeInMs: 3 }, 4.5],
    ['shares a run with those ahead', { ...idle, rowsAhead: 3 }, 3],
    ['waits for full runs ahead', { ...idle, rowsAhead: 17 }, 2 * 5 + 2],
    ['two children halve the wait', { ...idle, rowsAhead: 17, runners: 2 }, 5 + 2],
    ['a request larger than a batch runs whole', { ...idle, rows: 20 }, 11],
  ])('%s', (_, backlog, ms) => {
    expect(predictAnswer(line, backlog)).toBeCloseTo(ms);
  });

  test('never gets shorter with more rows ahead of a full run', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 4 }), (rowsAhead, runners) => {
        const now = predictAnswer(line, { ...idle, rowsAhead, runners });
        const later = predictAnswer(line, { ...idle, rowsAhead: rowsAhead + 8 * runners, runners });
        expect(later).toBeGreaterThan(now);
      }),
    );
  });
});
