import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { World } from './world.ts';

describe('the world', () => {
  test('a replica is ready one start-up time after its order, not a tick sooner', () => {
    const world = new World(2, 3);
    world.order(5);
    expect([world.ordered, world.ready]).toEqual([5, 3]);
    world.advance();
    expect(world.ready).toBe(3);
    world.advance();
    expect(world.ready).toBe(5);
  });

  test('without a start-up time it is ready at once', () => {
    const world = new World(0, 1);
    world.order(4);
    expect(world.ready).toBe(4);
  });

  test('what is taken back is gone at once; replicas that still start go first, the newest before the older', () => {
    const world = new World(2, 3);
    world.order(5);
    world.advance();
    world.order(8);
    world.order(6);
    expect(world.ready).toBe(3);
    world.advance();
    // The two of the first order are ready, one of the three of the second is left.
    expect(world.ready).toBe(5);
    world.advance();
    expect(world.ready).toBe(6);
    world.order(2);
    expect([world.ordered, world.ready]).toEqual([2, 2]);
  });

  test('what is ready is the least that was ordered during the last start-up time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 }),
        (startUp, orders) => {
          const first = orders[0] ?? 1;
          const world = new World(startUp, first);
          orders.forEach((order, i) => {
            if (i > 0) world.advance();
            world.order(order);
            expect(world.ordered).toBe(order);
            expect(world.ready).toBe(Math.min(...orders.slice(Math.max(i - startUp, 0), i + 1)));
          });
        },
      ),
    );
  });
});
