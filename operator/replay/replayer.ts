/**
 * Replays pasts one after the other on a thread of its own. A thread that dies or hangs costs the replay that it was
 * at; the next one gets a new thread.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { ForesailError, messageOf } from '../errors.ts';
import type { Forecaster } from '../forecast/types.ts';
import type { Replay } from '../simulate/replay.ts';
import type { FromWorker, ReplayJob, ToWorker } from './messages.ts';

type Model = Pick<Forecaster, 'id' | 'forecast'>;

export interface Replayer {
  /**
   * Undefined when too little of the past is known. Rejects with a ForesailError, or with the signal's reason.
   *
   * @param models those of the job's forecasters that are no code
   */
  replay(job: ReplayJob, models: readonly Model[], signal: AbortSignal): Promise<Replay | undefined>;
  close(): Promise<void>;
}

export interface ReplayerOptions {
  readonly clock: Clock;
  /** For one replay; default 5 min. */
  readonly deadlineMs?: number;
  /** Where the thread starts; for tests of a thread that dies. */
  readonly entry?: URL;
}

const WORKER_HEAP_MB = 512;

export function createReplayer({ clock, deadlineMs = 300_000, entry }: ReplayerOptions): Replayer {
  const closing = new AbortController();
  let thread: Worker | undefined;
  let line: Promise<unknown> = Promise.resolve();
  let lastId = 0;
  let current:
    | {
        readonly id: number;
        readonly models: readonly Model[];
        readonly done: PromiseWithResolvers<Replay | undefined>;
      }
    | undefined;

  function running(): Worker {
    if (thread !== undefined) return thread;
    const worker = new Worker(entry ?? new URL('./worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      env: {},
      execArgv: [],
    });
    worker.unref();
    worker.on('message', (message: FromWorker) => hear(worker, message));
    worker.on('error', (error) => died(worker, messageOf(error)));
    worker.on('exit', (code) => died(worker, `the thread ended with ${code}`));
    thread = worker;
    return worker;
  }

  function died(worker: Worker, message: string): void {
    if (thread !== worker) return;
    thread = undefined;
    current?.done.reject(failed(message));
    void worker.terminate();
  }

  function say(worker: Worker, message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(message);
  }

  function hear(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'ask': {
        const { call, model: id, windows } = message;
        const model = current?.models.find((one) => one.id === id);
        // The replay that asks is over.
        if (model === undefined) break;
        model
          .forecast(windows, closing.signal)
          .then((forecasts) => say(worker, { kind: 'forecasts', call, forecasts }))
          .catch((error: unknown) => say(worker, { kind: 'noForecasts', call, message: messageOf(error) }));
        break;
      }
      case 'replayed':
        if (current?.id === message.id) current.done.resolve(message.replay);
        break;
      case 'failed':
        if (current?.id === message.id) current.done.reject(failed(message.message));
        break;
    }
  }

  async function next(
    job: ReplayJob,
    models: readonly Model[],
    signal: AbortSignal,
  ): Promise<Replay | undefined> {
    const until = AbortSignal.any([signal, closing.signal]);
    until.throwIfAborted();
    lastId += 1;
    const done = Promise.withResolvers<Replay | undefined>();
    current = { id: lastId, models, done };
    const worker = running();
    // What hangs is ended: a thread cannot be asked to stop.
    const end = () => {
      died(worker, 'stopped');
      done.reject(until.reason);
    };
    const cancel = clock.after(deadlineMs, () => died(worker, `no end within ${deadlineMs / 1000} s`));
    until.addEventListener('abort', end, { once: true });
    try {
      say(worker, { kind: 'replay', id: lastId, models: models.map(({ id }) => id), job });
      return await done.promise;
    } finally {
      until.removeEventListener('abort', end);
      cancel();
      current = undefined;
    }
  }

  async function inLine(
    before: Promise<unknown>,
    job: ReplayJob,
    models: readonly Model[],
    signal: AbortSignal,
  ) {
    await before;
    return await next(job, models, signal);
  }

  return {
    replay(job, models, signal) {
      const result = inLine(line, job, models, signal);
      line = result.catch(() => undefined);
      return result;
    },
    async close() {
      closing.abort(new Error('shutting down'));
      await line;
      await thread?.terminate();
    },
  };
}

function failed(message: string): ForesailError {
  return new ForesailError('REPLAY_FAILED', 'transient', `the past could not be replayed: ${message}`);
}
