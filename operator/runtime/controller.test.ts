import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type ControllerOptions, createController } from './controller.ts';
import type { Reconcile, ReconcileOutcome } from './types.ts';

/** Lets what is ready run before time moves on. */
async function advance(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

function start(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = new FakeClock();
  const outcomes: [string, ReconcileOutcome][] = [];
  const controller = createController({
    name: 'test',
    reconcile,
    sources: [],
    clock,
    random: () => 0,
    observer: { reconciled: ({ key, outcome }) => outcomes.push([key, outcome]) },
    ...options,
  });
  const abort = new AbortController();
  const run = controller.run(abort.signal);
  return {
    clock,
    controller,
    outcomes,
    abort,
    run,
    stop: async () => {
      abort.abort(new Error('stop'));
      await run;
    },
  };
}

describe('a controller', () => {
  test('reconciles what its sources enqueue and comes back when asked to', async () => {
    const seen: number[] = [];
    const { clock, stop, outcomes } = start(
      () => {
        seen.push(clock.monotonic());
        return Promise.resolve(seen.length < 3 ? { requeueAfterMs: 15_000 } : {});
      },
      { sources: [{ start: (enqueue) => enqueue('a') }] },
    );
    await advance(clock, 100_000);
    expect(seen).toEqual([0, 15_000, 30_000]);
    expect(outcomes.map(([, outcome]) => outcome)).toEqual(['requeue_after', 'requeue_after', 'success']);
    await stop();
  });

  test('looks again within a day at what is due in a year, since no timer holds so long', async () => {
    const seen: number[] = [];
    const day = 86_400_000;
    const { clock, stop } = start(
      () => {
        seen.push(clock.monotonic());
        return Promise.resolve({ requeueAfterMs: 365 * day });
      },
      { sources: [{ start: (enqueue) => enqueue('a') }] },
    );
    await advance(clock, day);
    expect(seen).toEqual([0, day]);
    await stop();
  });

  test.each([
    ['an error', () => Promise.reject(new Error('boom')), 'error'],
    [
      'something thrown at once',
      () => {
        throw new TypeError('not even a promise');
      },
      'error',
    ],
    ['a thrown string', () => Promise.reject('text'), 'error'], // oxlint-disable-line prefer-promise-reject-errors
    [
      'a conflict',
      () => Promise.reject(new ForesailError('KUBE_CONFLICT', 'conflict', 'moved on')),
      'conflict',
    ],
  ] as [string, Reconcile, ReconcileOutcome][])(
    '%s is retried with backoff and stops nothing',
    async (_, fail, outcome) => {
      const times: number[] = [];
      const { clock, controller, outcomes, stop } = start((key, signal) => {
        if (key === 'good') return Promise.resolve({});
        times.push(clock.monotonic());
        return times.length < 4 ? fail(key, signal) : Promise.resolve({});
      });
      controller.enqueue('bad');
      controller.enqueue('good');
      await advance(clock, 10_000);
      expect(times).toEqual([0, 5, 15, 35]);
      expect(outcomes.filter(([key]) => key === 'bad').map(([, each]) => each)).toEqual([
        outcome,
        outcome,
        outcome,
        'success',
      ]);
      expect(outcomes).toContainEqual(['good', 'success']);
      await stop();
    },
  );

  test('a terminal error waits for the next event', async () => {
    let runs = 0;
    const { clock, controller, outcomes, stop } = start(() => {
      runs += 1;
      return Promise.reject(new ForesailError('KUBE_INVALID', 'terminal', 'spec.x'));
    });
    controller.enqueue('a');
    await advance(clock, 10_000_000);
    expect([runs, outcomes]).toEqual([1, [['a', 'terminal']]]);
    controller.enqueue('a');
    await advance(clock, 0);
    expect(runs).toBe(2);
    await stop();
  });

  test('an error that names a time is retried after that time', async () => {
    const times: number[] = [];
    const { clock, controller, stop } = start(() => {
      times.push(clock.monotonic());
      return times.length === 1
        ? Promise.reject(
            new ForesailError('KUBE_TOO_MANY_REQUESTS', 'transient', 'later', { retryAfterMs: 3_000 }),
          )
        : Promise.resolve({});
    });
    controller.enqueue('a');
    await advance(clock, 10_000);
    expect(times).toEqual([0, 3_000]);
    await stop();
  });

  test('the deadline aborts the signal and the key is tried again', async () => {
    let runs = 0;
    const { clock, controller, outcomes, stop } = start(
      (_, signal) => {
        runs += 1;
        if (runs > 1) return Promise.resolve({});
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
      { deadlineMs: 1_000 },
    );
    controller.enqueue('a');
    await advance(clock, 2_000);
    expect(outcomes).toEqual([
      ['a', 'timeout'],
      ['a', 'success'],
    ]);
    await stop();
  });

  test('one that ignores its deadline loses its worker to other keys but keeps its key', async () => {
    const gate = Promise.withResolvers<void>();
    const started: string[] = [];
    const { clock, controller, stop } = start(
      async (key) => {
        started.push(key);
        if (key === 'stuck' && started.length === 1) await gate.promise;
        return {};
      },
      { workers: 1, deadlineMs: 1_000 },
    );
    controller.enqueue('stuck');
    await advance(clock, 0);
    controller.enqueue('other');
    controller.enqueue('stuck');
    await advance(clock, 1_500);
    expect(started).toEqual(['stuck']);
    await advance(clock, 1_000);
    expect(started).toEqual(['stuck', 'other']);
    gate.resolve();
    await advance(clock, 0);
    expect(started).toEqual(['stuck', 'other', 'stuck']);
    await stop();
  });

  test('works on as many keys at once as it has workers', async () => {
    let now = 0;
    let most = 0;
    const { clock, controller, stop } = start(
      async () => {
        now += 1;
        most = Math.max(most, now);
        await clock.sleep(10);
        now -= 1;
        return {};
      },
      { workers: 3 },
    );
    for (let i = 0; i < 20; i += 1) controller.enqueue(`k${i}`);
    await advance(clock, 1_000);
    expect(most).toBe(3);
    await stop();
  });

  test('at shutdown it starts nothing new and waits for what it has begun', async () => {
    const finished: string[] = [];
    const { clock, controller, abort, run } = start(
      async (key) => {
        await clock.sleep(50);
        finished.push(key);
        return {};
      },
      { workers: 1 },
    );
    controller.enqueue('a');
    controller.enqueue('b');
    await advance(clock, 10);
    abort.abort(new Error('stop'));
    await advance(clock, 100);
    await run;
    expect(finished).toEqual(['a']);
  });
});
