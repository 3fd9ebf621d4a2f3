import { describe, expect, test } from '@jest/globals';
import { FULL_SPEC, MINIMAL_SPEC, scaler } from '../testing/full-object.ts';
import { describeKind, refusal } from '../testing/kind-suite.ts';
import { withValue } from '../testing/paths.ts';
import { predictiveScalerSubject } from '../testing/predictivescaler.ts';
import { parsePredictiveScaler } from './kind.ts';

describeKind(predictiveScalerSubject);

describe('a valid PredictiveScaler', () => {
  test('gets the defaults that the documentation promises', () => {
    expect(parsePredictiveScaler(scaler(MINIMAL_SPEC)).spec).toEqual({
      ...MINIMAL_SPEC,
      minReplicas: 1,
      mode: 'Auto',
      objective: 'Availability',
      paused: false,
      forecast: { coverage: '0.99', history: '336h' },
    });
  });

  test('nested defaults are filled where the parent is given', () => {
    const object = withValue(scaler(FULL_SPEC), 'spec.schedules[0].timeZone', undefined);
    const { spec } = parsePredictiveScaler(withValue(object, 'spec.fallback.after', undefined));
    expect(spec.schedules?.[0]?.timeZone).toBe('UTC');
    expect(spec.fallback?.after).toBe('10m');
  });

  test.each([
    ['absent', undefined],
    ['empty', {}],
    ['one direction', { scaleDown: { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } }],
  ])('a behavior that is %s stays so', (_, behavior) => {
    const { spec } = parsePredictiveScaler(withValue(scaler(FULL_SPEC), 'spec.behavior', behavior));
    expect(spec.behavior).toEqual(behavior);
    expect('behavior' in spec).toBe(behavior !== undefined);
  });
});

describe('a cron expression that the pattern lets through is refused with its path', () => {
  test.each([
    ['a range that runs backwards', '0 20-8 * * *'],
    ['a day that never comes', '0 0 31 2 *'],
  ])('%s', (_, schedule) => {
    const object = withValue(scaler(FULL_SPEC), 'spec.schedules[0].schedule', schedule);
    expect(refusal(predictiveScalerSubject, object).subject).toBe('spec.schedules[0].schedule');
  });
});

test('keys of prototypes are data', () => {
  const object = JSON.parse(
    JSON.stringify(scaler(MINIMAL_SPEC)).replace('"spec":{', '"spec":{"__proto__":{"paused":true},'),
  ) as unknown;
  expect(parsePredictiveScaler(object).spec.paused).toBe(false);
});
