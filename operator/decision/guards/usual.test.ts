import { expect, test } from '@jest/globals';
import { cpu, external, pods } from '../fixtures.ts';
import { usualLevel } from './usual.ts';

test.each([
  ['a shared total', external('AverageValue', 100), 500_000],
  ['a value', external('Value', 100), 100_000],
  ['an average per pod', { ...external('AverageValue', 100), type: 'Pods' }, 100_000],
  ['a utilization', cpu(50), 50],
] as const)('what %s is meant to be', (_, plan, expected) => {
  expect(usualLevel(plan, 5, pods(5))).toBe(expected);
});

test('is not known without requests', () => {
  expect(usualLevel(cpu(50), 5, pods(5, { containers: [{ name: 'app', requestsMilli: {} }] }))).toBe(0);
});
