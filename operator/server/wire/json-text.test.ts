import { expect, test } from '@jest/globals';
import { readJsonData } from './json-data.ts';
import { MAX_JSON_BYTES, parseJson } from './json-text.ts';

test('a 64-bit integer beyond 2^53 stays exact', () => {
  const json = parseJson(
    Buffer.from('{"datatype":"INT64","data":[9007199254740993,-9223372036854775808,1]}'),
  );
  const { data } = json as { data: unknown };
  expect(readJsonData('INT64', [3], data, 'data')).toEqual(
    BigInt64Array.of(9007199254740993n, -(2n ** 63n), 1n),
  );
});

test.each(['9223372036854775808', '1.5', '1e30'])('%s is no INT64', (text) => {
  const { data } = parseJson(Buffer.from(`{"datatype":"INT64","data":[${text}]}`)) as { data: unknown };
  expect(() => readJsonData('INT64', [1], data, 'data')).toThrow(/data\[0\]/);
});

test('a value that is not known is null in both directions', () => {
  expect(readJsonData('FP32', [2], [null, 1], 'data')).toEqual(Float32Array.of(Number.NaN, 1));
  expect(() => readJsonData('INT32', [1], [null], 'data')).toThrow(/data\[0\]/);
});

test('nested lists must mirror the shape', () => {
  expect(
    readJsonData(
      'INT32',
      [2, 2],
      [
        [1, 2],
        [3, 4],
      ],
      'data',
    ),
  ).toEqual(Int32Array.of(1, 2, 3, 4));
  expect(() =>
    readJsonData(
      'INT32',
      [4],
      [
        [1, 2],
        [3, 4],
      ],
      'data',
    ),
  ).toThrow(/nested unlike/);
  expect(() => readJsonData('INT32', [2, 2], [[1, 2], 3, 4], 'data')).toThrow(/nested unlike/);
});

test.each([
  ['deeper than', '['.repeat(100_000)],
  ['more than', `[${'[],'.repeat(1_000_001)}1]`],
])('a large text is counted before it is parsed: %s', (message, text) => {
  expect(() => parseJson(Buffer.from(text))).toThrow(message);
});

test('brackets in strings do not count', () => {
  const text = JSON.stringify(`\\"${'['.repeat(100_000)}`);
  expect(parseJson(Buffer.from(text))).toHaveLength(100_002);
});

test('a text that is too long is not looked at', () => {
  expect(() => parseJson(Buffer.alloc(MAX_JSON_BYTES + 1))).toThrow(/larger than/);
});
