import { expect, test } from '@jest/globals';
import { gaussian, seeded } from '../testing/series.ts';
import { cling, independentShare, LOOSE } from './clinging.ts';

function shareOf(r: number, count: number): number {
  const normal = gaussian(seeded(7));
  let value = 0;
  let state = LOOSE;
  for (let i = 0; i < count; i++) {
    value = r * value + Math.sqrt(1 - r * r) * normal();
    state = cling(state, 0.1 * value);
  }
  return independentShare(state);
}

test.each([
  [0, 1],
  [0.5, 1 / 3],
  [0.9, 1 / 19],
])('errors that cling with %f count as %f of themselves', (r, share) => {
  expect(shareOf(r, 5000)).toBeGreaterThan(0.7 * share);
  expect(shareOf(r, 5000)).toBeLessThan(1.4 * share);
});

test('errors that swing from side to side count fully, and so do few and equal ones', () => {
  expect(shareOf(-0.8, 3000)).toBe(1);
  expect(shareOf(0.9, 20)).toBe(1);
  let state = LOOSE;
  for (let i = 0; i < 500; i++) state = cling(state, 0.3);
  expect(independentShare(state)).toBe(1);
  expect(independentShare(LOOSE)).toBe(1);
});

test('a change of their level is no clinging', () => {
  const normal = gaussian(seeded(8));
  let state = LOOSE;
  for (let i = 0; i < 2000; i++) state = cling(state, (i < 1700 ? 0 : 0.2) + 0.1 * normal());
  expect(independentShare(state)).toBeGreaterThan(0.75);
});
