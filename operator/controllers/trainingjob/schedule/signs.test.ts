import { expect, test } from '@jest/globals';
import { signOf, type WatchedScaler } from './signs.ts';

type Condition = { readonly status: 'True' | 'False' | 'Unknown'; readonly reason: string };

function scaler(
  name: string,
  drift?: Condition,
  coverage?: { readonly asked?: string; readonly realised?: string },
): WatchedScaler {
  const conditions =
    drift === undefined
      ? []
      : [
          {
            type: 'ForecastDrift',
            ...drift,
            message: 'PSI 0.31',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ];
  return { metadata: { name, namespace: 'shop' }, status: { conditions, ...(coverage && { coverage }) } };
}

const DRIFTS = { status: 'True', reason: 'ErrorsGrew' } as const;
const QUIET = { status: 'False', reason: 'NoDrift' } as const;
const EARLY = { status: 'Unknown', reason: 'TooEarly' } as const;
const BOTH = { drift: true, scoreBreach: true, breachFactor: 2 };
const MISSES = { asked: '0.99', realised: '0.9700' };

test('a drift is named by scaler and reason, and by no number that moves', () => {
  const message = 'shop/a reports ForecastDrift (ErrorsGrew), and others';
  expect(signOf([scaler('b', DRIFTS), scaler('a', DRIFTS), scaler('c', QUIET)], BOTH)).toEqual({
    cause: 'Drift',
    message,
  });
});

test.each<[string, WatchedScaler, boolean]>([
  ['misses thrice as often as it may', scaler('a', QUIET, MISSES), true],
  ['misses just twice as often', scaler('a', QUIET, { asked: '0.99', realised: '0.9800' }), false],
  ['misses more than twice as often', scaler('a', QUIET, { asked: '0.99', realised: '0.9799' }), true],
  ['misses less than twice as often', scaler('a', QUIET, { asked: '0.9', realised: '0.8001' }), false],
  ['keeps its word', scaler('a', QUIET, { asked: '0.99', realised: '0.9950' }), false],
  ['has hardly begun', scaler('a', EARLY, MISSES), false],
  ['is not judged', scaler('a', undefined, MISSES), false],
  ['has no coverage yet', scaler('a', QUIET, { asked: '0.99' }), false],
])('one that %s', (_, given, breached) => {
  expect(signOf([given], BOTH)?.cause).toBe(breached ? 'ScoreBreach' : undefined);
});

test('how often is too often is asked for, too', () => {
  const missing = scaler('a', QUIET, { asked: '0.99', realised: '0.9700' });
  const caused = [1.1, 2.9, 3, 3.1, 20].filter(
    (breachFactor) => signOf([missing], { ...BOTH, breachFactor }) !== undefined,
  );
  expect(caused).toEqual([1.1, 2.9]);
  expect(signOf([missing], { ...BOTH, breachFactor: 2.5 })?.message).toBe(
    'the forecast of shop/a misses more than 2.5 times as often as its coverage of 0.99 allows',
  );
});

test('only what is asked for counts, and nothing of a scaler that goes', () => {
  expect(signOf([scaler('a', DRIFTS)], { ...BOTH, drift: false })).toBeUndefined();
  expect(signOf([scaler('a', QUIET, MISSES)], { ...BOTH, scoreBreach: false })).toBeUndefined();
  const going = scaler('a', DRIFTS);
  const metadata = { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
  expect(signOf([{ ...going, metadata }], BOTH)).toBeUndefined();
});
