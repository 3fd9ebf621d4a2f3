import { describe, expect, test } from '@jest/globals';
import { lost, total } from './fixtures.ts';
import {
  type DownPermit,
  keep,
  narrow,
  obeyBounds,
  permitDown,
  raiseOnly,
  type SettledReplicas,
  settle,
} from './permit.ts';
import type { Decision } from './types.ts';

const valid = { kind: 'valid' } as const;
const invalid = { kind: 'invalid' } as const;

describe('the permit to go down', () => {
  test.each([
    ['all known and usable', [total(1), total(2)], [valid, valid], true],
    ['one unknown', [total(1), lost()], [valid, invalid], false],
    ['known, but the reactive rule could not use it', [total(1)], [invalid], false],
    ['no metric at all', [], [], false],
    ['fewer proposals than readings', [total(1), total(1)], [valid], false],
  ])('%s', (_, readings, proposals, given) => {
    expect(permitDown(readings, proposals) !== undefined).toBe(given);
  });

  test('without it a count can stay or rise', () => {
    expect(raiseOnly(5, 3)).toBe(5);
    expect(raiseOnly(5, 7)).toBe(7);
  });

  test('the compiler refuses every way round it', () => {
    // These lines are checked by tsc: an expected error that does not come is an error itself.
    // @ts-expect-error lowering needs a permit
    settle(undefined, 3);
    // @ts-expect-error the permit may be missing, so it must be looked at first
    settle(permitDown([lost()], [invalid]), 3);
    // @ts-expect-error a permit cannot be written down by hand
    const forged: DownPermit = {};
    // @ts-expect-error nor can a settled count
    const number: SettledReplicas = 3;
    // @ts-expect-error and a decision takes nothing else
    const decision: Pick<Decision, 'desiredReplicas'> = { desiredReplicas: 3 };
    expect([forged, number, decision]).toHaveLength(3);
  });
});

test('bounds are an order that needs no metric', () => {
  expect(obeyBounds(50, 2, 10)).toBe(10);
  expect(obeyBounds(1, 2, 10)).toBe(2);
  expect(obeyBounds(5, 2, 10)).toBe(5);
});

test('narrowing never turns a move round', () => {
  expect(narrow(10, keep(20), { up: 4, down: 4 })).toBe(14);
  expect(narrow(10, keep(2), { up: 4, down: 4 })).toBe(6);
  expect(narrow(10, keep(12), { up: 4, down: 4 })).toBe(12);
  expect(narrow(10, keep(12), { up: -3, down: 4 })).toBe(10);
});
