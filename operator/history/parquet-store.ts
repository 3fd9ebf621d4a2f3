/**
 * History in memory with Parquet behind it. Memory is the truth that scaling reads; the disk is a copy that may fill
 * up, break or vanish without anybody's replicas noticing.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as setImmediatePromise } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { ForesailError, isForesailError } from '../errors.ts';
import type { LoadSeries } from '../observation.ts';
import type { Retention } from './files.ts';
import { type DirtyRun, MemoryHistory, type MemoryHistoryOptions } from './memory-store.ts';
import type { WorkerData, WorkerMessage, WorkerRequest } from './parquet-worker.ts';
import type {
  AppendOutcome,
  HistoryHealth,
  HistoryStore,
  QuarantinedFile,
  SeriesKey,
  SeriesOptions,
  SeriesSpan,
} from './types.ts';

export interface ParquetHistoryOptions extends MemoryHistoryOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** Default 60 days and 2 GiB. */
  readonly retention?: Retention;
  /** A file that takes longer to read is set aside; default 20 s. */
  readonly readDeadlineMs?: number;
  /** A flush that takes longer is not waited for; default 60 s. */
  readonly writeDeadlineMs?: number;
  /** A day with this many files is merged into one; default 24. */
  readonly filesPerDay?: number;
  readonly onHealth?: (health: HistoryHealth) => void;
  readonly onQuarantine?: (file: QuarantinedFile) => void;
}

/** Steps per write: 4 MB of values. */
const STEPS_PER_WRITE = 1_000_000;
const STEPS_PER_SLICE = 50_000;
const WORKER_HEAP_MB = 768;

type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

