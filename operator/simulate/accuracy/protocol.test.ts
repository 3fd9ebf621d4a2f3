import { expect, test } from '@jest/globals';
import { bestSeason, leadOf, protocolOf } from './protocol.ts';
import { sceneOf } from './scene.ts';
import { DAY_STEPS, FIVE_MINUTES, madeLoad, traceOf } from './testing/fixtures.ts';

const HOUR = 3_600_000;
const protocol = (values: number[], stepMs = FIVE_MINUTES) =>
  protocolOf(sceneOf(traceOf('x', values, stepMs)));

test('the last 30 % are scored; 14 days of five minutes enter the aggregate', () => {
  expect(protocol(madeLoad(14 * DAY_STEPS))).toMatchObject({
    split: Math.floor(14 * DAY_STEPS * 0.7),
    season: { name: 'day', steps: DAY_STEPS },
    days: 14,
    leftOut: null,
  });
});

test.each([
  ['a day less', madeLoad(13 * DAY_STEPS), FIVE_MINUTES, '13.00 days are fewer than 14'],
  ['coarser steps', madeLoad(1000), HOUR, 'its step of 3600 s is longer than 5 min'],
])('%s is scored but left out', (_, values, stepMs, leftOut) => {
  expect(protocol(values, stepMs)).toMatchObject({ leftOut });
});

test('a series shorter than a season has none, and the scale of single steps', () => {
  expect(protocol([1, 3, 1, 3, 1, 3, 1, 3, 1, 3])).toMatchObject({
    season: { name: 'none', steps: 1 },
    scale: 2,
  });
});

test('nothing can be scored of a constant, of a constant end, or of three steps', () => {
  expect(protocol(Array<number>(5000).fill(7))).toBe('constant: nothing to forecast');
  expect(protocol([...madeLoad(700), ...Array<number>(300).fill(7)])).toBe('constant: nothing to forecast');
  expect(protocol([1, 2, 3])).toBe('3 steps are too few to score');
});

test('a week where it errs less on the training part, a day where it does not or two weeks are not known', () => {
  const weekend = (i: number): number => (Math.floor(i / 24) % 7 < 5 ? 100 : 10) + (i % 24);
  const hours = (days: number): Float64Array =>
    Float64Array.from({ length: days * 24 }, (_, i) => weekend(i));
  expect(bestSeason(hours(15), HOUR)).toEqual({ name: 'week', steps: 168 });
  expect(bestSeason(hours(14), HOUR)).toEqual({ name: 'day', steps: 24 });
  const trend = Float64Array.from({ length: 480 }, (_, i) => i);
  expect(bestSeason(trend, HOUR)).toEqual({ name: 'day', steps: 24 });
});

test('a horizon is whole steps, and at least one', () => {
  expect(leadOf(900_000, FIVE_MINUTES)).toBe(3);
  expect(leadOf(60_000, FIVE_MINUTES)).toBe('its step is longer than the horizon');
});
