import { expect, test } from '@jest/globals';
import { FakeClock } from '../../testing/fake-clock.ts';
import { CrashBudget } from './crash-budget.ts';

test('the pause doubles, the third crash within an hour is the end', () => {
  const budget = new CrashBudget(new FakeClock(), 3, 100);
  expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([100, 200, undefined]);
  expect(budget.crashes).toBe(3);
});

test('what is older than an hour is forgiven', async () => {
  const clock = new FakeClock();
  const budget = new CrashBudget(clock, 3, 100);
  budget.spend();
  budget.spend();
  await clock.advance(3_600_000);
  expect(budget.spend()).toBe(100);
});
