import { expect, test } from '@jest/globals';
import { firstSight, recordRecommendation } from './memory.ts';
import { parseDecisionMemory } from './stored-memory.ts';

const memory = {
  ...recordRecommendation(firstSight(4, 1000), 6, 2000, 300_000),
  scaleUps: [{ change: 2, atMs: 1500 }],
  outliers: {
    m: { acceptedMilli: 1, acceptedAtMs: 1, suspect: { milli: 9, sinceMs: 1, samples: 1, lastAtMs: 1 } },
  },
};

test('a memory survives being stored', () => {
  expect(parseDecisionMemory(JSON.parse(JSON.stringify(memory)))).toEqual(memory);
});

test.each([
  ['nothing', undefined],
  ['a text', 'memory'],
  ['a negative count', { ...memory, recommendations: [{ replicas: -1, atMs: 1 }] }],
  ['a field of another version', { ...memory, panics: [] }],
  ['a missing field', { recommendations: [] }],
])('%s is no memory', (_what, value) => {
  expect(parseDecisionMemory(value)).toBeUndefined();
});
