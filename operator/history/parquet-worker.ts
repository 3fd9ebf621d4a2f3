/**
 * The thread that touches the disk. Writing Parquet takes seconds and blocks, and reading a hostile file may take all
 * memory it is allowed; neither may happen on the thread that scales.
 */
import { mkdir, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import {
  checksumOf,
  crowdedDays,
  DAY_MS,
  expired,
  firstToGo,
  type HistoryFile,
  parseName,
  type Retention,
  readingOrder,
  TEMPORARY_PREFIX,
} from './files.ts';
import type { DirtyRun } from './memory-store.ts';
import { MAX_FILE_BYTES, readRuns, writeRuns } from './parquet-file.ts';

export interface WorkerData {
  readonly folder: string;
  readonly retention: Retention;
  readonly filesPerDay: number;
}

export type WorkerRequest =
  | { readonly id: number; readonly op: 'load'; readonly nowMs: number; readonly skip: readonly string[] }
  | { readonly id: number; readonly op: 'write'; readonly nowMs: number; readonly runs: readonly DirtyRun[] }
  | { readonly id: number; readonly op: 'tidy'; readonly nowMs: number };

export type WorkerMessage =
  | { readonly kind: 'runs'; readonly runs: readonly DirtyRun[] }
  /** The file that is being read now; when this thread dies, that file did it. */
  | { readonly kind: 'reading'; readonly name: string }
  | { readonly kind: 'read'; readonly name: string }
  | { readonly kind: 'quarantined'; readonly name: string; readonly reason: string }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly code: string; readonly message: string };

/** Values per message to the main thread, so that taking them over never holds it up for long. */
const VALUES_PER_MESSAGE = 50_000;

const { folder, retention, filesPerDay } = workerData as WorkerData;
const port = parentPort;
let nextSequence: number | undefined;
let queue: Promise<void> = Promise.resolve();
let taken: (() => void) | undefined;

port?.on('message', (request: WorkerRequest | 'taken') => {
  if (request === 'taken') {
    taken?.();
    return;
  }
  queue = queue.then(() => serve(request));
});

function say(message: WorkerMessage): void {
  port?.postMessage(message);
}

async function serve(request: WorkerRequest): Promise<void> {
  try {
    if (request.op === 'load') await load(request.nowMs, new Set(request.skip));
    else if (request.op === 'write') await write(request.runs);
    else await tidy(request.nowMs);
    say({ kind: 'done', id: request.id });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    say({
      kind: 'failed',
      id: request.id,
      code: typeof code === 'string' ? code : 'UNKNOWN',
      message: messageOf(error),
    });
  }
}

async function list(): Promise<HistoryFile[]> {
  const files: HistoryFile[] = [];
  for (const name of await readdir(folder)) {
    if (name.startsWith(TEMPORARY_PREFIX)) continue;
    // oxlint-disable-next-line no-await-in-loop -- the disk is asked one thing at a time
    const info = await stat(join(folder, name)).catch(() => undefined);
    const file = info?.isFile() === true ? parseName(name, info.size) : undefined;
    if (file !== undefined) files.push(file);
  }
  return files;
}

async function load(nowMs: number, skip: ReadonlySet<string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    // What a killed process was writing.
    // oxlint-disable-next-line no-await-in-loop -- rare and few
    if (name.startsWith(TEMPORARY_PREFIX)) await unlink(join(folder, name)).catch(() => undefined);
  }
  const oldest = Math.floor(nowMs / DAY_MS) - retention.days;
  for (const file of readingOrder(await list())) {
    if (file.day < oldest || skip.has(file.name)) continue;
    say({ kind: 'reading', name: file.name });
    // oxlint-disable-next-line no-await-in-loop -- newest first, one in memory at a time
    const runs = await readOrSetAside(file);
    say({ kind: 'read', name: file.name });
    for (const part of inParts(runs)) {
      say({ kind: 'runs', runs: part });
      // One part at a time: the main thread would take a heap of messages in one go and scale nothing meanwhile.
      // oxlint-disable-next-line no-await-in-loop -- that is the point
      await new Promise<void>((resolve) => {
        taken = resolve;
      });
    }
  }
}

async function readOrSetAside(file: HistoryFile): Promise<DirtyRun[]> {
  const path = join(folder, file.name);
  try {
    if (file.bytes > MAX_FILE_BYTES) throw new Error(`the file has ${file.bytes} bytes`);
    const content = await readFile(path);
    if (checksumOf(content) !== file.checksum) throw new Error('the content is not what was written');
    return await readRuns(content);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // The disk's fault, not the file's: it may be read again after the next start.
    if (code === 'EIO' || code === 'EACCES' || code === 'EMFILE' || code === 'ENOENT') return [];
    await rename(path, `${path}.quarantined`).catch(() => undefined);
    say({ kind: 'quarantined', name: file.name, reason: messageOf(error) });
    return [];
  }
}

