/**
 * A foreign model behind the walls of a child process. A crash, a hang or a memory blow-up ends the child, never the
 * operator: it is started again with a growing pause, and after three crashes within an hour the file stays out
 * until the operator is given another one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import type { ForecastWindow, QuantileForecast } from '../forecast/types.ts';
import { lastWords, refusalOf, watchMemory } from './child-talk.ts';
import { bytesOf, encodeFrame, FRAME, type Frame, FrameReader, floatsOf } from './frames.ts';
import { forecastWith } from './runner.ts';
import { childCommand } from './sandbox.ts';
import type { ModelDescriptor, ModelState, OnnxModel, QuarantineReason } from './types.ts';

export interface ChildModelOptions {
  readonly clock: Clock;
  readonly memoryMiB?: number;
  /** Longest load and longest run; a child that takes longer is killed. */
  readonly loadDeadlineMs?: number;
  readonly runDeadlineMs?: number;
  readonly maxBatch?: number;
  /** First pause before a restart; it doubles. */
  readonly backoffMs?: number;
  readonly maxCrashes?: number;
  /** For tests that need a child with a fault in it. */
  readonly command?: { readonly command: string; readonly args: readonly string[] };
  readonly onState?: (state: ModelState) => void;
}

const CRASH_MEMORY_MS = 3_600_000;
const STDERR_KEPT = 2000;
const DEFAULT_MEMORY_MIB = 1024;

const descriptorSchema = z.object({
  name: z.string().max(128),
  version: z.string().max(128),
  digest: z.string().max(128),
  contextLength: z.int().positive(),
  horizon: z.int().positive().max(1024),
  levels: z.array(z.number()).min(3).max(101),
  seasonLagsDays: z.array(z.number()).max(16),
  seasonWindow: z.int().positive(),
  bytes: z.int().positive(),
});

interface Waiting {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

export class ChildModel implements OnnxModel {
  readonly id: string;
  readonly #bytes: Uint8Array;
  readonly #options: ChildModelOptions;
  #state: ModelState = { phase: 'loading', message: 'the child is starting' };
  #child: ChildProcess | undefined;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #crashTimes: number[] = [];
  #restarts = 0;
  #cancelRestart: () => void = () => {};
  #cancelMemoryWatch: () => void = () => {};
  #closed = false;
  #queue: Promise<unknown> = Promise.resolve();
  #ready: Promise<void>;

  /** @param bytes the file as it was read once; every restart loads the same bytes */
  constructor(id: string, bytes: Uint8Array, options: ChildModelOptions) {
    this.id = id;
    this.#bytes = bytes;
    this.#options = options;
    this.#ready = this.#start();
  }

  get state(): ModelState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Process id of the living child, for tests and logs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Settles when the first load has ended, well or not. */
  settled(): Promise<void> {
    return this.#ready;
  }

  async forecast(windows: readonly ForecastWindow[], signal: AbortSignal): Promise<QuantileForecast[]> {
    const state = this.#state;
    if (state.phase !== 'ready') throw notReady(state);
    return await forecastWith(
      (context, seasonal, batch) => this.#run(context, seasonal, batch, state.descriptor),
      state.descriptor,
      windows,
      this.#options.maxBatch ?? 64,
      signal,
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.catch(() => undefined);
    this.#cancelRestart();
    this.#cancelMemoryWatch();
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.stdin?.end();
      const cancel = this.#options.clock.after(1000, () => child.kill('SIGKILL'));
      child.once('exit', cancel);
    });
    this.#failAll(new ForesailError('MODEL_RUN_FAILED', 'terminal', 'the model was closed'));
  }

