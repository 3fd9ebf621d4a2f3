import { mkdir, mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { DAY_MS } from './files.ts';
import { writeRuns } from './parquet-file.ts';
import { createPastCopies, type PastCopies, type PastCopy } from './past-copy.ts';
import type { PastSeries } from './past-copy-messages.ts';

const HOUR = 3_600_000;
const DAY = 20_000;
const START = DAY * DAY_MS;
let folder: string;
let copies: PastCopies;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-copy-'));
  open();
});
afterEach(async () => {
  await copies.close();
  await rm(folder, { recursive: true });
});

function open(options: { maxBytes?: number; clock?: FakeClock } = {}): void {
  copies = createPastCopies({ folder, maxBytes: 1e6, clock: systemClock, log: silentLogger, ...options });
}

const wanted = (key: string, days: number, firstMs = START): PastSeries => ({
  key,
  stepMs: HOUR,
  firstMs,
  steps: 24 * days,
});
const day = (key: string, startMs: number, values: readonly number[], stepMs = HOUR) => ({
  key,
  stepMs,
  startMs,
  values: Float32Array.from(values),
});
const hours = (from: number) => Array.from({ length: 24 }, (_, i) => from + i);

async function ready(id: string, ...series: PastSeries[]): Promise<PastCopy> {
  for (;;) {
    const state = copies.of(id, () => series);
    if (state.kind === 'ready') return state.copy;
    if (state.kind === 'unavailable') throw new Error('unavailable');
    // oxlint-disable-next-line no-await-in-loop -- a thread is at work
    await sleep(10);
  }
}

test('each series is read whole, what nobody wrote is NaN, and the newest file is right', async () => {
  const b = [Number.NaN, 0, -0, 1e-30, 3.4e38];
  await writeRuns(folder, DAY, 1, [day('a', START, hours(100)), day('b', START + 2 * HOUR, b)]);
  await writeRuns(folder, DAY + 2, 2, [day('a', START + 2 * DAY_MS, hours(300))]);
  await writeRuns(folder, DAY, 3, [day('a', START + 5 * HOUR, [7, Number.NaN, 9])]);
  const copy = await ready('run', wanted('a', 3), wanted('b', 3), wanted('never seen', 1));
  const first = hours(100).with(5, 7).with(7, 9);
  const gap = Array.from({ length: 24 }, () => Number.NaN);
  expect([...(await copy.read(0, START, 72))]).toEqual([...first, ...gap, ...hours(300)]);
  expect([...(await copy.read(0, START + 23 * HOUR, 2))]).toEqual([123, Number.NaN]);
  const nans = [Number.NaN, Number.NaN];
  expect([...(await copy.read(1, START, 8))]).toEqual([...nans, ...Float32Array.from(b), Number.NaN]);
  expect(copy.series.map(({ knownFromMs, known }) => [knownFromMs, known])).toEqual([
    [START, 48],
    [START + 3 * HOUR, 4],
    [undefined, 0],
  ]);
});

test('only what is wanted is copied: not before, not after, not of another step', async () => {
  await writeRuns(folder, DAY, 1, [
    day('a', START, hours(0)),
    day('b', START, hours(0), HOUR / 2),
    day('other', START, hours(0)),
  ]);
  const copy = await ready('run', { ...wanted('a', 0, START + 20 * HOUR), steps: 3 }, wanted('b', 1));
  expect([...(await copy.read(0, START + 18 * HOUR, 7))]).toEqual([
    Number.NaN,
    Number.NaN,
    20,
    21,
    22,
    Number.NaN,
    Number.NaN,
  ]);
  expect((await copy.read(1, START, 24)).every((value) => Number.isNaN(value))).toBe(true);
  expect((await copy.read(9, START, 2)).every((value) => Number.isNaN(value))).toBe(true);
});

test('a file that is not whole holds nothing, and the others are read', async () => {
  const name = await writeRuns(folder, DAY, 1, [day('a', START, hours(0))]);
  await writeFile(join(folder, name), 'torn');
  await writeFile(join(folder, 'notes.txt'), 'mine');
  await writeRuns(folder, DAY + 1, 2, [day('a', START + DAY_MS, hours(24))]);
  const copy = await ready('run', wanted('a', 2));
  expect(copy.series[0]).toMatchObject({ knownFromMs: START + DAY_MS, known: 24 });
  expect(await readdir(folder)).toContain(name);
});

test('whether the disk knows more is told by the days of its files', async () => {
  const name = await writeRuns(folder, DAY, 1, [day('a', START, hours(0))]);
  expect(await copies.reachesBefore(START + DAY_MS)).toBe(true);
  expect(await copies.reachesBefore(START + HOUR)).toBe(false);
  await unlink(join(folder, name));
  expect(await copies.reachesBefore(START + DAY_MS)).toBe(false);
});

test('one that is too large is not made, and is not tried again and again', async () => {
  await copies.close();
  open({ maxBytes: 4 * 24 });
  let asked = 0;
  const series = () => {
    asked += 1;
    return [wanted('a', 2)];
  };
  expect(copies.of('run', series).kind).toBe('unavailable');
  expect(copies.of('run', series).kind).toBe('unavailable');
  expect(asked).toBe(1);
});

test('a copy goes when nobody reads it, which makes room for the next, and at the end', async () => {
  await copies.close();
  const clock = new FakeClock();
  open({ clock, maxBytes: 2 * 4 * 24 });
  await writeRuns(folder, DAY, 1, [day('a', START, hours(0))]);
  const files = async () => (await readdir(join(folder, '.copies'))).sort();
  const one = () => [wanted('a', 1)];
  const copy = await ready('one', ...one());
  await ready('two', ...one());
  expect(await files()).toEqual(['1', '2']);
  expect(copies.of('three', one).kind).toBe('preparing');
  expect(await files()).toEqual(['1', '2']);
  await clock.advance(60_000);
  await copy.read(0, START, 1);
  await clock.advance(61_000);
  while ((await files()).length > 1) await sleep(10);
  expect(await files()).toEqual(['1']);
  await ready('three', ...one());
  expect(await files()).toEqual(['1', '3']);
  await copies.close();
  expect(await files()).toEqual([]);
});

test('what a killed process has left is cleared away', async () => {
  await copies.close();
  await mkdir(join(folder, '.copies'));
  await writeFile(join(folder, '.copies', '77'), 'old');
  open();
  await writeRuns(folder, DAY, 1, [day('a', START, hours(0))]);
  await ready('one', wanted('a', 1));
  expect(await readdir(join(folder, '.copies'))).toEqual(['1']);
});
