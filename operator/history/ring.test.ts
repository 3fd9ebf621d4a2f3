import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Ring } from './ring.ts';

const STEP = 1000;

test('within a step the latest reading counts, and an older one does not replace it', () => {
  const ring = new Ring(STEP, 10);
  expect(ring.append(5100, 1)).toBe('stored');
  expect(ring.append(5900, 2)).toBe('stored');
  expect(ring.append(5500, 3)).toBe('duplicate');
  expect(ring.append(5900, 4)).toBe('duplicate');
  expect(ring.at(5)).toBe(2);
});

test('a gap stays unknown until a late reading fills it', () => {
  const ring = new Ring(STEP, 10);
  ring.append(1000, 1);
  ring.append(4000, 4);
  expect([1, 2, 3, 4].map((slot) => ring.at(slot))).toEqual([1, Number.NaN, Number.NaN, 4]);
  expect(ring.append(2000, 2)).toBe('late');
  expect(ring.at(2)).toBe(2);
});

test('a reading before the kept past is refused, one exactly at its edge is taken', () => {
  const ring = new Ring(STEP, 10);
  ring.append(100_000, 1);
  expect(ring.append(90_000, 1)).toBe('tooOld');
  expect(ring.append(91_000, 1)).toBe('late');
});

test('a leap of the clock forgets what it leaps over but keeps the reading', () => {
  const ring = new Ring(STEP, 10);
  ring.append(1000, 1);
  ring.append(1_000_000, 2);
  expect(ring.at(1)).toBeNaN();
  expect(ring.at(1000)).toBe(2);
  expect(ring.bounds()).toEqual({ first: 991, last: 1000 });
});

test('takes dirty steps once, and again after they were given back', () => {
  const ring = new Ring(STEP, 10);
  ring.append(3000, 1);
  ring.append(4000, 1);
  expect(ring.takeDirty()).toBe(3);
  expect(ring.takeDirty()).toBeUndefined();
  ring.append(2000, 1);
  expect(ring.takeDirty()).toBe(2);
  ring.markDirty(3);
  expect(ring.takeDirty()).toBe(3);
});

test('holds at any order of readings what a plain map of the last steps would hold', () => {
  const reading = fc.record({
    slot: fc.integer({ min: -50, max: 2000 }),
    value: fc.integer({ min: 0, max: 99 }),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 700 }),
      fc.array(reading, { minLength: 1, maxLength: 300 }),
      (capacity, readings) => {
        const ring = new Ring(STEP, capacity);
        const model = new Map<number, number>();
        let newest = Number.NEGATIVE_INFINITY;
        for (const { slot, value } of readings) {
          const outcome = ring.append(slot * STEP, value);
          if (slot > newest) newest = slot;
          if (slot <= newest - capacity) {
            expect(outcome).toBe('tooOld');
            continue;
          }
          expect(outcome).toBe(model.has(slot) ? 'duplicate' : slot === newest ? 'stored' : 'late');
          if (!model.has(slot)) model.set(slot, value);
          for (const old of model.keys()) if (old <= newest - capacity) model.delete(old);
        }
        for (let slot = newest - capacity - 5; slot <= newest + 5; slot++) {
          expect(ring.at(slot)).toBe(model.get(slot) ?? Number.NaN);
        }
        expect(ring.bytes).toBeLessThanOrEqual(4 * Math.max(capacity, 1));
      },
    ),
  );
});
