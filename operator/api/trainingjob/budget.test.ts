import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { budgetUse, type TriggerHistory } from './budget.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 2, 8);
const DAY = { runs: 3, per: '24h' };
const ago = (hours: number) => new Date(NOW - hours * HOUR).toISOString();
const use = (history: TriggerHistory | undefined, budget = DAY) => budgetUse(budget, history, NOW);
const spentFor = (reason: 'BudgetSpent' | 'BudgetUnknown', hours: number) => ({
  reason,
  untilMs: NOW + hours * HOUR,
});

test.each<[string, TriggerHistory | undefined, ReturnType<typeof budgetUse>]>([
  ['none ever', undefined, { used: 0 }],
  ['fewer than it allows', { startedAt: [ago(1), ago(2)] }, { used: 2 }],
  [
    'as many as it allows: until the oldest leaves the window',
    { startedAt: [ago(1), ago(2), ago(20)] },
    { used: 3, spent: spentFor('BudgetSpent', 4) },
  ],
  ['one that has just left the window', { startedAt: [ago(1), ago(2), ago(24)] }, { used: 2 }],
  [
    'more than it allows, since it was made smaller',
    { startedAt: [ago(1), ago(2), ago(3), ago(20)] },
    { used: 4, spent: spentFor('BudgetSpent', 21) },
  ],
  ['any order', { startedAt: [ago(20), ago(1), ago(2)] }, { used: 3, spent: spentFor('BudgetSpent', 4) }],
  [
    'nobody knows how many',
    { startedAt: [], unknownBefore: ago(6) },
    { used: 0, spent: spentFor('BudgetUnknown', 18) },
  ],
  ['nobody knows what was before the window', { startedAt: [ago(1)], unknownBefore: ago(24) }, { used: 1 }],
  [
    'both: the longer of the two',
    { startedAt: [ago(1), ago(2), ago(3)], unknownBefore: ago(5) },
    { used: 3, spent: spentFor('BudgetSpent', 21) },
  ],
  ['a clock that went back', { startedAt: [ago(-1)] }, { used: 1 }],
])('%s', (_, history, wanted) => {
  expect(use(history)).toEqual(wanted);
});

test('it is spent exactly as long as the window holds as many runs as it allows', () => {
  const hours = fc.array(fc.double({ min: 0, max: 60, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(hours, fc.integer({ min: 1, max: 5 }), (times, runs) => {
      const history = { startedAt: times.map(ago) };
      const inWindow = (atMs: number) =>
        history.startedAt.filter((time) => Date.parse(time) + 24 * HOUR > atMs).length;
      const { used, spent } = use(history, { runs, per: '24h' });
      expect(used).toBe(inWindow(NOW));
      expect(spent !== undefined).toBe(used >= runs);
      if (spent === undefined) return;
      expect(inWindow(spent.untilMs - 1)).toBeGreaterThanOrEqual(runs);
      expect(inWindow(spent.untilMs)).toBeLessThan(runs);
    }),
  );
});
