import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Queued, RequestQueue } from './request-queue.ts';

interface Item extends Queued {
  readonly id: number;
}
const item = (id: number, over: Partial<Queued> = {}): Item => ({
  id,
  rows: 1,
  bytes: 8,
  priority: 1,
  shapeKey: '',
  ...over,
});
const ids = (items: readonly Item[]): number[] => items.map((one) => one.id);

function queueOf(items: readonly Item[], levels = 2, bound = 100): RequestQueue<Item> {
  const queue = new RequestQueue<Item>(levels, bound);
  for (const one of items) queue.push(one);
  return queue;
}

describe('the queue', () => {
  test('first come, first served within a priority; 1 before 2', () => {
    const queue = queueOf([item(1, { priority: 2 }), item(2), item(3, { priority: 2 }), item(4)]);
    expect(ids(queue.take(10, 1000))).toEqual([2, 4, 1, 3]);
  });

  test('a run takes as many rows as it may, the first whatever its size', () => {
    const queue = queueOf([item(1, { rows: 9 }), item(2, { rows: 3 }), item(3, { rows: 2 })]);
    expect(ids(queue.take(4, 1000))).toEqual([1]);
    expect(ids(queue.take(4, 1000))).toEqual([2]);
    expect(ids(queue.take(4, 1000))).toEqual([3]);
  });

  test('a run takes as many bytes as it may: more would only leave the caches', () => {
    const queue = queueOf([item(1, { bytes: 2000 }), item(2, { bytes: 600 }), item(3, { bytes: 600 })]);
    expect([1, 2, 3].map(() => ids(queue.take(10, 1000)))).toEqual([[1], [2], [3]]);
  });

  test('only equal shapes share a run, and nobody is overtaken', () => {
    const queue = queueOf([
      item(1, { shapeKey: 'a' }),
      item(2, { shapeKey: 'b' }),
      item(3, { shapeKey: 'a' }),
    ]);
    expect(ids(queue.take(10, 1000))).toEqual([1]);
    expect(ids(queue.take(10, 1000))).toEqual([2]);
  });

  test('each priority has its own bound', () => {
    const queue = queueOf([item(1, { priority: 2 }), item(2, { priority: 2 })], 2, 2);
    expect([queue.full(1), queue.full(2)]).toEqual([false, true]);
  });

  test('counts the rows that run before a priority', () => {
    const queue = queueOf([item(1, { rows: 5 }), item(2, { priority: 2, rows: 7 })]);
    expect([queue.rowsAhead(1), queue.rowsAhead(2), queue.rows]).toEqual([5, 12, 12]);
  });

  test('a priority that does not exist is a fault of the caller', () => {
    expect(() => queueOf([]).push(item(1, { priority: 3 }))).toThrow(RangeError);
  });

  test('whatever comes and goes, it holds exactly those who came and have not gone, in order', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const), priority: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ do: fc.constant('remove' as const), nth: fc.nat(200) }),
      fc.record({ do: fc.constant('take' as const), limit: fc.integer({ min: 1, max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const queue = new RequestQueue<Item>(2, 1000);
        let model: Item[] = [];
        let next = 0;
        for (const one of steps) {
          if (one.do === 'push') {
            const added = item(next++, { priority: one.priority });
            queue.push(added);
            model.push(added);
          } else if (one.do === 'remove') {
            const gone = model[one.nth % Math.max(1, model.length)];
            if (gone === undefined) continue;
            expect(queue.remove(gone)).toBe(true);
            expect(queue.remove(gone)).toBe(false);
            model = model.filter((other) => other !== gone);
          } else {
            const wanted = [1, 2]
              .flatMap((p) => model.filter((other) => other.priority === p))
              .slice(0, one.limit);
            expect(ids(queue.take(one.limit, 1000))).toEqual(ids(wanted));
            model = model.filter((other) => !wanted.includes(other));
          }
          expect(queue.size).toBe(model.length);
          expect(queue.rows).toBe(model.length);
        }
      }),
    );
  });
});
