import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  annotate,
  dropAlias,
  EMPTY_INDEX,
  indexText,
  MOST_VERSIONS,
  type ModelIndex,
  moveAlias,
  parseIndex,
  publish,
  versionOfAlias,
} from './model-index.ts';

const NOW = Date.UTC(2026, 10, 21);
const file = (n: number) => ({ storageUri: `s3://models/${n}`, sha256: n.toString(16).padStart(64, '0') });
const published = (count: number): ModelIndex => {
  let index = EMPTY_INDEX;
  for (let n = 1; n <= count; n++) index = publish(index, file(n), NOW).index;
  return index;
};

const filled = (count: number, path = ''): ModelIndex => ({
  versions: Array.from({ length: count }, (_, i) => ({
    version: i + 1,
    ...file(i + 1),
    storageUri: `s3://models/${i + 1}${path}`,
  })),
  aliases: {},
});

describe('an index', () => {
  test('gives each file the next number, and the same file the number that it has', () => {
    const { index, version } = publish(published(2), file(3), NOW);
    expect(version).toBe(3);
    expect(index.versions[2]).toEqual({ version: 3, ...file(3), createdAt: '2026-11-21T00:00:00.000Z' });
    expect(publish(index, file(2), NOW + 1)).toEqual({ index, version: 2 });
    // The same file at another place is another entry: which place is right, the publisher knows.
    expect(publish(index, { ...file(2), storageUri: 's3://other' }, NOW).version).toBe(4);
  });

  test('moves an alias to a version that it has, and to no other', () => {
    const index = moveAlias(published(2), 'candidate', 2);
    expect(versionOfAlias(index, 'candidate')).toBe(2);
    expect(versionOfAlias(index, 'constructor')).toBeUndefined();
    expect(() => moveAlias(index, 'candidate', 3)).toThrow('has no version 3');
    expect(() => moveAlias(index, 'No Alias', 2)).toThrow('aliases');
  });

  test('takes an alias away, and nothing else', () => {
    const index = moveAlias(moveAlias(published(2), 'candidate', 2), 'stable', 1);
    expect(dropAlias(index, 'candidate')).toEqual({ ...index, aliases: { stable: 1 } });
    expect(() => dropAlias(index, 'candidat')).toThrow('has no alias candidat');
    expect(() => dropAlias(index, 'constructor')).toThrow('has no alias constructor');
  });

  test('keeps what it does not know', () => {
    const text = JSON.stringify({
      ...published(1),
      owner: 'ml',
      versions: [{ version: 1, ...file(1), tags: ['nightly'] }],
    });
    const { index } = publish(parseIndex(text), file(2), NOW);
    expect(index).toMatchObject({ owner: 'ml', versions: [{ tags: ['nightly'] }, { version: 2 }] });
  });

  test('drops the oldest that no alias means, and never gives a number twice', () => {
    const full = moveAlias(filled(MOST_VERSIONS), 'stable', 1);
    const { index, version } = publish(full, file(MOST_VERSIONS + 1), NOW);
    expect(version).toBe(MOST_VERSIONS + 1);
    expect(index.versions).toHaveLength(MOST_VERSIONS);
    expect(index.versions.slice(0, 2).map((each) => each.version)).toEqual([1, 3]);
  });

  test('drops them too when a ConfigMap would be full of long addresses', () => {
    const { index, version } = publish(filled(900, 'x'.repeat(1500)), file(901), NOW);
    expect(version).toBe(901);
    expect(index.versions.length).toBeGreaterThan(400);
    expect(index.versions.at(-1)?.version).toBe(901);
    expect(Buffer.byteLength(indexText(index))).toBeLessThan(1000 * 1024);
  });

  test('says that it is full when aliases keep all of it, and drops none of them nor the new one', () => {
    let index = filled(30);
    for (const { version } of index.versions) {
      index = annotate(index, version, { notes: 'x'.repeat(29_000) });
      index = moveAlias(index, `a${version}`, version);
    }
    const small = publish(index, file(31), NOW);
    expect([small.version, small.index.versions.length]).toEqual([31, 31]);
    const large = { ...file(32), notes: 'x'.repeat(200_000) };
    expect(() => publish(small.index, large, NOW)).toThrow(
      expect.objectContaining({ code: 'REGISTRY_FULL', message: expect.stringMatching(/^is full: /) }),
    );
  });

  test('takes no tag that a ConfigMap has no room for', () => {
    const index = filled(1);
    expect(() => annotate(index, 1, { tags: 'x'.repeat(1_100_000) })).toThrow(
      expect.objectContaining({ code: 'REGISTRY_FULL' }),
    );
  });

  test('is read as it was written', () => {
    const steps = fc.array(
      fc.record({ file: fc.integer({ min: 1, max: 20 }), alias: fc.constantFrom('a', 'b') }),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(steps, (all) => {
        let index = EMPTY_INDEX;
        for (const step of all) {
          const next = publish(index, file(step.file), NOW);
          index = moveAlias(next.index, step.alias, next.version);
          expect(versionOfAlias(index, step.alias)).toBe(next.version);
        }
        expect(parseIndex(indexText(index))).toEqual(index);
        expect(new Set(index.versions.map(({ version }) => version)).size).toBe(index.versions.length);
      }),
    );
  });

  test('that is no text says so without quoting it', () => {
    expect(() => parseIndex('{"token": "secret')).toThrow(/^is no JSON$/);
    expect(() => parseIndex(undefined)).toThrow('is not there');
  });
});
