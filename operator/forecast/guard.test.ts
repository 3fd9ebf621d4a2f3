import { expect, test } from '@jest/globals';
import { faultOf } from './guard.ts';
import type { ForecastWindow, QuantileForecast } from './types.ts';

const window: ForecastWindow = {
  key: 'k',
  context: new Float32Array(512).fill(10),
  seasonal: new Float32Array(512).fill(Number.NaN),
  originMs: 0,
  stepMs: 60_000,
};
const sound: QuantileForecast = {
  originMs: 0,
  stepMs: 60_000,
  horizon: 2,
  levels: [0.1, 0.5, 0.9],
  values: Float32Array.of(9, 10, 11, 8, 10, 12),
  model: { name: 'm', version: '1', digest: 'd' },
};

test('a sound forecast passes, also with quantiles that touch', () => {
  expect(faultOf(sound, window)).toBeUndefined();
  expect(faultOf({ ...sound, values: new Float32Array(6).fill(10) }, window)).toBeUndefined();
});

test.each([
  ['NaN', { values: Float32Array.of(9, 10, 11, 8, Number.NaN, 12) }, 'not finite 2 steps ahead'],
  ['infinity', { values: Float32Array.of(9, 10, Number.POSITIVE_INFINITY, 8, 10, 12) }, 'not finite 1 steps'],
  ['a thousandfold', { values: Float32Array.of(9, 10, 11, 8, 10, 10_001) }, 'explodes'],
  ['a negative explosion', { values: Float32Array.of(-20_000, 10, 11, 8, 10, 11) }, 'explodes'],
  ['crossing quantiles', { values: Float32Array.of(9, 10, 11, 12, 10, 8) }, 'crossing'],
  ['too few values', { values: Float32Array.of(9, 10, 11) }, 'has 3 values'],
  ['another origin', { originMs: 60_000 }, 'another window'],
  ['levels out of order', { levels: [0.5, 0.1, 0.9] }, 'levels'],
])('%s is a fault', (_, change, message) => {
  expect(faultOf({ ...sound, ...change }, window)).toContain(message);
});
