import { describe, expect, test } from '@jest/globals';
import type { Signature } from '../child/protocol.ts';
import type { Tensor } from '../types.ts';
import { checkFinite, checkForecast, closeTo, halfToNumber } from './answers.ts';
import { quantile99 } from './before-serving.ts';
import { firstDifference, parseGolden } from './golden.ts';
import { sampleInputs } from './samples.ts';

const signature: Signature = {
  opset: 18,
  random: false,
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 2] },
    { name: 'n', datatype: 'INT64', shape: [-1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
};
const y = (...values: number[]): Tensor => ({
  name: 'y',
  datatype: 'FP32',
  shape: [1, values.length],
  data: Float32Array.from(values),
});
const golden = (over: object = {}, oneCase: object = {}) => ({
  tolerance: 0.01,
  cases: [
    {
      inputs: [
        { name: 'n', shape: [1], data: ['9007199254740993'] },
        { name: 'x', shape: [1, 2], data: [1, null] },
      ],
      outputs: [{ name: 'y', data: [3, null] }],
      ...oneCase,
    },
  ],
  ...over,
});

describe('golden vectors', () => {
  test('read tensors in the order of the signature, null as NaN, long integers exactly', () => {
    const { cases } = parseGolden(golden(), signature, '');
    expect(cases[0]?.inputs.map((tensor) => tensor.data)).toEqual([
      Float32Array.of(1, Number.NaN),
      BigInt64Array.of(9_007_199_254_740_993n),
    ]);
  });

  test.each<[string, object]>([
    ['no cases', golden({ cases: [] })],
    ['a tolerance above 1', golden({ tolerance: 2 })],
    ['an unknown output', golden({}, { outputs: [{ name: 'q', data: [1] }] })],
    ['a missing input', golden({}, { inputs: [] })],
    ['an integer that is none', golden({}, { inputs: [{ name: 'n', shape: [1], data: [1.5] }] })],
    ['a shape that does not fit its data', golden({}, { inputs: [{ name: 'n', shape: [2], data: [1] }] })],
    ['another digest', golden({ modelSha256: 'ab' })],
    [
      "a forecaster's, for a model that is none",
      { cases: [{ context: [], seasonal: [], steps: [0], quantiles: [[1]] }] },
    ],
  ])('refuse %s', (_, json) => {
    expect(() => parseGolden(json, signature, 'cd')).toThrow(
      expect.objectContaining({ subject: 'GoldenInvalid' }),
    );
  });

  test.each<[string, Tensor, RegExp | undefined]>([
    ['equal', y(3, Number.NaN), undefined],
    ['within the tolerance, by the largest finite number', y(3.02, Number.NaN), undefined],
    ['outside of it', y(4e14, Number.NaN), /"y"\[0\] is 4.*expected 3/],
    ['a number where NaN is expected', y(3, 1), /"y"\[1\] is 1, expected NaN/],
    ['too short', y(3), /1 values, not 2/],
  ])('compare: %s', (_, answer, difference) => {
    const [one] = parseGolden(golden(), signature, '').cases;
    if (one === undefined) throw new Error('no case');
    const found = firstDifference(one, 0.01, [answer]);
    if (difference === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(difference);
  });
});

describe('answers', () => {
  test('NaN and infinity are found in every kind of float', () => {
    expect(() => checkFinite([y(1, 2)])).not.toThrow();
    expect(() => checkFinite([y(1, Number.POSITIVE_INFINITY)])).toThrow(/NaN or infinity/);
    const half: Tensor = { name: 'h', datatype: 'FP16', shape: [1], data: Uint16Array.of(0x7c01) };
    expect(() => checkFinite([half])).toThrow(/"h"/);
  });

  test('quantiles must not go down, but for rounding', () => {
    const forecaster: Signature = {
      ...signature,
      forecast: { name: 'f', version: '1', horizon: 2, levels: [0.1, 0.5, 0.9] },
    };
    const quantiles = (...values: number[]): Tensor => ({
      name: 'quantiles',
      datatype: 'FP32',
      shape: [1, 2, 3],
      data: Float32Array.from(values),
    });
    expect(() => checkForecast(forecaster, [quantiles(1, 2, 3, 0, 1_000_000, 999_999.9375)])).not.toThrow();
    expect(() => checkForecast(forecaster, [quantiles(1, 2, 3, 2, 1, 3)])).toThrow(
      expect.objectContaining({ subject: 'QuantilesCrossed', message: expect.stringMatching(/step 1/) }),
    );
    expect(() => checkForecast(forecaster, [y(1, 2)])).toThrow(
      expect.objectContaining({ subject: 'WrongOutputs' }),
    );
  });

  test('close means close, and NaN is close to NaN', () => {
    expect(closeTo([y(1000, Number.NaN)], [y(1000.01, Number.NaN)])).toBe(true);
    expect(closeTo([y(1000, 1)], [y(1001, 1)])).toBe(false);
    expect(closeTo([y(1)], [])).toBe(false);
  });

  test.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x0001, 2 ** -24],
    [0x7bff, 65_504],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ])('half %i is %d', (bits, number) => {
    expect(halfToNumber(bits)).toBe(number);
  });
});

describe('made-up inputs', () => {
  test('fit the signature, differ by seed and stay small', () => {
    const [first] = sampleInputs(signature, 0);
    const [second] = sampleInputs(signature, 1);
    expect(first?.map((tensor) => tensor.shape)).toEqual([[1, 2], [1]]);
    expect(first?.[0]?.data).not.toEqual(second?.[0]?.data);
    for (const value of first?.[0]?.data ?? []) expect(value).toBeLessThan(1);
  });

  test('open inner dimensions are tried in growing sizes', () => {
    const open: Signature = { ...signature, inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1, 3] }] };
    expect(sampleInputs(open, 0).map(([tensor]) => tensor?.shape)).toEqual([
      [1, 1, 3],
      [1, 8, 3],
      [1, 64, 3],
    ]);
  });
});

test('p99 is the nearest rank, the largest of few', () => {
  expect(quantile99([3, 1, 2])).toBe(3);
  expect(quantile99(Array.from({ length: 200 }, (_, i) => i + 1))).toBe(198);
});
