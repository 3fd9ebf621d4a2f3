import { expect, test } from '@jest/globals';
import { persistence } from '../../forecast/persistence.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { resting } from './resting.ts';

const signal = new AbortController().signal;

test('after a failure nobody is asked for a moment, then the next one is', async () => {
  const clock = new FakeClock();
  let asked = 0;
  let fails = true;
  const server = resting(
    {
      id: 'mine@1',
      forecast(windows, until) {
        asked += 1;
        return fails ? Promise.reject(new Error('away')) : persistence.forecast(windows, until);
      },
    },
    clock,
  );
  await expect(server.forecast([], signal)).rejects.toThrow('away');
  await expect(server.forecast([], signal)).rejects.toThrow('away');
  expect(asked).toBe(1);
  expect(server.failure).toBeInstanceOf(Error);
  fails = false;
  await clock.advance(5_000);
  await server.forecast([], signal);
  expect(asked).toBe(2);
  expect(server.failure).toBeUndefined();
  await server.forecast([], signal);
  expect(asked).toBe(3);
});

test('who gave up waiting has not seen it fail', async () => {
  const clock = new FakeClock();
  const given = AbortSignal.abort(new Error('shutting down'));
  const server = resting({ id: 'mine@1', forecast: () => Promise.reject(given.reason) }, clock);
  await expect(server.forecast([], given)).rejects.toThrow('shutting down');
  expect(server.failure).toBeUndefined();
});
