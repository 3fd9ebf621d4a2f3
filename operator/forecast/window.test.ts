import { describe, expect, test } from '@jest/globals';
import { MINUTE, readerOf } from './testing/series.ts';
import { SEASON_WINDOW } from './types.ts';
import { buildWindow, knownSteps, lastKnown, seasonLagSteps } from './window.ts';

const HOUR = 60 * MINUTE;

describe('a window', () => {
  // The value of a minute is its own number, so every position can be told.
  const days = 15;
  const values = Float64Array.from({ length: days * 1440 + 200 }, (_, i) => i);
  const origin = days * 1440;
  const window = buildWindow('k', origin * MINUTE + 30_000, MINUTE, readerOf(values));

  test('starts at the step that contains the origin and sees nothing after it', () => {
    expect(window.originMs).toBe(origin * MINUTE);
    expect(window.context[511]).toBe(origin);
    expect(window.context[0]).toBe(origin - 511);
    expect(Math.max(...window.seasonal)).toBeLessThan(origin);
  });

  test.each([
    [0, 1],
    [1, 2],
    [2, 7],
    [3, 14],
  ])('row %i holds 64 steps on either side of %i days ago', (row, lag) => {
    const at = (column: number) => window.seasonal[row * 128 + column];
    expect(at(SEASON_WINDOW - 1)).toBe(origin - lag * 1440);
    expect(at(0)).toBe(origin - lag * 1440 - 63);
    expect(at(127)).toBe(origin - lag * 1440 + 64);
  });

  test('of coarse steps leaves unknown what the lag would read from the future', () => {
    const hourly = buildWindow(
      'k',
      400 * HOUR,
      HOUR,
      readerOf(Float64Array.from({ length: 1000 }, (_, i) => i)),
    );
    expect(seasonLagSteps(HOUR)).toEqual([24, 48, 168, 336]);
    expect(hourly.seasonal[63 + 24]).toBe(400);
    expect(hourly.seasonal[63 + 25]).toBeNaN();
    expect(hourly.seasonal[127]).toBeNaN();
    expect(hourly.seasonal[128 + 63 + 48]).toBe(400);
    expect(hourly.seasonal[128 + 63 + 49]).toBeNaN();
  });

  test('shows gaps as NaN and knows its last value', () => {
    const gappy = Float64Array.from({ length: 20 }, (_, i) => (i === 19 ? Number.NaN : i));
    const short = buildWindow('k', 19 * MINUTE, MINUTE, readerOf(gappy));
    expect(knownSteps(short)).toBe(19);
    expect(lastKnown(short)).toEqual({ value: 18, age: 1 });
  });
});
