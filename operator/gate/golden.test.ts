import { expect, test } from '@jest/globals';
import { CONTEXT_LENGTH, type Forecaster, MODEL_LEVELS } from '../forecast/types.ts';
import { SEASONAL_LENGTH } from '../inference/runner.ts';
import { goldenDifference, parseGolden } from './golden.ts';

const { signal } = new AbortController();
const QUANTILES = MODEL_LEVELS.map((_, k) => 10 + k);

function golden(quantiles: readonly (readonly number[])[] = [QUANTILES]) {
  const parsed = parseGolden(
    JSON.stringify({
      modelSha256: 'a'.repeat(64),
      tolerance: 1e-4,
      cases: [
        {
          name: 'one',
          context: Array(CONTEXT_LENGTH).fill(10),
          seasonal: [Array(SEASONAL_LENGTH).fill(10)],
          steps: [0],
          quantiles,
        },
      ],
    }),
  );
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

function answering(values: readonly number[] | undefined): Forecaster {
  return {
    id: 'test',
    forecast: () =>
      Promise.resolve(
        values === undefined
          ? []
          : [
              {
                originMs: 0,
                stepMs: 60_000,
                horizon: 1,
                levels: MODEL_LEVELS.slice(0, values.length),
                values: Float32Array.from(values),
                model: { name: 'test', version: '1', digest: '' },
              },
            ],
      ),
  };
}

test.each<[string, readonly number[] | undefined, readonly (readonly number[])[], RegExp | undefined]>([
  ['the same numbers are equal', QUANTILES, [QUANTILES], undefined],
  ['one that differs is told', QUANTILES.with(2, 99), [QUANTILES], /step 0 is 99, the trainer says 12/],
  ['no answer is no equality', undefined, [QUANTILES], /there is no forecast/],
  ['an answer without levels neither', [], [QUANTILES], /1 x 13 quantiles are not 1 x 0/],
  ['nor one of fewer', QUANTILES.slice(0, 3), [QUANTILES], /are not 1 x 3/],
  ['nor vectors of fewer steps', QUANTILES, [], /0 x 13/],
])('%s', async (_, values, quantiles, message) => {
  const vectors = {
    ...golden(),
    cases: golden().cases.map((one) => ({ ...one, quantiles: quantiles.map((row) => [...row]) })),
  };
  const difference = await goldenDifference(answering(values), vectors, signal);
  if (message === undefined) expect(difference).toBeUndefined();
  else expect(difference).toMatch(message);
});
