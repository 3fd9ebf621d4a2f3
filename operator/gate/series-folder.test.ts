import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type FolderSeries, onGrid, readSeriesFolder, readWithin } from './series-folder.ts';
import { writeSeriesFolder } from './testing/write-folder.ts';

const { signal } = new AbortController();
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-series-'));
});
afterEach(() => rm(folder, { recursive: true }));

const series = (name: string, values: readonly number[]): FolderSeries => ({
  name,
  startMs: 1_700_000_000_000,
  stepMs: 300_000,
  values: Float64Array.from(values),
  fault: undefined,
});

describe('a folder of series', () => {
  test.each(['NaN', 'gap'] as const)('is read as it was written, unknown values as %s', async (unknown) => {
    const all = [
      series('a/one', [1, 2, Number.NaN, 4]),
      series('a/two', [5, 6, 7]),
      series('b/one', [0.1, 0.2]),
    ];
    await writeSeriesFolder(folder, all, unknown);
    const read = await readSeriesFolder(folder, signal);
    expect(read.series).toEqual(all);
    expect(read.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is read across row groups, one of which ends inside of a series', async () => {
    const all = ['a/one', 'a/two', 'a/three'].map((name, n) =>
      series(
        name,
        Array.from({ length: 4000 + n }, (_, i) => n * 10_000 + i),
      ),
    );
    await writeSeriesFolder(folder, all);
    expect((await readSeriesFolder(folder, signal)).series).toEqual(all);
  });

  test('whose series come back after others are noted', async () => {
    await writeSeriesFolder(folder, [
      series('a/one', [1, 2]),
      series('a/two', [3, 4]),
      series('a/one', [5, 6]),
    ]);
    const read = (await readSeriesFolder(folder, signal)).series;
    expect(read.map(({ fault }) => fault)).toEqual([undefined, undefined, 'its rows do not lie together']);
  });

  test('is not read on when nobody waits any more', async () => {
    await writeSeriesFolder(folder, [series('a/one', [1, 2])]);
    await expect(readSeriesFolder(folder, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });

  test('says where the test part of each source begins, where its manifest does', async () => {
    await writeSeriesFolder(folder, [series('a/one', [1, 2, 3])]);
    const manifest = { sources: [{ name: 'a', file: 'a.parquet', validateEnd: '2026-06-01T00:00:00Z' }] };
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const [one] = (await readSeriesFolder(folder, signal)).series;
    expect(one?.validateEndMs).toBe(Date.UTC(2026, 5, 1));
  });

  test.each([
    ['no manifest', undefined, /manifest.json: cannot be read/],
    ['no JSON', 'x', /is no JSON/],
    ['no sources', '{}', /sources/],
    ['a path out of it', '{"sources":[{"name":"a","file":"../a"}]}', /no plain file name/],
    ['a missing file', '{"sources":[{"name":"a","file":"a"}]}', /a: cannot be read/],
  ])('with %s is refused by name', async (_, manifest, message) => {
    if (manifest !== undefined) await writeFile(join(folder, 'manifest.json'), manifest);
    await expect(readSeriesFolder(folder, signal)).rejects.toMatchObject({
      code: 'DATA_INVALID',
      message: expect.stringMatching(message),
    });
  });

  test('has a bound for all of its files together: memory is the same whatever their number', async () => {
    await writeSeriesFolder(folder, [series('a/one', [1, 2, 3]), series('b/one', [4, 5, 6])]);
    expect((await readWithin(folder, 6, signal)).series).toHaveLength(2);
    await expect(readWithin(folder, 5, signal)).rejects.toMatchObject({
      code: 'DATA_INVALID',
      message: expect.stringMatching(/b.parquet: with it its folder has more than 5 rows/),
    });
  });

  test('with something else than Parquet is refused by name', async () => {
    await writeFile(join(folder, 'manifest.json'), '{"sources":[{"name":"a","file":"a"}]}');
    await writeFile(join(folder, 'a'), 'series,t,v');
    await expect(readSeriesFolder(folder, signal)).rejects.toMatchObject({
      code: 'DATA_INVALID',
      message: expect.stringMatching(/a: is no Parquet file/),
    });
  });
});

describe('times that make no sense are noted', () => {
  test.each<[string, number[], number[], RegExp]>([
    ['backwards', [60, 120, 90], [1, 2, 3], /does not increase/],
    ['twice', [60, 60], [1, 2], /does not increase/],
    ['one point', [60], [1], /one point/],
    ['off the step', [0, 60, 150], [1, 2, 3], /no multiples/],
    ['nearly all missing', [0, 1, 100_000], [1, 2, 3], /missing/],
    ['too many missing to make room for them', [0, 1, 2, 17], [1, 2, 3, 4], /missing/],
    ['infinite', [0, 60], [1, Number.POSITIVE_INFINITY], /infinite/],
  ])('%s', (_, t, v, fault) => {
    expect(onGrid('a', Float64Array.from(t), Float64Array.from(v)).fault).toMatch(fault);
  });
});
