/** History that memory no longer has, out of real files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { isForesailError } from '../errors.ts';
import { MemoryHistory } from '../history/memory-store.ts';
import { writeRuns } from '../history/parquet-file.ts';
import { createPastCopies, type PastCopies } from '../history/past-copy.ts';
import { silentLogger } from '../logger.ts';
import { createDataExport } from './data-export.ts';
import type { AttemptFacts } from './types.ts';

const HOUR = 3_600_000;
const DAY_MS = 24 * HOUR;
const TODAY = 20_500;
const NOW = TODAY * DAY_MS + 6 * HOUR;
const KEYS = ['a', 'b'];
let folder: string;
let past: PastCopies;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-export-'));
  past = createPastCopies({ folder, maxBytes: 1e6, clock: systemClock, log: silentLogger });
  for (let back = 10; back >= 1; back--) {
    const startMs = (TODAY - back) * DAY_MS;
    // `b` is younger, and what both have on disk of yesterday is wrong: memory is newer.
    const runs = (back > 4 ? ['a'] : KEYS).map((key) => ({
      key,
      stepMs: HOUR,
      startMs,
      values: new Float32Array(24).fill(back === 1 ? 999 : back),
    }));
    // oxlint-disable-next-line no-await-in-loop -- one file after the other
    await writeRuns(folder, TODAY - back, 11 - back, runs);
  }
});
afterEach(async () => {
  await past.close();
  await rm(folder, { recursive: true });
});

function exported({ keys = KEYS, ...options }: { past?: PastCopies; keys?: string[] } = { past }) {
  const history = new MemoryHistory({ now: () => NOW });
  for (const key of KEYS) {
    history.declare(key, { stepMs: HOUR });
    for (let i = 30; i >= 1; i--) history.append(key, NOW - i * HOUR, 1);
  }
  return createDataExport({
    history,
    ...options,
    scalers: () => [
      { namespace: 'shop', name: 'web', labels: {}, series: keys.map((key) => ({ key, metric: 'rps' })) },
    ],
    operatorNamespace: 'foresail',
    now: () => NOW,
    maxSeries: 10,
    maxPoints: 1000,
  });
}

const facts = (days: number): AttemptFacts => ({
  uid: 'uid',
  tokenSha256: '',
  stage: 'train',
  live: true,
  data: { selector: {}, allNamespaces: false, windowMs: days * DAY_MS },
});

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- a thread is at work
      return await ask();
    } catch (error) {
      if (!isForesailError(error, 'DATA_PREPARING')) throw error;
      // oxlint-disable-next-line no-await-in-loop
      await sleep(10);
    }
  }
}

test('the window goes back as far as the disk does, and what memory knows is newer', async () => {
  const data = exported();
  await expect(data.list('shop', 1, facts(7))).rejects.toThrow('read from disk');
  const listed = await patiently(() => data.list('shop', 1, facts(7)));
  expect(
    listed.map(({ firstTime, lastTime, known }) => [(NOW / 1000 - firstTime) / 3600, lastTime, known]),
  ).toEqual([
    [7 * 24, NOW / 1000 - 3600, 7 * 24],
    [4 * 24 + 6, NOW / 1000 - 3600, 4 * 24 + 6],
  ]);
  const { values } = await data.read('shop', 1, facts(7), 0, {});
  const days = [7, 6, 5, 4, 3, 2].flatMap((back) => Array.from({ length: back === 7 ? 18 : 24 }, () => back));
  expect([...values]).toEqual([...days, ...Array.from({ length: 30 }, () => 1)]);
});

test('a window that memory covers reads nothing from disk', async () => {
  const listed = await exported().list('shop', 1, facts(1));
  expect(listed.map(({ known }) => known)).toEqual([24, 24]);
});

test('a list of nothing asks the disk for nothing', async () => {
  const asked: string[] = [];
  const idle: PastCopies = {
    reachesBefore: () => Promise.resolve(true),
    of: (id) => {
      asked.push(id);
      return { kind: 'unavailable' };
    },
    close: () => Promise.resolve(),
  };
  const data = exported({ past: idle, keys: [] });
  expect(await data.list('shop', 1, facts(7))).toEqual([]);
  expect(asked).toEqual([]);
});

test('without a disk, memory is all', async () => {
  const [first] = await exported({}).list('shop', 1, facts(7));
  expect(first).toMatchObject({ firstTime: NOW / 1000 - 30 * 3600, known: 30 });
});

test('a copy that was taken away is made again', async () => {
  const data = exported();
  await patiently(() => data.list('shop', 1, facts(7)));
  await past.close();
  const read = () => data.read('shop', 1, facts(7), 1, { to: NOW / 1000 - 4 * 86_400 });
  await expect(read()).rejects.toThrow('read from disk');
  expect([...(await patiently(read)).values]).toEqual([4, 4, 4, 4, 4, 4]);
});