function* inParts(runs: readonly DirtyRun[]): Iterable<DirtyRun[]> {
  let part: DirtyRun[] = [];
  let values = 0;
  for (const run of runs) {
    part.push(run);
    values += run.values.length;
    if (values < VALUES_PER_MESSAGE) continue;
    yield part;
    part = [];
    values = 0;
  }
  if (part.length > 0) yield part;
}

async function sequence(): Promise<number> {
  if (nextSequence === undefined) {
    await mkdir(folder, { recursive: true });
    nextSequence = Math.max(0, ...(await list()).map((file) => file.sequence)) + 1;
  }
  return nextSequence++;
}

/** One file per day of load that the runs touch, for all series together. */
async function write(runs: readonly DirtyRun[]): Promise<void> {
  const days = new Map<number, DirtyRun[]>();
  for (const run of runs) {
    for (const [day, part] of byDay(run)) days.set(day, [...(days.get(day) ?? []), part]);
  }
  for (const [day, parts] of days) {
    // oxlint-disable-next-line no-await-in-loop -- one file after the other
    await writeMakingRoom(day, parts);
  }
}

/** On a full disk the oldest file gives way to the newest, as long as there is an older one. */
async function writeMakingRoom(day: number, parts: readonly DirtyRun[]): Promise<void> {
  for (;;) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- again only after room was made
      await writeRuns(folder, day, await sequence(), parts);
      return;
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
      // oxlint-disable-next-line no-await-in-loop -- again only after room was made
      const oldest = firstToGo(await list());
      if (oldest === undefined || (oldest.day >= day && !oldest.quarantined)) throw error;
      // oxlint-disable-next-line no-await-in-loop -- again only after room was made
      await unlink(join(folder, oldest.name));
    }
  }
}

function* byDay(run: DirtyRun): Iterable<[number, DirtyRun]> {
  let first = 0;
  while (first < run.values.length) {
    const startMs = run.startMs + first * run.stepMs;
    const day = Math.floor(startMs / DAY_MS);
    const steps = Math.max(Math.ceil(((day + 1) * DAY_MS - startMs) / run.stepMs), 1);
    const values = run.values.slice(first, first + steps);
    if (values.some((value) => !Number.isNaN(value))) {
      yield [day, { key: run.key, stepMs: run.stepMs, startMs, values }];
    }
    first += steps;
  }
}

async function tidy(nowMs: number): Promise<void> {
  for (const file of expired(await list(), Math.floor(nowMs / DAY_MS), retention)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await unlink(join(folder, file.name));
  }
  for (const day of crowdedDays(await list(), filesPerDay)) {
    // oxlint-disable-next-line no-await-in-loop -- one day in memory at a time
    await merge(day);
  }
}

/** Many files of a day become one. A crash between its two steps leaves files that say the same twice. */
async function merge(files: readonly HistoryFile[]): Promise<void> {
  const merged = new Map<string, { key: string; stepMs: number; values: Float32Array }>();
  const day = files[0]?.day ?? 0;
  const firstSlot = (stepMs: number): number => Math.ceil((day * DAY_MS) / stepMs);
  const good: HistoryFile[] = [];
  for (const file of readingOrder(files)) {
    // oxlint-disable-next-line no-await-in-loop -- one in memory at a time
    const runs = await readOrSetAside(file);
    if (runs.length > 0) good.push(file);
    for (const run of runs) {
      const id = `${run.stepMs} ${run.key}`;
      const into = merged.get(id) ?? {
        key: run.key,
        stepMs: run.stepMs,
        values: new Float32Array(Math.ceil(DAY_MS / run.stepMs)).fill(Number.NaN),
      };
      merged.set(id, into);
      const offset = run.startMs / run.stepMs - firstSlot(run.stepMs);
      run.values.forEach((value, i) => {
        // Files come newest first, so what is there already is right.
        if (Number.isNaN(into.values[offset + i] ?? 0)) into.values[offset + i] = value;
      });
    }
  }
  if (good.length < 2) return;
  const runs = [...merged.values()].map((one) => ({ ...one, startMs: firstSlot(one.stepMs) * one.stepMs }));
  await writeRuns(folder, day, await sequence(), runs);
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const file of good) await unlink(join(folder, file.name));
}
