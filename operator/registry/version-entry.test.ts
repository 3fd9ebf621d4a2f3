import { describe, expect, test } from '@jest/globals';
import { differencesOf } from './compare.ts';
import { EMPTY_INDEX, indexText, type ModelIndex, parseIndex, publish, versionOf } from './model-index.ts';
import { entryOf, factsOf, tagVersion, type VersionSource } from './version-entry.ts';

const NOW = Date.UTC(2026, 10, 21);
const DIGEST = (sign: string): string => sign.repeat(64);

const source = (sha256: string, change: Partial<VersionSource> = {}): VersionSource => ({
  storageUri: `s3://models/loadcast/${sha256.slice(0, 12)}/model.onnx`,
  sha256,
  lineage: {
    family: 'patch-mixer',
    seed: 1,
    code: { package: '1.2.0', sha256: DIGEST('c') },
    data: { series: 40, trainEnd: '2026-11-01T00:00:00Z', validateEnd: '2026-11-10T00:00:00Z' },
  },
  scores: { lossVsIncumbent: 0.912345678, relMase: 0.5, coverage99: null },
  ...change,
});

function filled(...sources: readonly VersionSource[]): ModelIndex {
  return sources.reduce((index, one) => publish(index, entryOf(one), NOW).index, EMPTY_INDEX);
}

describe('the entry of a version', () => {
  const index = parseIndex(indexText(filled(source(DIGEST('a'), { tags: { why: 'drift' } }))));

  test('says where its lineage lies, and what matters of it, and its scores in few digits', () => {
    expect(factsOf(versionOf(index, 1))).toEqual({
      tags: { why: 'drift' },
      lineageUri: 's3://models/loadcast/aaaaaaaaaaaa/lineage.json',
      lineage: {
        family: 'patch-mixer',
        seed: 1,
        package: '1.2.0',
        code: DIGEST('c'),
        series: 40,
        trainEnd: '2026-11-01T00:00:00Z',
        validateEnd: '2026-11-10T00:00:00Z',
      },
      scores: { lossVsIncumbent: 0.91235, relMase: 0.5, coverage99: null },
    });
  });

  test('is small: a thousand of them fit beside each other', () => {
    expect(Buffer.byteLength(indexText(index))).toBeLessThan(1024);
  });

  test('in another form than ours is passed over, and stays', () => {
    const foreign = parseIndex(
      JSON.stringify({
        versions: [{ ...versionOf(index, 1), tags: 7, scores: 'good', lineage: [] }],
        aliases: {},
      }),
    );
    expect(factsOf(versionOf(foreign, 1))).toMatchObject({ tags: {}, scores: {}, lineage: {} });
    expect(versionOf(foreign, 1)).toMatchObject({ tags: 7, scores: 'good' });
  });

  test('gets tags and loses them, and nothing else of it changes', () => {
    const tagged = tagVersion(index, 1, { owner: 'web', why: undefined });
    expect(factsOf(versionOf(tagged, 1)).tags).toEqual({ owner: 'web' });
    expect({ ...versionOf(tagged, 1), tags: 0 }).toEqual({ ...versionOf(index, 1), tags: 0 });
    expect(() => tagVersion(index, 2, {})).toThrow(/no version 2/);
    expect(() => tagVersion(index, 1, { long: 'x'.repeat(300) })).toThrow(/tags.long/);
  });
});

test('a comparison tells what differs of the lineage, and every score with its change', () => {
  const index = filled(
    source(DIGEST('a')),
    source(DIGEST('b'), {
      lineage: { ...source('').lineage, seed: 2, data: { series: 50, trainEnd: '2026-11-01T00:00:00Z' } },
      scores: { lossVsIncumbent: 0.9, relMase: 0.45 },
    }),
  );
  expect(differencesOf(versionOf(index, 1), versionOf(index, 2))).toEqual([
    { part: 'lineage', name: 'seed', before: 1, after: 2, change: 1 },
    { part: 'lineage', name: 'series', before: 40, after: 50, change: 0.25 },
    {
      part: 'lineage',
      name: 'validateEnd',
      before: '2026-11-10T00:00:00Z',
      after: undefined,
      change: undefined,
    },
    {
      part: 'score',
      name: 'lossVsIncumbent',
      before: 0.91235,
      after: 0.9,
      change: expect.closeTo(-0.0135, 4),
    },
    { part: 'score', name: 'relMase', before: 0.5, after: 0.45, change: expect.closeTo(-0.1) },
    { part: 'score', name: 'coverage99', before: null, after: undefined, change: undefined },
  ]);
});

test('a comparison of names that every object has tells of the facts alone', () => {
  const index = filled(source(DIGEST('a')), source(DIGEST('b'), { tags: { constructor: 'web' } }));
  expect(differencesOf(versionOf(index, 1), versionOf(index, 2))).toContainEqual({
    part: 'tag',
    name: 'constructor',
    before: undefined,
    after: 'web',
    change: undefined,
  });
});
