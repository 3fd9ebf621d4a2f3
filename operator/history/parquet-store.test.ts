import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { checksumOf, fileName } from './files.ts';
import { readRuns, writeRuns } from './parquet-file.ts';
import { ParquetHistory, type ParquetHistoryOptions } from './parquet-store.ts';
import type { HistoryHealth, QuarantinedFile } from './types.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const signal = new AbortController().signal;
let folder: string;
const open: ParquetHistory[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'foresail-history-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

function storeAt(nowMs: number, options: Partial<ParquetHistoryOptions> = {}) {
  const clock = { now: nowMs };
  const aside: QuarantinedFile[] = [];
  const healths: HistoryHealth[] = [];
  const store = new ParquetHistory({
    folder,
    clock: systemClock,
    now: () => clock.now,
    onQuarantine: (file) => aside.push(file),
    onHealth: (health) => healths.push(health),
    ...options,
  });
  open.push(store);
  return { store, clock, aside, healths };
}

const files = (): string[] => readdirSync(folder).sort();

describe('a restart', () => {
  test('finds the past again, over the border of a day, with its gaps', async () => {
    const start = 100 * DAY - 5 * MINUTE;
    const first = storeAt(start + 10 * MINUTE);
    first.store.declare('a/b/0', { stepMs: MINUTE });
    for (const i of [0, 1, 2, 4, 6, 9]) first.store.append('a/b/0', start + i * MINUTE, i + 1);
    await first.store.close();
    expect(files()).toHaveLength(2);

    const second = storeAt(start + 10 * MINUTE);
    second.store.declare('a/b/0', { stepMs: MINUTE });
    await second.store.loaded();
    const { NaN: gap } = Number;
    expect([...second.store.window('a/b/0', start + 9 * MINUTE, MINUTE, 10)]).toEqual([
      1,
      2,
      3,
      gap,
      5,
      gap,
      7,
      gap,
      gap,
      10,
    ]);
    expect(second.store.health()).toMatchObject({ reason: 'Ok', quarantined: 0 });
  });

  test('does not overwrite what has been measured since', async () => {
    const first = storeAt(DAY);
    first.store.declare('a', { stepMs: MINUTE });
    first.store.append('a', DAY, 1);
    await first.store.close();
    const second = storeAt(DAY);
    second.store.declare('a', { stepMs: MINUTE });
    second.store.append('a', DAY + 1, 2);
    await second.store.loaded();
    expect(second.store.window('a', DAY, MINUTE, 1)[0]).toBe(2);
  });

  test('of two files that disagree the later one is right', async () => {
    const run = (value: number) => [
      { key: 'a', stepMs: MINUTE, startMs: DAY, values: Float32Array.of(value) },
    ];
    await writeRuns(folder, 1, 7, run(7));
    await writeRuns(folder, 1, 8, run(8));
    const { store } = storeAt(DAY);
    await store.loaded();
    expect(store.window('a', DAY, MINUTE, 1)[0]).toBe(8);
    expect(store.forgetUnclaimed()).toBe(1);
    expect(store.span('a')).toBeUndefined();
  });
});

test('a thousand series make one file per flush, and a crowded day becomes one file', async () => {
  const { store, clock } = storeAt(DAY, { filesPerDay: 4 });
  for (let s = 0; s < 1000; s++) store.declare(`series/${s}`, { stepMs: MINUTE });
  for (let flush = 0; flush < 4; flush++) {
    for (let s = 0; s < 1000; s++) store.append(`series/${s}`, clock.now, flush);
    // oxlint-disable-next-line no-await-in-loop -- one flush after the other
    await store.flush(signal);
    clock.now += 10 * MINUTE;
    expect(files()).toHaveLength(flush < 3 ? flush + 1 : 1);
  }
  const runs = await readRuns(readFileSync(join(folder, files()[0] ?? '')));
  expect(runs).toHaveLength(1000);
  expect([0, 10, 20, 30].map((i) => runs[999]?.values[i])).toEqual([0, 1, 2, 3]);
});

test('old days and then the oldest files go when their time or the room is over', async () => {
  const run = (day: number) => [
    { key: 'a', stepMs: MINUTE, startMs: day * DAY, values: new Float32Array(9).fill(1) },
  ];
  const names: string[] = [];
  // oxlint-disable-next-line no-await-in-loop -- one file after the other
  for (const day of [1, 98, 99, 100]) names.push(await writeRuns(folder, day, day, run(day)));
  const { size } = statSync(join(folder, names[0] ?? ''));
  const { store } = storeAt(100 * DAY, { retention: { days: 30, bytes: size * 2.5 } });
  await store.flush(signal);
  expect(files()).toEqual(names.slice(2));
});

describe('a file that is not whole', () => {
  const values = Float32Array.from({ length: 200 }, (_, i) => i);
  const runs = [
    { key: 'a', stepMs: MINUTE, startMs: DAY, values },
    { key: 'b', stepMs: MINUTE, startMs: DAY, values },
  ];

  test('torn at any place it is refused, never read in part', async () => {
    const whole = readFileSync(join(folder, await writeRuns(folder, 1, 1, runs)));
    expect(await readRuns(whole)).toHaveLength(2);
    for (let cut = 0; cut < whole.length; cut += 13) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await expect(readRuns(whole.subarray(0, cut))).rejects.toMatchObject({ code: 'HISTORY_FILE_INVALID' });
    }
  });

  test('any flipped bit is noticed by the checksum, and harmless to the reader without it', async () => {
    const whole = readFileSync(join(folder, await writeRuns(folder, 1, 1, runs)));
    for (let at = 4; at < whole.length; at += 7) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 4;
      expect(checksumOf(changed)).not.toBe(checksumOf(whole));
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const code = await readRuns(changed).then(
        () => 'HISTORY_FILE_INVALID',
        (error: { code?: string }) => error.code,
      );
      expect(code).toBe('HISTORY_FILE_INVALID');
    }
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['a page', Buffer.from('<html>'.repeat(100))],
    ['gzip', gzipSync('x'.repeat(1000))],
    ['a Parquet frame around nothing', Buffer.from('PAR1aaaaaaaaaaaa\x0c\x00\x00\x00PAR1')],
    ['a footer longer than the file', Buffer.from('PAR1aaaaaaaaaaaa\xff\xff\xff\x7fPAR1', 'latin1')],
  ])('%s is set aside, the rest is read and the start goes on', async (_, bytes) => {
    const whole = await writeRuns(folder, 1, 1, runs);
    const torn = fileName(1, 2, checksumOf(bytes));
    writeFileSync(join(folder, torn), bytes);
    const flipped = fileName(1, 3, '00000000');
    copyFileSync(join(folder, whole), join(folder, flipped));
    writeFileSync(join(folder, '.writing-left-behind'), 'x');
    writeFileSync(join(folder, 'notes.txt'), 'not ours');
    const { store, aside } = storeAt(2 * DAY);
    await store.loaded();
    expect(aside.map((file) => basename(file.path))).toEqual([
      `${flipped}.quarantined`,
      `${torn}.quarantined`,
    ]);
    expect(aside[0]?.reason).toBe('the content is not what was written');
    expect(store.span('a')).toMatchObject({ known: 200 });
    expect(store.health()).toMatchObject({ reason: 'Ok', quarantined: 2 });
    expect(files()).toEqual([whole, `${torn}.quarantined`, `${flipped}.quarantined`, 'notes.txt']);
  });
});

