import { expect, test } from '@jest/globals';
import { boundsInForce } from './bounds.ts';
import type { ActiveSchedule } from './types.ts';

const active = (name: string, minReplicas?: number, maxReplicas?: number): ActiveSchedule => ({
  name,
  untilMs: 0,
  ...(minReplicas === undefined ? {} : { minReplicas }),
  ...(maxReplicas === undefined ? {} : { maxReplicas }),
});

test.each([
  ['none', [], { min: 2, max: 40 }],
  ['a floor', [active('sale', 10)], { min: 10, max: 40, minFrom: 'sale' }],
  ['a ceiling', [active('night', undefined, 5)], { min: 2, max: 5, maxFrom: 'night' }],
  [
    'the highest of each',
    [active('a', 5, 8), active('b', 10, 20)],
    { min: 10, max: 20, minFrom: 'b', maxFrom: 'b' },
  ],
  [
    'a floor above a ceiling wins',
    [active('a', 10), active('b', undefined, 4)],
    { min: 10, max: 10, minFrom: 'a', maxFrom: 'b' },
  ],
  ['never outside the spec', [active('a', 90, 90)], { min: 40, max: 40, minFrom: 'a' }],
  ['a floor below the spec’s own changes nothing', [active('a', 1)], { min: 2, max: 40 }],
])('%s', (_, schedules, expected) => {
  expect(boundsInForce({ minReplicas: 2, maxReplicas: 40 }, schedules)).toEqual(expected);
});
