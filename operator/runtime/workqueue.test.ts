import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { FakeClock } from '../testing/fake-clock.ts';
import { WorkQueue } from './workqueue.ts';

const forever = new AbortController().signal;

/** Lets what is ready run before time moves on. */
async function advance(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

function make(options: { random?: () => number } = {}) {
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'test', clock, random: () => 0, ...options });
  return { clock, queue };
}

/** Everything that can be taken now. */
async function drain(queue: WorkQueue): Promise<string[]> {
  const taken: string[] = [];
  while (queue.depth > 0) {
    const key = await queue.take(forever);
    if (key !== undefined) taken.push(key);
  }
  return taken;
}

describe('WorkQueue', () => {
  test('hands out keys in the order of their coming, each once', async () => {
    const { queue } = make();
    for (const key of ['b', 'a', 'b', 'c', 'a']) queue.add(key);
    expect(await drain(queue)).toEqual(['b', 'a', 'c']);
  });

  test('a key added while in work comes again, once, after it is done', async () => {
    const { queue } = make();
    queue.add('a');
    await queue.take(forever);
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await drain(queue)).toEqual(['a']);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  test('of several delays for one key the earliest counts', async () => {
    const { queue, clock } = make();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    await advance(clock, 49);
    expect(queue.depth).toBe(0);
    await advance(clock, 1);
    expect(await drain(queue)).toEqual(['a']);
    queue.done('a');
    await advance(clock, 1000);
    expect(queue.depth).toBe(0);
  });

  test('a delay longer than a timer can hold is kept', async () => {
    const { queue, clock } = make();
    const days30 = 30 * 86_400_000;
    queue.addAfter('a', days30);
    await advance(clock, days30 - 1);
    expect(queue.depth).toBe(0);
    await advance(clock, 2);
    expect(queue.depth).toBe(1);
  });

  test('failures back off from 5 ms to 1000 s per key, and success forgets', async () => {
    const { queue, clock } = make();
    for (let failures = 0; failures < 20; failures += 1) {
      const delay = Math.min(5 * 2 ** failures, 1_000_000);
      queue.addRateLimited('a');
      await advance(clock, delay - 1);
      expect(queue.depth).toBe(0);
      await advance(clock, 1);
      expect(await drain(queue)).toEqual(['a']);
      queue.done('a');
    }
    queue.forget('a');
    queue.addRateLimited('a');
    await advance(clock, 5);
    expect(queue.depth).toBe(1);
  });

  test('the server’s Retry-After is waited for when it is longer than the backoff', async () => {
    const { queue, clock } = make();
    queue.addRateLimited('a', 3_000);
    await advance(clock, 2_999);
    expect(queue.depth).toBe(0);
    await advance(clock, 1);
    expect(queue.depth).toBe(1);
  });

  test('closing ends all takers, drops what waits, and resolves when work in hand is done', async () => {
    const { queue, clock } = make();
    queue.add('a');
    await queue.take(forever);
    const idle = [queue.take(forever), queue.take(forever)];
    queue.addAfter('later', 10);
    let drained = false;
    const closing = (async () => {
      await queue.close();
      drained = true;
    })();
    expect(await Promise.all(idle)).toEqual([undefined, undefined]);
    await advance(clock, 1000);
    expect(drained).toBe(false);
    queue.done('a');
    await closing;
    queue.add('b');
    expect(queue.depth).toBe(0);
  });

  test('a taker that leaves before a key comes does not take the call for it along', async () => {
    const { queue } = make();
    const leaver = new AbortController();
    const first = queue.take(leaver.signal);
    const second = queue.take(forever);
    leaver.abort();
    expect(await first).toBeUndefined();
    queue.add('a');
    expect(await second).toBe('a');
  });

  test('a taker that leaves in the moment in which it is called passes the call on', async () => {
    const { queue } = make();
    const leaver = new AbortController();
    const first = queue.take(leaver.signal);
    const second = queue.take(forever);
    queue.add('a');
    leaver.abort();
    expect(await first).toBeUndefined();
    expect(await second).toBe('a');
  });

  test('two workers never hold one key, and no add is lost', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ do: fc.constant('after' as const), key: fc.constantFrom('a', 'b', 'c'), ms: fc.nat(50) }),
      fc.record({ do: fc.constant('fail' as const), key: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.nat(30) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(20), { minLength: 1, maxLength: 10 }),
        async (steps, workers, durations) => {
          const { queue, clock } = make();
          const inHand = new Set<string>();
          /** Number of adds so far, and of those adds how many a started work has seen. */
          const added = new Map<string, number>();
          const seen = new Map<string, number>();
          let n = 0;
          const work = async () => {
            for (;;) {
              const key = await queue.take(forever);
              if (key === undefined) return;
              expect(inHand.has(key)).toBe(false);
              inHand.add(key);
              seen.set(key, added.get(key) ?? 0);
              n += 1;
              await clock.sleep(durations[n % durations.length]!);
              inHand.delete(key);
              queue.done(key);
            }
          };
          const running = Array.from({ length: workers }, work);
          for (const each of steps) {
            if (each.do === 'wait') await advance(clock, each.ms);
            else {
              added.set(each.key, (added.get(each.key) ?? 0) + 1);
              if (each.do === 'add') queue.add(each.key);
              else if (each.do === 'after') queue.addAfter(each.key, each.ms);
              else queue.addRateLimited(each.key);
            }
          }
          await advance(clock, 3_000_000);
          expect(queue.depth).toBe(0);
          expect(seen).toEqual(added);
          await queue.close();
          await Promise.all(running);
        },
      ),
      { numRuns: 60 },
    );
  });
});
