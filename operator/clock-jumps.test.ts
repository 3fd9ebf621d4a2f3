import { expect, test } from '@jest/globals';
import { watchClockJumps } from './clock-jumps.ts';
import { FakeClock } from './testing/fake-clock.ts';

test('jumps add up, in both directions', async () => {
  const clock = new FakeClock();
  const jumped = watchClockJumps(clock);
  await clock.advance(3_600_000);
  expect(jumped()).toBe(0);
  clock.jumpWallClock(3_600_000);
  expect(jumped()).toBe(3_600_000);
  await clock.advance(15_000);
  clock.jumpWallClock(-5_000_000);
  expect(jumped()).toBe(-1_400_000);
  expect(jumped()).toBe(-1_400_000);
});

test('slewing is not a jump until it has come to a second', () => {
  const clock = new FakeClock();
  const jumped = watchClockJumps(clock);
  clock.jumpWallClock(600);
  expect(jumped()).toBe(0);
  clock.jumpWallClock(600);
  expect(jumped()).toBe(1_200);
});
