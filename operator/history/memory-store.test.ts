import { describe, expect, test } from '@jest/globals';
import { MemoryHistory } from './memory-store.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function storeAt(nowMs: number, options: { maxPoints?: number; maxSeries?: number } = {}) {
  const clock = { now: nowMs };
  return { clock, history: new MemoryHistory({ now: () => clock.now, ...options }) };
}

describe('readings', () => {
  test.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a negative load', -1],
    ['more than float32 holds', 1e39],
  ])('%s is not a load', (_, value) => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    expect(history.append('a', HOUR, value)).toBe('notANumber');
    expect(history.span('a')).toBeUndefined();
  });

  test('a stamp from the future is refused beyond the tolerance', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    expect(history.append('a', HOUR + 2 * MINUTE, 1)).toBe('stored');
    expect(history.append('a', HOUR + 2 * MINUTE + 1, 1)).toBe('future');
  });

  test('a series must be declared', () => {
    const { history } = storeAt(HOUR);
    expect(history.append('a', HOUR, 1)).toBe('undeclared');
    expect([...history.window('a', HOUR, MINUTE, 2)]).toEqual([Number.NaN, Number.NaN]);
  });

  test.each([0, 999, 1.5, Number.NaN, 86_400_001])('a step of %p ms is refused', (stepMs) => {
    expect(() => storeAt(0).history.declare('a', { stepMs })).toThrow('step');
  });

  test('more series than allowed are refused, the others go on', () => {
    const { history } = storeAt(HOUR, { maxSeries: 1 });
    history.declare('a', { stepMs: MINUTE });
    expect(() => history.declare('b', { stepMs: MINUTE })).toThrow('more than 1 series');
    expect(history.append('a', HOUR, 1)).toBe('stored');
  });
});

describe('windows', () => {
  test('are oldest first, end with the step that contains the end, and show gaps as NaN', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    history.append('a', HOUR - 2 * MINUTE, 1);
    history.append('a', HOUR + 30_000, 3);
    expect([...history.window('a', HOUR + 59_999, MINUTE, 4)]).toEqual([Number.NaN, 1, Number.NaN, 3]);
  });

  test('of a coarser step are means of what is known', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    history.append('a', HOUR, 2);
    history.append('a', HOUR + MINUTE, 4);
    expect([...history.window('a', HOUR, 5 * MINUTE, 2)]).toEqual([Number.NaN, 3]);
  });

  test('another step re-bins what is known', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    for (let i = 0; i < 10; i++) history.append('a', i * MINUTE, i);
    history.declare('a', { stepMs: 5 * MINUTE });
    expect([...history.window('a', 9 * MINUTE, 5 * MINUTE, 2)]).toEqual([4, 9]);
  });
});

describe('back-fill', () => {
  test('fills gaps only; live readings win', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    history.append('a', 3 * MINUTE, 100);
    const values = Float64Array.from([1, 2, 3, 4, Number.NaN, -1]);
    expect(history.fill('a', { startMs: MINUTE, stepMs: MINUTE, values })).toBe(3);
    expect([...history.window('a', 6 * MINUTE, MINUTE, 7)]).toEqual([
      Number.NaN,
      1,
      2,
      100,
      4,
      Number.NaN,
      Number.NaN,
    ]);
  });

  test('drops what lies in the future or before the kept past', () => {
    const { history } = storeAt(HOUR, { maxPoints: 10 });
    history.declare('a', { stepMs: MINUTE });
    const values = new Float64Array(120).fill(7);
    expect(history.fill('a', { startMs: 0, stepMs: MINUTE, values })).toBe(10);
    expect(history.span('a')).toMatchObject({ firstMs: 53 * MINUTE, lastMs: 62 * MINUTE, known: 10 });
  });

  test('a coarser series repeats over the steps under it', () => {
    const { history } = storeAt(HOUR);
    history.declare('a', { stepMs: MINUTE });
    expect(history.fill('a', { startMs: 0, stepMs: 3 * MINUTE, values: Float64Array.of(5) })).toBe(3);
  });
});

test('a thousand series with 15 days of minutes fit into 90 MB, new ones into 2 MB', () => {
  const minutes = 15 * 1440;
  const { history } = storeAt(minutes * MINUTE);
  for (let i = 0; i < 1000; i++) history.declare(`series/${i}`, { stepMs: MINUTE });
  expect(history.bytes).toBe(0);
  history.append('series/0', 0, 1);
  expect(history.bytes).toBeLessThan(2e6);
  const values = new Float64Array(minutes).fill(1);
  for (let i = 0; i < 100; i++) history.fill(`series/${i}`, { startMs: 0, stepMs: MINUTE, values });
  expect(history.bytes).toBeLessThan(9e6);
});
