import { expect, test } from '@jest/globals';
import { creationBudget } from './creation-budget.ts';

test('a minute gives back what was taken, and no more than the limit', () => {
  const budget = creationBudget(60);
  budget.take(60, 0);
  expect(budget.left(0)).toBe(0);
  expect(budget.left(10_000)).toBe(10);
  expect(budget.left(3_600_000)).toBe(60);
});

test('without a limit there is always room', () => {
  const budget = creationBudget(undefined);
  budget.take(1e6, 0);
  expect(budget.left(1)).toBe(Number.POSITIVE_INFINITY);
});