describe('a disk that does not work', () => {
  test('leaves scaling with the memory, says so, and is used again when it comes back', async () => {
    // The folder's place is taken by a file, so nothing can be written: the same code path as EIO or a lost mount.
    const blocked = join(folder, 'blocked');
    writeFileSync(blocked, 'in the way');
    const { store, healths } = storeAt(DAY, { folder: blocked });
    store.declare('a', { stepMs: MINUTE });
    store.append('a', DAY, 5);
    await store.loaded();
    await store.flush(signal);
    expect(store.health().reason).toBe('WriteFailed');
    expect(store.window('a', DAY, MINUTE, 1)[0]).toBe(5);

    rmSync(blocked);
    mkdirSync(blocked);
    await store.flush(signal);
    expect(store.health().reason).toBe('Ok');
    expect(healths.map((health) => health.reason)).toEqual(['WriteFailed', 'Ok']);
    expect(readdirSync(blocked)).toHaveLength(1);
  });

  test('a flush whose caller gives up rejects with the caller’s reason', async () => {
    const { store } = storeAt(DAY);
    await expect(store.flush(AbortSignal.abort(new Error('shutdown')))).rejects.toThrow('shutdown');
  });
});

test('killed in the middle of writing, the next start reads everything that was acknowledged', async () => {
  const script = fileURLToPath(new URL('./testing/writer-main.ts', import.meta.url));
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
    });
    // oxlint-disable-next-line no-await-in-loop -- one process after the other
    const acknowledged = await killAfterFlushes(child, 2 + round, 7 * round);
    const { store, aside } = storeAt(acknowledged);
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    await store.loaded();
    expect(aside).toEqual([]);
    expect(store.span('series/49')?.lastMs).toBeGreaterThanOrEqual(acknowledged - MINUTE);
    expect(files().filter((name) => name.startsWith('.writing-'))).toEqual([]);
    // oxlint-disable-next-line no-await-in-loop -- one start after the other
    await store.close();
  }
});

/** Kills the writer a few milliseconds after its n-th flush, that is inside the next; returns the last time it wrote. */
function killAfterFlushes(child: ChildProcess, flushes: number, delayMs: number): Promise<number> {
  return new Promise((resolve) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split('\n').length > flushes) setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.on('close', () => resolve(Number(output.trim().split('\n').at(-1))));
  });
}
