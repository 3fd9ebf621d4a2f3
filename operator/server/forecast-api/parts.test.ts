import { describe, expect, test } from '@jest/globals';
import { CONTEXT_LENGTH } from '../../forecast/types.ts';
import { buildWindow } from '../../forecast/window.ts';
import { checkReach, contentOf, meanOf } from './answer.ts';
import { readFrequency } from './frequency.ts';
import { type ForecastRequest, readForecastRequest } from './request.ts';
import { windowOf } from './windows.ts';

const input = {
  type: 'univariate_time_series',
  name: 'web',
  series: [1, null, 3],
  frequency: 'H',
  start_timestamp: '2026-11-21T08:00:00Z',
};
const body = { model: 'm', inputs: [input], options: { horizon: 2, quantiles: [0.5] } };
const only = (request: ForecastRequest) => request.series[0] as ForecastRequest['series'][number];

describe('a request', () => {
  test('is read with its gaps', () => {
    const request = readForecastRequest(body);
    expect(request).toMatchObject({ model: 'm', horizon: 2, quantiles: [0.5] });
    expect([...only(request).values]).toEqual([1, Number.NaN, 3]);
    expect(only(request).startMs).toBe(Date.UTC(2026, 10, 21, 8));
  });

  test.each([
    ['no options', { ...body, options: undefined }, /options/],
    ['a horizon of 0', { ...body, options: { horizon: 0 } }, /options.horizon/],
    ['a quantile of 1', { ...body, options: { horizon: 1, quantiles: [1] } }, /options.quantiles\[0\]/],
    ['no series', { ...body, inputs: [] }, /inputs is empty/],
    ['nothing known', { ...body, inputs: [{ ...input, series: [null] }] }, /no known value/],
    ['a text as a value', { ...body, inputs: [{ ...input, series: [1, '2'] }] }, /inputs\[0\].series\[1\]/],
    [
      'a value beyond 32 bits',
      { ...body, inputs: [{ ...input, series: [1e39] }] },
      /inputs\[0\].series\[0\]/,
    ],
    [
      'a wrong frequency',
      { ...body, inputs: [{ ...input, frequency: 'fortnight' }] },
      /inputs\[0\].frequency/,
    ],
    ['a frequency of 0', { ...body, inputs: [{ ...input, frequency: '0T' }] }, /inputs\[0\].frequency/],
    ['a date alone', { ...body, inputs: [{ ...input, start_timestamp: '2026-11-21' }] }, /start_timestamp/],
    [
      'the 31st of February',
      { ...body, inputs: [{ ...input, start_timestamp: '2026-02-31T25:00:00Z' }] },
      /start_timestamp/,
    ],
    ['many columns', { ...body, inputs: [{ ...input, type: 'multivariate_time_series' }] }, /univariate/],
    ['a path as the model', { ...body, model: '../m' }, /model/],
  ])('with %s is refused by its field', (_what, wrong, message) => {
    expect(() => readForecastRequest(wrong)).toThrow(message);
  });
});

test.each([
  ['second', 1_000],
  ['S', 1_000],
  ['15S', 15_000],
  ['5 minute', 300_000],
  ['T', 60_000],
  ['W', 604_800_000],
])('the step of %s', (text, stepMs) => {
  expect(readFrequency(text, 'frequency').stepMs).toBe(stepMs);
});

test('months are counted by the calendar', () => {
  const { after } = readFrequency('M', 'frequency');
  const iso = (ms: number) => new Date(ms).toISOString();
  expect(iso(after(Date.UTC(2026, 0, 31), 1))).toBe('2026-02-28T00:00:00.000Z');
  expect(iso(after(Date.UTC(2026, 0, 31), 14))).toBe('2027-03-31T00:00:00.000Z');
  expect(iso(readFrequency('Q', 'frequency').after(Date.UTC(2026, 10, 30), 1))).toBe(
    '2027-02-28T00:00:00.000Z',
  );
});

test('the window of a series is the one that the operator would cut at its end', () => {
  const stepMs = 3_600_000;
  const values = Array.from({ length: 700 }, (_, i) => (i % 7 === 3 ? null : i));
  const request = readForecastRequest({ ...body, inputs: [{ ...input, series: values }] });
  const startMs = only(request).startMs as number;
  const expected = buildWindow('web', startMs + 699 * stepMs, stepMs, (endMs, step, count) =>
    Float64Array.from({ length: count }, (_, i) => {
      const at = (endMs - startMs) / step - count + 1 + i;
      return values[at] ?? Number.NaN;
    }),
  );
  const window = windowOf(only(request));
  expect(window.context).toEqual(expected.context);
  expect(window.seasonal).toEqual(expected.seasonal);
  expect(window.context[CONTEXT_LENGTH - 1]).toBe(699);
});

describe('an answer', () => {
  const levels = [0.1, 0.5, 0.9];
  const forecast = {
    originMs: 0,
    stepMs: 3_600_000,
    horizon: 2,
    levels,
    values: Float32Array.of(1, 2, 4, 10, 20, 40),
    model: { name: 'm', version: '1', digest: '' },
  };

  test('starts after the series and interpolates between the levels', () => {
    const request = readForecastRequest({ ...body, options: { horizon: 2, quantiles: [0.5, 0.7] } });
    expect(contentOf(only(request), forecast, request, 0)).toEqual({
      type: 'univariate_time_series',
      name: 'web',
      frequency: 'H',
      start_timestamp: '2026-11-21T11:00:00Z',
      mean_forecast: [2.3, expect.closeTo(23, 9)].map((mean) =>
        typeof mean === 'number' ? expect.closeTo(mean, 9) : mean,
      ),
      quantiles: { '0.5': [2, 20], '0.7': [expect.closeTo(3, 9), expect.closeTo(30, 9)] },
    });
  });

  test('starts after the current step where the series has no time', () => {
    const request = readForecastRequest({ ...body, inputs: [{ ...input, start_timestamp: null }] });
    const now = Date.UTC(2026, 10, 21, 8, 25);
    expect(contentOf(only(request), forecast, request, now).start_timestamp).toBe('2026-11-21T09:00:00Z');
  });

  test('the mean of symmetric quantiles is their middle', () => {
    expect(meanOf([0.25, 0.5, 0.75], [1, 2, 3], 0)).toBeCloseTo(2, 12);
  });

  test.each([
    [{ horizon: 3 }, /horizon is 3; the model reaches 2/],
    [{ horizon: 1, quantiles: [0.05] }, /0.05 is not between 0.1 and 0.9/],
    [{ horizon: 1, quantiles: [0.95] }, /0.95 is not between 0.1 and 0.9/],
  ])('nothing is made up beyond the model: %j', (options, message) => {
    const request = readForecastRequest({ ...body, options });
    expect(() => checkReach(request, { horizon: 2, levels })).toThrow(message);
  });
});
