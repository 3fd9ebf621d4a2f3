import { expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { createContest } from './contest.ts';

const WANTED = { replicas: 2 };

test('five repairs a minute, and of each child for itself', async () => {
  const clock = new FakeClock();
  const contest = createContest(clock);
  for (let i = 0; i < 5; i++) {
    expect(contest.mayWrite('a', WANTED)).toBe(true);
    contest.wrote('a', WANTED);
  }
  expect(contest.mayWrite('a', WANTED)).toBe(false);
  expect(contest.mayWrite('b', WANTED)).toBe(true);
  // Another wish is no repair.
  expect(contest.mayWrite('a', { replicas: 3 })).toBe(true);
  await clock.advance(60_000);
  expect(contest.mayWrite('a', WANTED)).toBe(true);
});

test('a write that was refused is no repair', () => {
  const contest = createContest(new FakeClock());
  for (let i = 0; i < 20; i++) expect(contest.mayWrite('a', WANTED)).toBe(true);
});
