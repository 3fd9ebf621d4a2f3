import { expect, test } from '@jest/globals';
import { growth, seededRandom } from '../generated.ts';
import { type Policy, simulate } from '../simulate.ts';
import { hpaPolicy } from './decided.ts';
import { taped } from './taped.ts';

const trace = growth(1, seededRandom(3));
const conditions = { metricDelayMs: 60_000, capacity: 12, scored: { from: 200, to: 700 } };

test('HPA replayed is HPA, at any start-up time', () => {
  const replayed = taped(hpaPolicy({ target: 0.9 }));
  const outcomes = [30_000, 120_000, 600_000].map((startUpMs) => {
    const outcome = simulate(trace, replayed, { ...conditions, startUpMs });
    expect(outcome).toEqual(simulate(trace, hpaPolicy({ target: 0.9 }), { ...conditions, startUpMs }));
    return outcome;
  });
  expect(new Set(outcomes.map(({ tauU }) => tauU)).size).toBe(3);
});

test('decides once, and does not make up what was never decided', () => {
  let decided = 0;
  const counting: Policy = { name: 'hpa', begin: () => () => 1 + (decided++ % 3) };
  const replayed = taped(counting);
  for (const startUpMs of [30_000, 60_000]) simulate(trace, replayed, { ...conditions, startUpMs });
  expect(decided).toBe(700 * 4);
  const longer = { ...conditions, startUpMs: 30_000, scored: { from: 200, to: 701 } };
  expect(() => simulate(trace, replayed, longer)).toThrow('2800 times');
});
