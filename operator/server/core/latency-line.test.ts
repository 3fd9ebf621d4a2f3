import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fitLine, LatencyFit, predict } from './latency-line.ts';

describe('the latency line', () => {
  test('finds a and b of exact data', () => {
    const rows = [1, 2, 8, 32];
    const line = fitLine(
      rows,
      rows.map((n) => 0.5 + 0.25 * n),
    );
    expect(line?.a).toBeCloseTo(0.5);
    expect(line?.b).toBeCloseTo(0.25);
  });

  test('is unknown before the first run', () => {
    expect(new LatencyFit().line).toBeUndefined();
  });

  test('runs of one size count per row', () => {
    expect(fitLine([4, 4], [2, 4])).toEqual({ a: 0, b: 0.75 });
  });

  test('runs of one size after others keep the shares and move the level', () => {
    expect(fitLine([8, 8], [12, 12], { a: 2, b: 0.5 })).toEqual({ a: 4, b: 1 });
    expect(fitLine([8], [12], { a: 0, b: 0 })).toEqual({ a: 0, b: 1.5 });
  });

  test('never promises that more rows take less time, nor less than nothing', () => {
    const run = fc.record({
      rows: fc.integer({ min: 1, max: 64 }),
      ms: fc.double({ min: 0, max: 1e4, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 60 }), (runs) => {
        const line = fitLine(
          runs.map((one) => one.rows),
          runs.map((one) => one.ms),
        );
        expect(line?.a).toBeGreaterThanOrEqual(0);
        expect(line?.b).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('forgets: after as many new runs as it holds, only those count', () => {
    const fit = new LatencyFit(10);
    for (let i = 0; i < 10; i++) fit.observe(1 + (i % 3), 100);
    for (let i = 0; i < 10; i++) fit.observe(1 + (i % 3), 1);
    expect(predict(fit.line ?? { a: Number.NaN, b: 0 }, 2)).toBeCloseTo(1);
  });
});
