import { describe, expect, test } from '@jest/globals';
import { normal, seededRandom } from '../../simulate/generated.ts';
import { PredictionMargin } from './prediction-margin.ts';

function after(errors: readonly number[]): number {
  const margin = new PredictionMargin();
  for (const error of errors) margin.observe(error);
  return margin.ms;
}

describe('the margin of predictions', () => {
  test('is nothing before anything is known, and where predictions are right or too long', () => {
    expect(after([])).toBe(0);
    expect(after(Array.from({ length: 500 }, () => 0))).toBe(0);
    expect(after(Array.from({ length: 500 }, () => -5))).toBeCloseTo(0, 3);
  });

  test('learns a delay that is always there', () => {
    expect(after(Array.from({ length: 500 }, () => 8))).toBeCloseTo(8, 2);
  });

  test('covers nearly all of errors that vary', () => {
    const random = seededRandom(1);
    const margin = new PredictionMargin();
    let over = 0;
    for (let i = 0; i < 5_000; i++) {
      const error = 10 + 4 * normal(random);
      if (i >= 500 && error > margin.ms) over++;
      margin.observe(error);
    }
    expect(over / 4_500).toBeLessThan(0.03);
  });

  test('forgets a stall', () => {
    expect(after([2_000, ...Array.from({ length: 400 }, () => 0)])).toBeLessThan(2);
  });
});
