import { expect, test } from '@jest/globals';
import { type Measurement, QueryGuard, type QueryLimits } from './query.ts';

const LIMITS: QueryLimits = {
  max: 0.001,
  min: undefined,
  count: 3,
  failureLimit: 0,
  inconclusiveLimit: 0,
  consecutiveErrorLimit: 2,
};
const NONE: Measurement = { kind: 'none', why: 'the query matches no series' };
const ERROR: Measurement = { kind: 'error', why: 'the server refused the connection' };
const value = (number: number): Measurement => ({ kind: 'number', value: number });

function after(limits: Partial<QueryLimits>, ...measurements: readonly Measurement[]) {
  const guard = new QueryGuard('Prometheus[0]', { ...LIMITS, ...limits });
  for (const measurement of measurements) guard.take(measurement);
  return guard.finding;
}

test.each<[string, Partial<QueryLimits>, Measurement[], string]>([
  ['nothing was asked', {}, [], 'Waiting'],
  ['too few values', {}, [value(0), value(0.001)], 'Waiting'],
  ['enough values inside', {}, [value(0), value(0.001), value(0.0004)], 'Passed'],
  ['one above', {}, [value(0.0011)], 'Breached'],
  ['infinity', {}, [value(Infinity)], 'Breached'],
  ['one below', { min: 0.0005 }, [value(0.0004)], 'Breached'],
  ['as many failures as are put up with', { failureLimit: 1 }, [value(1), value(0)], 'Waiting'],
  ['one more', { failureLimit: 1 }, [value(1), value(0), value(1)], 'Breached'],
  ['a failure after it was passed', {}, [value(0), value(0), value(0), value(1)], 'Breached'],
  ['an empty answer', {}, [value(0), value(0), value(0), NONE], 'Blind'],
  ['NaN', {}, [value(0), value(0), value(0), value(Number.NaN)], 'Blind'],
  [
    'an empty answer that is put up with',
    { inconclusiveLimit: 1 },
    [value(0), value(0), value(0), NONE],
    'Passed',
  ],
  ['an empty answer, and numbers again', {}, [NONE, value(0), value(0), value(0)], 'Passed'],
  ['as many errors as are put up with', {}, [value(0), value(0), value(0), ERROR, ERROR], 'Passed'],
  ['one more error', {}, [value(0), value(0), value(0), ERROR, ERROR, ERROR], 'Blind'],
  ['a failure, and then nothing', {}, [value(1), ERROR, ERROR, ERROR, NONE], 'Breached'],
])('%s', (_, limits, measurements, outcome) => {
  expect(after(limits, ...measurements).outcome).toBe(outcome);
});

test('it says why, in words that do not move', () => {
  expect(after({}, value(0.5)).message).toBe('its value was above 0.001');
  expect(after({ failureLimit: 1 }, value(1), value(2)).message).toBe(
    'its value was above 0.001 more than 1 times',
  );
  expect(after({}, ERROR, ERROR, ERROR).message).toBe('the server refused the connection');
  expect(after({}).message).toBe('fewer than 3 answers were inside the limits');
});
