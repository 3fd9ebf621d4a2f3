/** A folder that many pods share, and that somebody else may have written to. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fetchArtifact } from './fetch.ts';
import { parseArtifactUri } from './uri.ts';

const KIB = Buffer.alloc(1024);
let folder: string;
let cache: string;
let notes: string[];
let nowMs: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-cache-'));
  cache = join(folder, 'cache');
  notes = [];
  nowMs = Date.UTC(2026, 0, 1);
});
afterEach(async () => rm(folder, { recursive: true }));

const model = (name: string): Buffer => Buffer.concat([KIB, Buffer.from(name)]);
const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
const entry = (name: string): string => join(cache, 'sha256', digestOf(model(name)));

/** As a new pod on the node would; `file://` stands for any store. */
async function bring(name: string, { pod = name, maxBytes = 1e6 } = {}): Promise<string> {
  nowMs += 60_000;
  const at = join(folder, `${name}.onnx`);
  const place = join(folder, 'pods', pod, 'model.onnx');
  const { from } = await fetchArtifact(
    parseArtifactUri(`file://${at}`),
    place,
    { sha256: digestOf(model(name)), maxBytes: 1e6 },
    {
      guard: { allowed: new Set(), apiServers: () => [] },
      allowHttp: false,
      allowFile: true,
      claims: '/nowhere',
      cache: { folder: cache, maxBytes, nowMs: () => nowMs, note: (text) => notes.push(text) },
      retries: { most: 0 },
    },
    AbortSignal.timeout(20_000),
  );
  expect(await readFile(place)).toEqual(model(name));
  return from;
}

const store = (name: string) => writeFile(join(folder, `${name}.onnx`), model(name));

test('the second pod needs no store', async () => {
  await store('a');
  expect(await bring('a')).toBe('store');
  await rm(join(folder, 'a.onnx'));
  expect(await bring('a', { pod: 'second' })).toBe('cache');
  expect(await bring('a', { pod: 'second' })).toBe('place');
});

describe('an entry', () => {
  test.each<[string, () => Promise<void>]>([
    ['that was changed', () => writeFile(entry('a'), 'poison')],
    ['that is longer than any file may be', () => writeFile(entry('a'), Buffer.alloc(2_000_000))],
    [
      'that leads to another file',
      async () => {
        await rm(entry('a'));
        await symlink('/etc/hostname', entry('a'));
      },
    ],
  ])('%s is removed, and the file is fetched again', async (_, poison) => {
    await store('a');
    await bring('a');
    await poison();
    expect(await bring('a', { pod: 'second' })).toBe('store');
    expect(notes).toHaveLength(1);
    expect(await readFile(entry('a'))).toEqual(model('a'));
    expect(await bring('a', { pod: 'third' })).toBe('cache');
  });
});

test('the files that were not used for longest go first, and the size is kept to', async () => {
  for (const name of ['a', 'b', 'c']) await store(name);
  const maxBytes = 2.5 * model('a').length;
  await bring('a', { maxBytes });
  await bring('b', { maxBytes });
  // Entries are dated by the clock of the disk when they are made.
  for (const [name, age] of [
    ['a', 2],
    ['b', 1],
  ] as const)
    await utimes(entry(name), (nowMs - age * 1000) / 1000, (nowMs - age * 1000) / 1000);
  expect(await bring('a', { pod: 'second', maxBytes })).toBe('cache');
  await bring('c', { maxBytes });
  expect((await readdir(join(cache, 'sha256'))).sort()).toEqual(
    [digestOf(model('a')), digestOf(model('c'))].sort(),
  );
});

test('a file larger than the cache is not kept', async () => {
  await store('a');
  await bring('a', { maxBytes: 100 });
  await expect(stat(entry('a'))).rejects.toThrow('ENOENT');
});

test('many pods at once get whole files, and nothing half written stays', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await store(name);
  const maxBytes = 2.5 * model('a').length;
  await Promise.all(
    Array.from({ length: 40 }, (_, i) => bring('abcd'[i % 4] ?? 'a', { pod: String(i), maxBytes })),
  );
  const names = await readdir(join(cache, 'sha256'));
  expect(names.filter((name) => name.endsWith('.part'))).toEqual([]);
  for (const name of names) expect(digestOf(await readFile(join(cache, 'sha256', name)))).toBe(name);
});

test('what a killed fetch left goes after a day', async () => {
  await store('a');
  await mkdir(join(cache, 'sha256'), { recursive: true });
  const half = `${entry('a')}.killed.part`;
  await writeFile(half, 'half');
  await utimes(half, nowMs / 1000, nowMs / 1000);
  await bring('a');
  expect(await readdir(join(cache, 'sha256'))).toHaveLength(2);
  nowMs += 25 * 3_600_000;
  await store('b');
  await bring('b');
  expect(await readdir(join(cache, 'sha256'))).not.toContain(half);
  expect(await readdir(join(cache, 'sha256'))).toHaveLength(2);
});

test('a folder that cannot be written to costs nothing but a line in the log', async () => {
  await store('a');
  await writeFile(cache, 'a file');
  expect(await bring('a')).toBe('store');
  expect(notes).toEqual([expect.stringContaining('not kept in the cache')]);
});
