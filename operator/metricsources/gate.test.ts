import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { Gate, type GateOptions, type Reached } from './gate.ts';
import { ReadError } from './read-error.ts';

const limits = { concurrent: 4, concurrentPerNamespace: 2, queued: 100, queuedPerNamespace: 100 };
const never = new AbortController().signal;

function make(more: Partial<GateOptions> = {}) {
  const clock = new FakeClock();
  const breaker = { threshold: 3, firstPauseMs: 1000, longestPauseMs: 1000 };
  const common = {
    name: 'the server',
    limits,
    timeoutMs: 5000,
    waitingCounts: true,
    breaker,
    random: () => 0.5,
  };
  return { clock, gate: new Gate({ ...common, clock, ...more }) };
}
const failing = (reason: ReadError['reason'], answered: boolean) => (_: AbortSignal, reached: Reached) => {
  if (answered) reached();
  return Promise.reject(new ReadError(reason, 'x'));
};
const fine = () => Promise.resolve('fine');
const hanging = () => new Promise<string>(() => {});

describe('a gate', () => {
  test('closes for everybody when the source is away', async () => {
    const { gate } = make();
    for (let i = 0; i < 3; i += 1)
      await expect(gate.run('a', never, failing('Unreachable', false))).rejects.toThrow(ReadError);
    await expect(gate.run('b', never, fine)).rejects.toMatchObject({ reason: 'Unreachable' });
  });

  test.each([
    ['a failure that the source itself reports', failing('Unreachable', true)],
    ['a query that takes too long there', failing('Timeout', true)],
  ])('closes for one tenant alone after %s', async (_, work) => {
    const { gate, clock } = make();
    for (let i = 0; i < 20; i += 1) await expect(gate.run('a', never, work)).rejects.toThrow(ReadError);
    await expect(gate.run('a', never, fine)).rejects.toThrow(ReadError);
    expect(await gate.run('b', never, fine)).toBe('fine');
    await clock.advance(1000);
    expect(await gate.run('a', never, fine)).toBe('fine');
  });

  test('stays open for answers that are merely useless', async () => {
    const { gate } = make();
    for (const reason of ['NoData', 'BadAnswer', 'Unauthorized', 'BadQuery', 'TooLarge'] as const)
      for (let i = 0; i < 5; i += 1)
        await expect(gate.run('a', never, failing(reason, true))).rejects.toMatchObject({ reason });
    expect(await gate.run('a', never, fine)).toBe('fine');
  });

  test('learns nothing from a caller who left', async () => {
    const { gate } = make();
    for (let i = 0; i < 10; i += 1) {
      const controller = new AbortController();
      const left = gate.run('a', controller.signal, hanging);
      controller.abort(new Error('left'));
      await expect(left).rejects.toThrow('left');
    }
    expect(await gate.run('b', never, fine)).toBe('fine');
  });

  test('ends work at the deadline, and tells waiting in line apart from it', async () => {
    const { gate, clock } = make();
    const reads = Array.from({ length: 3 }, () => gate.run('a', never, hanging));
    const ended = Promise.allSettled(reads);
    await clock.advance(5000);
    const reasons = (await ended).map(
      (result) => result.status === 'rejected' && (result.reason as ReadError).reason,
    );
    expect(reasons).toEqual(['Timeout', 'Timeout', 'Overloaded']);
  });

  test('lets work wait in line for longer than its deadline when waiting does not count', async () => {
    const { gate, clock } = make({
      waitingCounts: false,
      limits: { ...limits, concurrent: 1, concurrentPerNamespace: 1 },
    });
    const slow = () => clock.sleep(4000).then(() => 'slow');
    const all = Promise.all(['a', 'a', 'a'].map((namespace) => gate.run(namespace, never, slow)));
    for (let i = 0; i < 5; i += 1) await clock.advance(4000);
    expect(await all).toEqual(['slow', 'slow', 'slow']);
  });
});
