import { describe, expect, test } from '@jest/globals';
import { normal, seededRandom } from '../simulate/generated.ts';
import { shuffle } from './testing/sets.ts';
import { timeOrder } from './time-order.ts';

const wave = Float64Array.from({ length: 2000 }, (_, i) => 100 + 50 * Math.sin((2 * Math.PI * i) / 288));

describe('order of time', () => {
  test('a rhythm has it, the same values shuffled have not', () => {
    expect(timeOrder(wave).roughness).toBeLessThan(0.01);
    expect(timeOrder(shuffle(wave, 1)).roughness).toBeCloseTo(1, 0);
    expect(Math.abs(timeOrder(shuffle(wave, 1)).z)).toBeLessThan(4);
  });

  test('spikes do not hide it', () => {
    const spiked = wave.map((value, i) => (i % 97 === 0 ? 1e9 : value));
    expect(timeOrder(spiked).roughness).toBeLessThan(0.1);
  });

  test('noise alone is within chance: |z| below 5 in a thousand series', () => {
    const random = seededRandom(3);
    for (let i = 0; i < 1000; i++)
      expect(Math.abs(timeOrder(Float64Array.from({ length: 200 }, () => normal(random))).z)).toBeLessThan(5);
  });

  test('unknown values join nobody', () => {
    const holes = wave.map((value, i) => (i % 2 === 0 ? Number.NaN : value));
    expect(timeOrder(holes)).toMatchObject({ pairs: 0, roughness: Number.NaN });
    expect(timeOrder(new Float64Array(100).fill(3)).roughness).toBeNaN();
  });
});
