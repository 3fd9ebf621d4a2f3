import { expect, test } from '@jest/globals';
import { EMPTY_INDEX, moveAlias, publish } from '../registry/model-index.ts';
import { entryOf } from '../registry/version-entry.ts';
import { diffText, listText, showText } from './models-text.ts';

const NOW = Date.UTC(2026, 10, 21, 10);
const plain = publish(EMPTY_INDEX, { storageUri: 's3://models/1.onnx', sha256: 'a'.repeat(64) }, NOW).index;
const gated = publish(
  plain,
  entryOf({
    storageUri: 's3://models/bbbb/model.onnx',
    sha256: 'b'.repeat(64),
    lineage: { family: 'gru', seed: 3, code: { sha256: 'c'.repeat(64) } },
    scores: { lossVsIncumbent: 0.93, relMase: null },
    tags: { run: 'nightly-7' },
  }),
  NOW,
).index;
const index = moveAlias(moveAlias(gated, 'stable', 1), 'candidate', 2);

test('the list has the newest first, with aliases, score and tags', () => {
  expect(listText(EMPTY_INDEX)).toBe('no version yet');
  const [head, newest, oldest] = listText(index).split('\n');
  expect(head?.split(/ +/)).toEqual(['VERSION', 'ALIASES', 'SHA256', 'CREATED', 'SCORE', 'TAGS', 'URI']);
  expect(newest).toMatch(/^ +2 +candidate +b{12} +2026-11-21T10:00:00.000Z +0.93 +run=nightly-7 +s3:/);
  expect(oldest).toMatch(/^ +1 +stable +a{12} .* - +s3:\/\/models\/1.onnx$/);
});

test('a version is shown whole, and one that says little shows little', () => {
  const text = showText(index, 2);
  for (const part of ['candidate', 'b'.repeat(64), 'run=nightly-7', 's3://models/bbbb/lineage.json'])
    expect(text).toContain(part);
  expect(text).toMatch(/^ {2}code +cccccccccccc$/m);
  expect(text).toMatch(/^ {2}relMase +-$/m);
  expect(showText(index, 1)).toMatch(/^scores +none$/m);
  expect(() => showText(index, 3)).toThrow(/no version 3/);
});

test('two versions are set side by side', () => {
  expect(diffText(index, 1, 2)).toMatch(/score +lossVsIncumbent +- +0.93/);
  expect(diffText(index, 1, 1)).toBe('nothing is known that differs');
});
