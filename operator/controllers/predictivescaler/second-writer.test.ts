import { expect, test } from '@jest/globals';
import { type Fights, isFighting, NO_FIGHTS, observeReplicas, recordWrite } from './second-writer.ts';

const rules = { limit: 3, windowMs: 300_000, restMs: 600_000 };

/** We write 4 and find `found` a minute later, `times` times. */
function fight(times: number, everyMs = 60_000, from: Fights = NO_FIGHTS, start = 0) {
  let fights = from;
  let now = start;
  for (let i = 0; i < times; i++) {
    fights = recordWrite(fights, 4);
    now += everyMs;
    fights = observeReplicas(fights, 9, now, rules);
  }
  return { fights, now };
}

test('one change by hand is no fight', () => {
  const { fights, now } = fight(1);
  expect(isFighting(fights, now)).toBe(false);
});

test('a change that we see many times without writing counts once', () => {
  let fights = observeReplicas(recordWrite(NO_FIGHTS, 4), 9, 1, rules);
  for (let now = 2; now < 10; now++) fights = observeReplicas(fights, 9, now, rules);
  expect(fights.changedAt).toHaveLength(1);
});

test('the third change inside the window is a fight; it ends after the rest', () => {
  const { fights, now } = fight(3);
  expect(isFighting(fights, now)).toBe(true);
  const rested = observeReplicas(fights, 9, now + rules.restMs, rules);
  expect(isFighting(rested, now + rules.restMs)).toBe(false);
  expect(rested.changedAt).toEqual([]);
});

test('changes that are far apart never add up', () => {
  const { fights, now } = fight(10, 200_000);
  expect(isFighting(fights, now)).toBe(false);
});

test('before our first write nobody can have changed it', () => {
  expect(observeReplicas(NO_FIGHTS, 7, 0, rules)).toEqual(NO_FIGHTS);
});
