import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { Breaker } from './breaker.ts';
import { ReadError } from './read-error.ts';

const options = { threshold: 3, firstPauseMs: 1000, longestPauseMs: 4000 };
const down = new ReadError('Unreachable', 'the server refused the connection');

function make() {
  const clock = new FakeClock();
  return { clock, breaker: new Breaker(options, clock, () => 0.5) };
}
const fail = (breaker: Breaker, times: number, key = 'k') => {
  for (let i = 0; i < times; i += 1) breaker.failed(key, down);
};

describe('a breaker', () => {
  test('opens after failures in a row, and says why', () => {
    const { breaker } = make();
    fail(breaker, 2);
    expect(() => breaker.check('k')).not.toThrow();
    fail(breaker, 1);
    expect(() => breaker.check('k')).toThrow('the server refused the connection');
    expect(() => breaker.check('other')).not.toThrow();
  });

  test('a success in between starts the count again', () => {
    const { breaker } = make();
    fail(breaker, 2);
    breaker.succeeded('k');
    fail(breaker, 2);
    expect(() => breaker.check('k')).not.toThrow();
  });

  test('lets one through after the pause, and the pause grows to its limit', async () => {
    const { breaker, clock } = make();
    fail(breaker, 3);
    for (const pauseMs of [1000, 2000, 4000, 4000]) {
      await clock.advance(pauseMs - 1);
      expect(() => breaker.check('k')).toThrow(ReadError);
      await clock.advance(1);
      expect(() => breaker.check('k')).not.toThrow();
      expect(() => breaker.check('k')).toThrow(ReadError);
      fail(breaker, 1);
    }
    await clock.advance(4000);
    breaker.check('k');
    breaker.succeeded('k');
    expect(() => breaker.check('k')).not.toThrow();
  });

  test('a trial that was given up makes room for another', async () => {
    const { breaker, clock } = make();
    fail(breaker, 3);
    await clock.advance(1000);
    breaker.check('k');
    breaker.abandoned('k');
    expect(() => breaker.check('k')).not.toThrow();
  });
});
