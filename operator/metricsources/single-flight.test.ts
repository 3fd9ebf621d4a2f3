import { describe, expect, test } from '@jest/globals';
import { SingleFlight } from './single-flight.ts';

const never = new AbortController().signal;

describe('equal questions', () => {
  test('in the same instant are one, and the answer is not kept', async () => {
    const flights = new SingleFlight<number>();
    let asked = 0;
    const ask = () =>
      flights.run('k', never, async () => {
        asked += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return asked;
      });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    expect(await ask()).toBe(2);
  });

  test('fail together', async () => {
    const flights = new SingleFlight<number>();
    const ask = () => flights.run('k', never, () => Promise.reject(new Error('x')));
    expect(await Promise.allSettled([ask(), ask()])).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
  });

  test('are ended only when nobody waits any more', async () => {
    const flights = new SingleFlight<number>();
    const [first, second] = [new AbortController(), new AbortController()];
    let ended = false;
    const work = (signal: AbortSignal) =>
      new Promise<number>((_, reject) => {
        signal.addEventListener('abort', () => {
          ended = true;
          reject(signal.reason);
        });
      });
    const one = flights.run('k', first.signal, work);
    const two = flights.run('k', second.signal, work);
    first.abort(new Error('one'));
    await expect(one).rejects.toThrow('one');
    expect(ended).toBe(false);
    second.abort(new Error('two'));
    await expect(two).rejects.toThrow('two');
    expect(ended).toBe(true);
    expect(await flights.run('k', never, () => Promise.resolve(7))).toBe(7);
  });
});
