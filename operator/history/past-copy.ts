/**
 * The whole past that is on disk, readable series by series. Memory holds some weeks of it, which is what forecasts
 * need; training asks for more. A copy is made once for whoever asks, in a thread of its own, and is deleted when it was
 * not read for a while.
 */
import { mkdir, open, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { DAY_MS, parseName } from './files.ts';
import type { CopiedSeries, CopyData, CopyMessage, PastSeries } from './past-copy-messages.ts';

export interface PastCopy {
  readonly series: readonly (PastSeries & CopiedSeries)[];
  /** `count` steps of the series with that index from `fromMs` on; NaN where unknown, also outside of the copy. */
  read(index: number, fromMs: number, count: number): Promise<Float32Array>;
}

export type PastState =
  | { readonly kind: 'ready'; readonly copy: PastCopy }
  /** Also while others take the room. */
  | { readonly kind: 'preparing' }
  /** Too large, or the disk fails: what is in memory has to do. */
  | { readonly kind: 'unavailable' };

export interface PastCopies {
  /** Whether the disk may know more than memory, which begins at `firstMs`. */
  reachesBefore(firstMs: number): Promise<boolean>;
  /** Starts to copy when it is first asked for that id. */
  of(id: string, series: () => readonly PastSeries[]): PastState;
  /** Threads end and files go. */
  close(): Promise<void>;
}

export interface PastCopiesOptions {
  /** Where the history lies; the copies lie in a folder of it. */
  readonly folder: string;
  /** Of all copies together. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** A copy that was not read for so long is deleted; default 2 min. */
  readonly idleMs?: number;
}

const FOLDER = '.copies';
const WORKER_HEAP_MB = 512;

interface Entry {
  state: PastState;
  readonly file: string;
  readonly bytes: number;
  worker: Worker | undefined;
  cancel: () => void;
}

export function createPastCopies(options: PastCopiesOptions): PastCopies {
  const { folder, maxBytes, clock, log, idleMs = 120_000 } = options;
  const entries = new Map<string, Entry>();
  let number = 0;
  /** One thread at a time. */
  let queue: Promise<void> = Promise.resolve();
  /** What a process that was killed has left. */
  const cleared = rm(join(folder, FOLDER), { recursive: true, force: true }).catch(() => undefined);

  async function drop(id: string): Promise<void> {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entries.delete(id);
    entry.cancel();
    await entry.worker?.terminate();
    await unlink(entry.file).catch(() => undefined);
  }

  function touch(id: string, entry: Entry): void {
    entry.cancel();
    entry.cancel = clock.after(idleMs, () => void drop(id));
  }

  function give(entry: Entry, why: string): void {
    log.warn('the past on disk could not be copied for a training run', { reason: why });
    entry.state = { kind: 'unavailable' };
  }

  async function make(id: string, entry: Entry, series: readonly PastSeries[]): Promise<void> {
    await cleared;
    await mkdir(join(folder, FOLDER), { recursive: true });
    if (entries.get(id) !== entry) return;
    const found = await inWorker(entry, { folder, file: entry.file, series });
    if (entries.get(id) !== entry) return;
    touch(id, entry);
    const copied = series.map((each, i) => ({ ...each, ...(found[i] as CopiedSeries) }));
    entry.state = { kind: 'ready', copy: copyOf(entry.file, copied, () => touch(id, entry)) };
  }

  function inWorker(entry: Entry, data: CopyData): Promise<readonly CopiedSeries[]> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./past-copy-worker.ts', import.meta.url), {
        workerData: data,
        resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
        env: {},
        execArgv: [],
      });
      entry.worker = worker;
      worker.unref();
      worker.on('error', reject);
      worker.on('exit', () => {
        entry.worker = undefined;
        reject(new Error('the thread has ended'));
      });
      worker.on('message', (message: CopyMessage) => {
        if (message.kind === 'done') resolve(message.series);
        else reject(new Error(message.message));
      });
    });
  }

  return {
    async reachesBefore(firstMs) {
      const names = await readdir(folder).catch(() => []);
      return names.some((name) => {
        const file = parseName(name, 0);
        return file !== undefined && !file.quarantined && file.day * DAY_MS + DAY_MS <= firstMs;
      });
    },
    of(id, seriesOf) {
      const before = entries.get(id);
      if (before !== undefined) {
        touch(id, before);
        return before.state;
      }
      const series = seriesOf();
      const bytes = series.reduce((sum, { steps }) => sum + 4 * steps, 0);
      const taken = [...entries.values()].reduce((sum, each) => sum + each.bytes, 0);
      if (bytes <= maxBytes && taken + bytes > maxBytes) return { kind: 'preparing' };
      const file = join(folder, FOLDER, String(++number));
      const fits = bytes <= maxBytes && bytes > 0;
      const entry: Entry = {
        state: { kind: 'preparing' },
        file,
        bytes: fits ? bytes : 0,
        worker: undefined,
        cancel: () => undefined,
      };
      entries.set(id, entry);
      touch(id, entry);
      if (!fits) give(entry, `it takes ${bytes} bytes, at most ${maxBytes} are allowed`);
      else
        queue = queue
          .then(() => make(id, entry, series))
          .catch((error: unknown) => {
            if (entries.get(id) === entry) give(entry, messageOf(error));
          });
      return entry.state;
    },
    async close() {
      await Promise.all([...entries.keys()].map(drop));
    },
  };
}

function copyOf(file: string, series: PastCopy['series'], used: () => void): PastCopy {
  return {
    series,
    async read(index, fromMs, count) {
      used();
      const values = new Float32Array(count).fill(Number.NaN);
      const each = series[index];
      if (each === undefined) return values;
      const { stepMs, firstMs, steps, offset } = each;
      const shift = Math.round((fromMs - firstMs) / stepMs);
      const from = Math.max(0, shift);
      const to = Math.min(steps, shift + count);
      if (to <= from) return values;
      const bytes = new Uint8Array(4 * (to - from));
      const handle = await open(file, 'r');
      try {
        await handle.read(bytes, 0, bytes.length, offset + 4 * from);
      } finally {
        await handle.close();
      }
      const bits = new Uint32Array(bytes.buffer);
      for (let i = 0; i < bits.length; i++) bits[i] = ~(bits[i] ?? 0);
      values.set(new Float32Array(bytes.buffer), from - shift);
      return values;
    },
  };
}
