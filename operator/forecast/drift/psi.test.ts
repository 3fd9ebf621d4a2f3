import { describe, expect, test } from '@jest/globals';
import { gaussian, seeded } from '../testing/series.ts';
import { populationStabilityIndex } from './psi.ts';

const CELLS = 48;

/** Counts of normal values over cells that cover [-4, 4]. */
function normal(count: number, seed: number, mean = 0, spread = 1): number[] {
  const noise = gaussian(seeded(seed));
  const counts = Array.from({ length: CELLS }, () => 0);
  for (let i = 0; i < count; i++) {
    const cell = Math.floor(((mean + spread * noise() + 4) / 8) * CELLS);
    const at = Math.min(Math.max(cell, 0), CELLS - 1);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

describe('population stability index', () => {
  test('is nothing between the same shares', () => {
    const counts = normal(1000, 1);
    expect(populationStabilityIndex(counts, counts)).toBeCloseTo(0, 12);
    expect(
      populationStabilityIndex(
        counts,
        counts.map((count) => 2 * count),
      ),
    ).toBeLessThan(1e-3);
  });

  test('is about (bins - 1)(1/n0 + 1/n1) between samples of one distribution', () => {
    const values = Array.from(
      { length: 100 },
      (_, i) => populationStabilityIndex(normal(2000, i), normal(300, 1000 + i)) ?? Number.NaN,
    );
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean).toBeGreaterThan(0.5 * 9 * (1 / 2000 + 1 / 300));
    expect(mean).toBeLessThan(1.5 * 9 * (1 / 2000 + 1 / 300));
    expect(Math.max(...values)).toBeLessThan(0.15);
  });

  test('is small for small samples too, because they get fewer bins', () => {
    const values = Array.from(
      { length: 100 },
      (_, i) => populationStabilityIndex(normal(600, i), normal(70, 2000 + i)) ?? Number.NaN,
    );
    expect(Math.max(...values)).toBeLessThan(0.25);
  });

  test.each([
    ['a bias of one standard deviation', 1, 1],
    ['a spread of double size', 0, 2],
    ['a spread of half the size', 0, 0.5],
  ])('tells %s', (_, mean, spread) => {
    expect(populationStabilityIndex(normal(2000, 1), normal(300, 2, mean, spread))).toBeGreaterThan(0.25);
  });

  test('gives the known value by hand: 50/50 against 80/20 in two of three bins', () => {
    // Three bins of which one is empty in both and left out: (0.3) ln(1.6) + (-0.3) ln(0.4), a little smoothed.
    const psi = populationStabilityIndex([50, 0, 50], [80, 0, 20]);
    expect(psi).toBeCloseTo(0.3 * Math.log(1.6) + -0.3 * Math.log(0.4), 1);
  });

  test('tells a move away from errors that were all the same', () => {
    expect(populationStabilityIndex([0, 0, 500, 0], [0, 0, 50, 50])).toBeGreaterThan(0.25);
    expect(populationStabilityIndex([0, 0, 500, 0], [0, 0, 100, 0])).toBe(0);
  });

  test('says nothing about too few values', () => {
    expect(populationStabilityIndex(normal(1000, 1), normal(40, 2))).toBeUndefined();
    expect(populationStabilityIndex([], [])).toBeUndefined();
  });
});
