import { expect, test } from '@jest/globals';
import { ReplayedTarget } from './replayed-target.ts';

const TERMS = {
  objective: 'Efficiency',
  capacity: 10,
  reactiveTarget: 10,
  readySteps: 3,
  holdSteps: 2,
} as const;
/** Only the newest step counts, so `short` is whether that step was short. */
const NOW = 1;

const shortages = (loads: readonly number[], peaks?: readonly number[]) => {
  const target = new ReplayedTarget(0);
  return loads.map((load, i) => {
    const peak = peaks?.[i];
    target.observe(load, TERMS, peak === undefined ? undefined : { near: peak, ready: peak }, NOW);
    return target.short;
  });
};
const ordered = (loads: readonly number[]) => {
  const target = new ReplayedTarget(0);
  return loads.map((load) => {
    target.observe(load, TERMS, undefined, NOW);
    return target.replicas;
  });
};

test('what is ordered on a load serves the start-up time later', () => {
  expect(shortages([50, 100, 100, 100, 100, 100])).toEqual([0, 1, 1, 1, 0, 0]);
});

test('a forecast in time leaves no gap', () => {
  expect(shortages([50, 50, 50, 100, 100], [100, 100, 100, 100, 100])).toEqual([0, 0, 0, 0, 0]);
});

test('scaling down waits, then takes what has not started first', () => {
  // The number at a step is what was ordered on the steps before.
  expect(ordered([100, 50, 50, 50, 50])).toEqual([10, 10, 10, 10, 5]);
  expect(shortages([50, 100, 50, 50, 50, 50, 50])).toEqual([0, 1, 0, 0, 0, 0, 0]);
});

test('inside the tolerance nothing changes, and no more than double at once', () => {
  expect(ordered([100, 105, 105])).toEqual([10, 10, 10]);
  expect(ordered([50, 1000, 1000, 1000])).toEqual([5, 5, 10, 20]);
});