export class ParquetHistory implements HistoryStore {
  readonly #memory: MemoryHistory;
  readonly #options: Required<Omit<ParquetHistoryOptions, 'onHealth' | 'onQuarantine'>> &
    Pick<ParquetHistoryOptions, 'onHealth' | 'onQuarantine'>;
  #worker: Worker | undefined;
  #reading: { name: string; cancel: () => void } | undefined;
  readonly #setAside: string[] = [];
  readonly #asked = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  /** Found on disk and not declared by anybody yet. */
  readonly #unclaimed = new Set<SeriesKey>();
  #nextId = 1;
  #flushing: Promise<void> | undefined;
  #loading: Promise<void>;
  #closed = false;
  #health: HistoryHealth = {
    persistent: true,
    reason: 'Loading',
    message: 'reading the past from disk',
    lastFlushMs: undefined,
    quarantined: 0,
  };

  /** Starts to read what is on disk; the store can be used at once. */
  constructor(options: ParquetHistoryOptions) {
    this.#options = {
      retention: { days: 60, bytes: 2 * 1024 ** 3 },
      readDeadlineMs: 20_000,
      writeDeadlineMs: 60_000,
      filesPerDay: 24,
      retainMs: 15 * 86_400_000,
      maxPoints: 43_200,
      maxSeries: 20_000,
      futureToleranceMs: 120_000,
      ...options,
    };
    this.#memory = new MemoryHistory(this.#options);
    this.#loading = this.#load();
  }

  /** Settles when everything on disk that is good is in memory. Never rejects. */
  loaded(): Promise<void> {
    return this.#loading;
  }

  declare(key: SeriesKey, options: SeriesOptions): void {
    this.#unclaimed.delete(key);
    this.#memory.declare(key, options);
  }

  append(key: SeriesKey, atMs: number, value: number): AppendOutcome {
    return this.#memory.append(key, atMs, value);
  }

  fill(key: SeriesKey, series: LoadSeries): number {
    return this.#memory.fill(key, series);
  }

  window(key: SeriesKey, endMs: number, stepMs: number, count: number): Float64Array {
    return this.#memory.window(key, endMs, stepMs, count);
  }

  span(key: SeriesKey): SeriesSpan | undefined {
    return this.#memory.span(key);
  }

  forget(key: SeriesKey): void {
    this.#unclaimed.delete(key);
    this.#memory.forget(key);
  }

  /** Drops from memory what was read from disk and nobody has declared since, e.g. series of deleted scalers. */
  forgetUnclaimed(): number {
    const count = this.#unclaimed.size;
    for (const key of this.#unclaimed) this.#memory.forget(key);
    this.#unclaimed.clear();
    return count;
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  health(): HistoryHealth {
    return this.#health;
  }

  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed) return;
    // A disk that hangs is asked once; later flushes wait for that answer, not in line behind it.
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
    await raced(this.#flushing, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush(new AbortController().signal);
    this.#closed = true;
    this.#reading?.cancel();
    const worker = this.#worker;
    this.#worker = undefined;
    for (const one of this.#asked.values()) one.resolve();
    this.#asked.clear();
    await worker?.terminate();
  }

  async #load(): Promise<void> {
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- again only when a file has killed the worker
        await this.#ask({ op: 'load', nowMs: this.#options.now(), skip: this.#setAside });
        this.#setHealth('Ok', 'history is written to disk');
        return;
      } catch (error) {
        if (this.#closed) return;
        if (isForesailError(error, 'HISTORY_READ_DIED')) continue;
        this.#fail(error);
        return;
      }
    }
  }

  async #flushAll(): Promise<void> {
    try {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- bounded memory: one part after the other
        const runs = await this.#takeInSlices();
        if (runs.length === 0) break;
        try {
          // oxlint-disable-next-line no-await-in-loop -- bounded memory: one part after the other
          await this.#askWithin({ op: 'write', nowMs: this.#options.now(), runs });
        } catch (error) {
          this.#memory.giveBack(runs);
          throw error;
        }
      }
      await this.#askWithin({ op: 'tidy', nowMs: this.#options.now() });
      this.#health = { ...this.#health, lastFlushMs: this.#options.clock.now() };
      if (this.#health.reason !== 'Loading') this.#setHealth('Ok', 'history is written to disk');
    } catch (error) {
      this.#fail(error);
      // A full disk gets room first, so that the next flush may work.
      await this.#askWithin({ op: 'tidy', nowMs: this.#options.now() }).catch(() => undefined);
    }
  }

  /** What one write takes, collected in slices so that the thread is never held for long. */
  async #takeInSlices(): Promise<DirtyRun[]> {
    const runs: DirtyRun[] = [];
    for (let taken = 0; taken < STEPS_PER_WRITE; taken += STEPS_PER_SLICE) {
      const slice = this.#memory.takeDirty(STEPS_PER_SLICE);
      if (slice.length === 0) break;
      runs.push(...slice);
      // oxlint-disable-next-line no-await-in-loop -- that is the point
      await setImmediatePromise();
    }
    return runs;
  }

  async #askWithin(request: Unnumbered<WorkerRequest>): Promise<void> {
    const { clock, writeDeadlineMs } = this.#options;
    let cancel: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(writeDeadlineMs, () => {
        reject(
          new ForesailError('HISTORY_SLOW', 'transient', `the disk took longer than ${writeDeadlineMs} ms`),
        );
      });
    });
    try {
      await Promise.race([this.#ask(request), late]);
    } finally {
      cancel?.();
    }
  }

  #ask(request: Unnumbered<WorkerRequest>): Promise<void> {
    if (this.#closed)
      return Promise.reject(new ForesailError('HISTORY_CLOSED', 'terminal', 'history is closed'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      this.#running().postMessage({ ...request, id }, buffersOf(request));
    });
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const { folder, retention, filesPerDay } = this.#options;
    const worker = new Worker(new URL('./parquet-worker.ts', import.meta.url), {
      workerData: { folder, retention, filesPerDay } satisfies WorkerData,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      env: {},
      execArgv: [],
    });
    worker.unref();
    worker.on('message', (message: WorkerMessage) => this.#hear(message));
    worker.on('error', (error) => void this.#died(worker, error));
    this.#worker = worker;
    return worker;
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case 'runs':
        for (const run of message.runs) this.#restore(run);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        setImmediate((worker) => worker?.postMessage('taken'), this.#worker);
        break;
      case 'reading': {
        const worker = this.#worker;
        const cancel = this.#options.clock.after(this.#options.readDeadlineMs, () => {
          if (worker !== undefined) void this.#died(worker, new Error('reading takes too long'));
        });
        this.#reading = { name: message.name, cancel };
        break;
      }
      case 'read':
        this.#reading?.cancel();
        this.#reading = undefined;
        break;
      case 'quarantined':
        this.#quarantined(message.name, message.reason);
        break;
      case 'done':
        this.#asked.get(message.id)?.resolve();
        this.#asked.delete(message.id);
        break;
      case 'failed':
        this.#asked.get(message.id)?.reject(
          new ForesailError('HISTORY_WRITE_FAILED', 'transient', message.message, {
            subject: message.code,
          }),
        );
        this.#asked.delete(message.id);
        break;
    }
  }

  #restore(run: DirtyRun): void {
    if (!this.#memory.has(run.key)) {
      try {
        this.#memory.declare(run.key, { stepMs: run.stepMs });
        this.#unclaimed.add(run.key);
      } catch {
        return; // more series on disk than memory may hold
      }
    }
    this.#memory.restore(run);
  }

  /** The worker ran out of memory or time. If it was reading a file, that file is set aside. */
  async #died(worker: Worker, error: Error): Promise<void> {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.cancel();
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    await worker.terminate();
    if (reading !== undefined) {
      const path = join(this.#options.folder, reading.name);
      await rename(path, `${path}.quarantined`).catch(() => undefined);
      this.#setAside.push(reading.name);
      this.#quarantined(reading.name, error.message);
    }
    const code = reading === undefined ? 'HISTORY_WRITE_FAILED' : 'HISTORY_READ_DIED';
    const errno: unknown = (error as { code?: unknown }).code;
    const subject = typeof errno === 'string' ? errno : code;
    for (const one of asked) {
      one.reject(new ForesailError(code, 'transient', error.message, { subject, cause: error }));
    }
  }

  #quarantined(name: string, reason: string): void {
    this.#health = { ...this.#health, quarantined: this.#health.quarantined + 1 };
    this.#options.onQuarantine?.({ path: join(this.#options.folder, `${name}.quarantined`), reason });
  }

  #fail(error: unknown): void {
    const code = isForesailError(error) ? (error.subject ?? error.code) : '';
    const message = error instanceof Error ? error.message : String(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') this.#setHealth('DiskFull', message);
    else if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') this.#setHealth('ReadOnly', message);
    else this.#setHealth('WriteFailed', message);
  }

  #setHealth(reason: HistoryHealth['reason'], message: string): void {
    const changed = this.#health.reason !== reason;
    this.#health = { ...this.#health, reason, message };
    if (changed) this.#options.onHealth?.(this.#health);
  }
}

/** Values are handed over, not copied; what a failed write needs of a run afterwards is only where it lay. */
function buffersOf(request: Unnumbered<WorkerRequest>): ArrayBuffer[] {
  return request.op === 'write' ? request.runs.map((run) => run.values.buffer as ArrayBuffer) : [];
}

function raced(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