  /** One run at a time, in order of arrival: the child has one thread. */
  #run(
    context: Float32Array,
    seasonal: Float32Array,
    batch: number,
    descriptor: ModelDescriptor,
  ): Promise<Float32Array> {
    const run = this.#queue.then(async () => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(batch);
      const deadline = this.#options.runDeadlineMs ?? 2000;
      const frame = await this.#ask(FRAME.run, [size, bytesOf(context), bytesOf(seasonal)], deadline);
      if (frame.kind !== FRAME.result) {
        throw new ForesailError('MODEL_RUN_FAILED', 'transient', refusalOf(frame.payload).message);
      }
      const values = floatsOf(frame.payload);
      const wanted = batch * descriptor.horizon * descriptor.levels.length;
      if (values.length !== wanted) {
        throw new ForesailError(
          'MODEL_RUN_FAILED',
          'transient',
          `${values.length} values instead of ${wanted}`,
        );
      }
      return values;
    });
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #start(): Promise<void> {
    if (this.#closed) return;
    this.#set({ phase: 'loading', message: 'the child is loading the model' });
    const memoryMiB = this.#options.memoryMiB ?? DEFAULT_MEMORY_MIB;
    const { command, args } = this.#options.command ?? childCommand(memoryMiB);
    const child = spawn(command, args, {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.#child = child;
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-STDERR_KEPT);
    });
    // A child that dies while we write to it must not throw here; its exit tells.
    child.stdin?.on('error', () => undefined);
    const reader = new FrameReader(64 * 1024 * 1024);
    const output = child.stdio[3] as Readable | Duplex | null;
    output?.on('error', () => undefined);
    output?.on('data', (chunk: Buffer) => this.#receive(child, reader, chunk));
    child.once('error', (error) =>
      this.#crashed(child, 'Crashed', `the child did not start: ${error.message}`),
    );
    child.once('exit', (code, signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#crashed(child, 'Crashed', `the child ended ${how}${lastWords(stderr)}`);
    });
    this.#cancelMemoryWatch = watchMemory(child.pid, memoryMiB, this.#options.clock, () =>
      this.#crashed(child, 'Crashed', `the model took more than ${memoryMiB} MiB of memory`),
    );
    try {
      const frame = await this.#ask(FRAME.load, [this.#bytes], this.#options.loadDeadlineMs ?? 20_000);
      if (frame.kind !== FRAME.ready) {
        const refusal = refusalOf(frame.payload);
        this.#quarantine(refusal.reason as QuarantineReason, refusal.message);
        return;
      }
      const descriptor = descriptorSchema.parse(JSON.parse(frame.payload.toString('utf8')));
      this.#set({ phase: 'ready', descriptor, place: 'child' });
    } catch (error) {
      // A crash has already been noted by the exit handler; what is left is an answer that makes no sense.
      if (this.#child === child && this.#state.phase === 'loading') {
        this.#crashed(
          child,
          'Crashed',
          `the child answers nonsense: ${error instanceof Error ? error.name : ''}`,
        );
      }
    }
  }

  #ask(kind: number, parts: readonly Uint8Array[], deadlineMs: number): Promise<Frame> {
    const child = this.#child;
    if (child === undefined) {
      return Promise.reject(new ForesailError('MODEL_RUN_FAILED', 'transient', 'the child is not running'));
    }
    const id = this.#nextId++;
    return new Promise<Frame>((resolve, reject) => {
      const cancel = this.#options.clock.after(deadlineMs, () => {
        this.#waiting.delete(id);
        reject(new ForesailError('MODEL_TIMEOUT', 'transient', `no answer within ${deadlineMs} ms`));
        this.#crashed(child, 'TooSlow', `the model took longer than ${deadlineMs} ms`);
      });
      this.#waiting.set(id, {
        resolve: (frame) => {
          cancel();
          resolve(frame);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      child.stdin?.write(encodeFrame(kind, id, ...parts));
    });
  }

  #receive(child: ChildProcess, reader: FrameReader, chunk: Buffer): void {
    if (this.#child !== child) return;
    try {
      for (const frame of reader.push(chunk)) {
        this.#waiting.get(frame.id)?.resolve(frame);
        this.#waiting.delete(frame.id);
      }
    } catch {
      this.#crashed(child, 'Crashed', 'the child answers nonsense');
    }
  }

  #crashed(child: ChildProcess, reason: QuarantineReason, message: string): void {
    if (this.#child !== child || this.#closed) return;
    this.#child = undefined;
    this.#cancelMemoryWatch();
    child.kill('SIGKILL');
    this.#failAll(new ForesailError('MODEL_RUN_FAILED', 'transient', message));
    if (this.#state.phase === 'quarantined') return;
    const now = this.#options.clock.monotonic();
    this.#crashTimes = [...this.#crashTimes.filter((at) => now - at < CRASH_MEMORY_MS), now];
    const crashes = this.#crashTimes.length;
    if (crashes >= (this.#options.maxCrashes ?? 3)) {
      this.#quarantine(reason, `${message}; ${crashes} times within an hour`);
      return;
    }
    const pause = (this.#options.backoffMs ?? 1000) * 2 ** (crashes - 1);
    this.#set({ phase: 'backoff', message, crashes, untilMs: this.#options.clock.now() + pause });
    this.#restarts++;
    this.#cancelRestart = this.#options.clock.after(pause, () => void this.#start());
  }

  #quarantine(reason: QuarantineReason, message: string): void {
    this.#set({ phase: 'quarantined', reason, message });
    const child = this.#child;
    this.#child = undefined;
    this.#cancelMemoryWatch();
    child?.kill('SIGKILL');
  }

  #failAll(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(error);
  }

  #set(state: ModelState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}

export function notReady(state: Exclude<ModelState, { phase: 'ready' }>): ForesailError {
  switch (state.phase) {
    case 'quarantined':
      return new ForesailError('MODEL_QUARANTINED', 'terminal', state.message, { subject: state.reason });
    case 'backoff':
    case 'loading':
      return new ForesailError('MODEL_LOADING', 'transient', state.message);
  }
}
