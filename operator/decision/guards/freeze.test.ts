import { expect, test } from '@jest/globals';
import { DEFAULT_FREEZE_CONFIG, fleetFrozen, targetUnready } from './freeze.ts';

test.each([
  [false, 100, 39, false],
  [false, 100, 40, true],
  [true, 100, 20, true],
  [true, 100, 19, false],
  [false, 9, 9, false],
  [true, 0, 0, false],
])('frozen before: %s, %i targets, %i unready → %s', (before, targets, unready, frozen) => {
  expect(fleetFrozen(before, targets, unready, DEFAULT_FREEZE_CONFIG)).toBe(frozen);
});

test.each([
  [10, 4, true],
  [10, 5, false],
  [1, 0, true],
  [0, 0, false],
])('a target of %i with %i ready pods votes unready: %s', (replicas, ready, unready) => {
  expect(targetUnready(replicas, ready)).toBe(unready);
});
