import { expect, test } from '@jest/globals';
import { score, type Tick } from './score.ts';

/** One tick a minute; capacity of one replica is 10. */
const ticks = (...states: [load: number, ready: number, ordered: number][]): Tick[] =>
  states.map(([load, ready, ordered], i) => ({ atMs: i * 60_000, load, ready, ordered }));

test('shortage, surplus and cost are counted per minute of load time', () => {
  // demanded: 2, 4, 4, 1
  const result = score(ticks([20, 2, 2], [40, 2, 4], [35, 4, 4], [5, 4, 4], [5, 1, 1]), 10);
  expect(result.underProvisionedMinutes).toBe(1);
  expect(result.replicaMinutesShort).toBe(2);
  expect(result.tauU).toBe(25);
  expect(result.thetaU).toBe(12.5);
  expect(result.tauO).toBe(25);
  expect(result.thetaO).toBe(75);
  expect(result.replicaHours).toBeCloseTo((2 + 4 + 4 + 4) / 60);
  expect(result.scalings).toBe(2);
});

test('no load still needs one replica', () => {
  expect(score(ticks([0, 0, 1], [0, 1, 1]), 10).underProvisionedMinutes).toBe(1);
});
