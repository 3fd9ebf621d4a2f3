import { expect, test } from '@jest/globals';
import { replayCalendar } from '../clock.ts';
import { FakeClock } from './fake-clock.ts';

test('timers fire in order of their time, also those set by other timers', async () => {
  const clock = new FakeClock(0);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`late at ${clock.now()}`));
  clock.after(5, () => {
    seen.push(`early at ${clock.now()}`);
    clock.after(5, () => seen.push(`nested at ${clock.now()}`));
  });
  await clock.advance(20);
  expect(seen).toEqual(['early at 5', 'nested at 10', 'late at 20']);
});

test('an aborted sleep rejects with the reason of the signal', async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const sleeping = clock.sleep(1000, abort.signal);
  abort.abort(new Error('shutdown'));
  await expect(sleeping).rejects.toThrow('shutdown');
});

test('a replay calendar runs faster than real time and can be inverted', () => {
  const calendar = replayCalendar(1_000, 500_000, 60);
  expect(calendar.fromReal(3_000)).toBe(500_000 + 120_000);
  expect(calendar.toReal(calendar.fromReal(12_345))).toBe(12_345);
});
