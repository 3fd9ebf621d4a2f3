import { describe, expect, test } from '@jest/globals';
import { figuresOf, quantileMs } from './figures.ts';
import type { Sample } from './load.ts';

/** The load generator's bucket of a time in microseconds. */
const bucketOf = (micros: number) => Math.floor(Math.log(micros) / Math.log(1.01));

describe('quantileMs', () => {
  test('is right to one per cent', () => {
    const histogram = new Map<number, number>();
    for (let micros = 1; micros <= 1000; micros++) {
      const bucket = bucketOf(micros);
      histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1);
    }
    expect(Math.abs(quantileMs(histogram, 0.5) / 0.5 - 1)).toBeLessThan(0.01);
    expect(Math.abs(quantileMs(histogram, 0.99) / 0.99 - 1)).toBeLessThan(0.01);
  });

  test('of nothing is unknown', () => expect(quantileMs(new Map(), 0.5)).toBeNaN());
});

describe('figuresOf', () => {
  const sample = (ok: number, micros: number, more: Partial<Sample> = {}): Sample => ({
    seconds: 2,
    statuses: { ok },
    retryAfter: 0,
    unsent: 0,
    histogram: { [bucketOf(micros)]: ok },
    serverCpuSeconds: 1,
    loadCpuSeconds: 0.5,
    rssMiB: 100,
    ...more,
  });

  test('adds up the rounds', () => {
    const figures = figuresOf([sample(1000, 500), sample(3000, 500, { rssMiB: 150 })]);
    expect(figures).toMatchObject({
      requestsPerSecond: 1000,
      cpuSecondsPer1000: 0.5,
      rssMiB: 150,
      failed: 0,
      loadCore: 0.25,
    });
  });

  test('p99 comes from all answers together, not from the mean of the rounds', () => {
    const { p99Ms } = figuresOf([sample(990, 100), sample(10, 10_000)]);
    expect(p99Ms).toBeLessThan(0.11);
    expect(figuresOf([sample(980, 100), sample(20, 10_000)]).p99Ms).toBeGreaterThan(9.9);
  });

  test('refused answers count as failed and not as throughput', () => {
    const figures = figuresOf([sample(300, 100, { statuses: { ok: 300, '503': 100 } })]);
    expect(figures).toMatchObject({ requestsPerSecond: 150, failed: 0.25 });
  });
});
