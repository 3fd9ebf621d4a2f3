import { expect, test } from '@jest/globals';
import { chooseWindow, HISTORY_MINUTES, loadAt, MINUTE_MS, readTrace, type Trace } from './trace.ts';

const startMs = Date.UTC(2026, 5, 1); // a Monday

/** Flat but for one rise at 09:00 of day 14 (a Monday) and a larger one on the day before (a Sunday). */
function flat(rises: Record<number, number>): Trace {
  const values = Array.from({ length: 17 * 1440 }, () => 10);
  for (const [from, size] of Object.entries(rises))
    for (let i = 0; i < 60; i++) values[Number(from) + i] = size;
  return { startMs, stepMs: MINUTE_MS, values };
}

test('the window begins an hour before the steepest rise of the first working day with history', () => {
  const nine = HISTORY_MINUTES + 9 * 60;
  const window = chooseWindow(flat({ [nine]: 50, [nine - 1440]: 90, [nine + 1440]: 90 }), 240);
  expect(new Date(window.fromMs).toISOString()).toBe('2026-06-15T08:00:00.000Z');
  expect(window.toMs - window.fromMs).toBe(240 * MINUTE_MS);
});

test('a day whose rise lies beside missing minutes gives its next best span', () => {
  const nine = HISTORY_MINUTES + 9 * 60;
  const trace = flat({ [nine]: 50, [nine + 300]: 40 });
  (trace.values as number[])[nine + 90] = 0;
  expect(new Date(chooseWindow(trace, 240).fromMs).toISOString()).toBe('2026-06-15T13:00:00.000Z');
});

test('a window that lacks history or data is refused with the possible range', () => {
  expect(() => chooseWindow(flat({}), 240, '2026-06-02T00:00Z')).toThrow(/between 2026-06-15/);
  expect(() => chooseWindow(flat({}), 240, 'noon')).toThrow(/WINDOW must be a time/);
});

test('the excerpt reads as three whole weeks of minutes', () => {
  const trace = readTrace();
  expect(trace.values).toHaveLength(21 * 1440);
  expect(trace.values.every((value) => Number.isInteger(value) && value >= 0)).toBe(true);
  expect(loadAt(trace, trace.startMs + 90_000)).toBe(trace.values[1]);
  expect(loadAt(trace, trace.startMs - 1)).toBeUndefined();
});
