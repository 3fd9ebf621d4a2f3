/**
 * The thread that copies what lies in Parquet, by day, into one flat file, by series: a run that trains reads one series
 * after the other, and would unpack every day once for each of them.
 *
 * The file holds float32 with all bits turned over, so that what was never written, which reads as zeros, is a NaN.
 */
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import { checksumOf, DAY_MS, type HistoryFile, parseName, readingOrder } from './files.ts';
import type { DirtyRun } from './memory-store.ts';
import { readRuns } from './parquet-file.ts';
import type { CopiedSeries, CopyData, CopyMessage, PastSeries } from './past-copy-messages.ts';

/** The thread that writes may turn many files of a day into one while we read them. */
const TRIES_PER_DAY = 4;

interface Target {
  readonly series: PastSeries;
  /** In the file, in bytes. */
  readonly offset: number;
  knownFromMs: number | undefined;
  known: number;
}

const { folder, file, series } = workerData as CopyData;
const port = parentPort;
port?.postMessage(
  await copy().then(
    (copied): CopyMessage => ({ kind: 'done', series: copied }),
    (error: unknown): CopyMessage => ({ kind: 'failed', message: messageOf(error) }),
  ),
);

async function copy(): Promise<readonly CopiedSeries[]> {
  const targets = new Map<string, Target>();
  let offset = 0;
  for (const each of series) {
    targets.set(each.key, { series: each, offset, knownFromMs: undefined, known: 0 });
    offset += 4 * each.steps;
  }
  const oldest = Math.min(...series.map(({ firstMs }) => firstMs));
  const handle = await open(file, 'w');
  try {
    await handle.truncate(offset);
    const days = new Set((await list()).map(({ day }) => day));
    for (const day of [...days].sort((a, b) => a - b)) {
      if ((day + 1) * DAY_MS <= oldest) continue;
      // oxlint-disable-next-line no-await-in-loop -- one day in memory at a time
      for (const run of await runsOf(day, targets)) {
        const target = targets.get(run.key);
        // oxlint-disable-next-line no-await-in-loop
        if (target !== undefined) await put(handle, target, run);
      }
    }
  } finally {
    await handle.close();
  }
  return [...targets.values()].map(({ offset: at, knownFromMs, known }) => ({
    offset: at,
    knownFromMs,
    known,
  }));
}

/** What is known of the wanted series on that day, the newest file's word first. */
async function runsOf(day: number, targets: ReadonlyMap<string, Target>): Promise<readonly DirtyRun[]> {
  for (let left = TRIES_PER_DAY; ; left--) {
    const merged = new Map<string, DirtyRun>();
    let changed = false;
    // oxlint-disable-next-line no-await-in-loop -- again only when a file has gone
    for (const each of readingOrder((await list()).filter((one) => one.day === day))) {
      // oxlint-disable-next-line no-await-in-loop -- one in memory at a time
      const runs = await read(each);
      changed ||= runs === undefined;
      for (const run of runs ?? []) merge(merged, run, day, targets);
    }
    if (!changed || left === 1) return [...merged.values()];
  }
}

function merge(
  merged: Map<string, DirtyRun>,
  run: DirtyRun,
  day: number,
  targets: ReadonlyMap<string, Target>,
): void {
  const { stepMs } = targets.get(run.key)?.series ?? {};
  // A series that had another step then is another series to whoever learns from it.
  if (stepMs !== run.stepMs) return;
  const firstSlot = Math.ceil((day * DAY_MS) / stepMs);
  const into = merged.get(run.key) ?? {
    key: run.key,
    stepMs,
    startMs: firstSlot * stepMs,
    values: new Float32Array(Math.ceil(DAY_MS / stepMs)).fill(Number.NaN),
  };
  merged.set(run.key, into);
  const shift = run.startMs / stepMs - firstSlot;
  run.values.forEach((value, i) => {
    const at = shift + i;
    if (at >= 0 && at < into.values.length && Number.isNaN(into.values[at])) into.values[at] = value;
  });
}

async function put(handle: FileHandle, target: Target, { stepMs, startMs, values }: DirtyRun): Promise<void> {
  const { firstMs, steps } = target.series;
  const shift = Math.round((startMs - firstMs) / stepMs);
  const from = Math.max(0, -shift);
  const to = Math.min(values.length, steps - shift);
  if (to <= from) return;
  const part = values.slice(from, to);
  for (const [i, value] of part.entries()) {
    if (Number.isNaN(value)) continue;
    target.knownFromMs ??= startMs + (from + i) * stepMs;
    target.known += 1;
  }
  const bits = new Uint32Array(part.buffer);
  // Every NaN is the one with all bits set, whichever it was.
  for (const [i, value] of part.entries()) bits[i] = Number.isNaN(value) ? 0 : ~(bits[i] ?? 0);
  await handle.write(new Uint8Array(part.buffer), 0, part.byteLength, target.offset + 4 * (shift + from));
}

async function list(): Promise<HistoryFile[]> {
  const files: HistoryFile[] = [];
  for (const name of await readdir(folder)) {
    if (parseName(name, 0) === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- the disk is asked one thing at a time
    const info = await stat(join(folder, name)).catch(() => undefined);
    const found = info?.isFile() === true ? parseName(name, info.size) : undefined;
    if (found !== undefined && !found.quarantined) files.push(found);
  }
  return files;
}

/** undefined: it has gone. A file that is not whole is left to the thread that writes, and holds nothing. */
async function read({ name, checksum }: HistoryFile): Promise<readonly DirtyRun[] | undefined> {
  try {
    const content = await readFile(join(folder, name));
    return checksumOf(content) === checksum ? await readRuns(content) : [];
  } catch (error) {
    return (error as { code?: unknown }).code === 'ENOENT' ? undefined : [];
  }
}
