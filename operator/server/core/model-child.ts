/**
 * One child process from its start to its end, seen from the server. It knows frames, deadlines and memory; whether
 * it is started again after its end is not its business.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../clock.ts';
import { isForesailError } from '../../errors.ts';
import { lastWords, refusalOf, watchMemory } from '../../inference/child-talk.ts';
import { childCommand } from '../../inference/sandbox.ts';
import { FRAME, type Frame, FrameReader, frameBuffers, padded } from './child/frames.ts';
import { type LoadOrder, type Provider, type Signature, signatureSchema } from './child/protocol.ts';
import { type BlockTensor, type DecodedTensor, decodeBlock, encodeBlock } from './child/tensor-block.ts';
import { backend, type RefusalReason, refused, runFailed } from './errors.ts';

export interface ModelChildOptions {
  readonly clock: Clock;
  readonly provider: Provider;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly memoryMiB: number;
  readonly runDeadlineMs: number;
  readonly onEnd: (message: string) => void;
  /** For tests that need a child with a fault in it. */
  readonly command?: { readonly command: string; readonly args: readonly string[] };
}

export interface ChildRun {
  /** Milliseconds inside the runtime. */
  readonly inferMs: number;
  readonly outputs: readonly DecodedTensor[];
}

const ENTRY = fileURLToPath(new URL('./child/main.ts', import.meta.url));
const MAX_RESULT_BYTES = 256 * 1024 * 1024;
const STDERR_KEPT = 2000;
const CLOSE_GRACE_MS = 1000;
/** What a child without a model takes. */
const NODE_RESIDENT_MIB = 128;
/** A GPU maps far more than it uses, so no wall on address space there. */
const NO_MEMORY_WALL_MIB = 1024 * 1024;

/** How a GPU's libraries and the devices that are ours are found; everything else of our environment stays here. */
const GPU_VARIABLES = ['LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES', 'CUDA_MPS_PIPE_DIRECTORY'];

function gpuEnvironment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = GPU_VARIABLES.flatMap((name) =>
    own[name] === undefined ? [] : [[name, own[name]] as const],
  );
  // The cache of compiled kernels is a file, and a child may not write any.
  return { ...Object.fromEntries(given), CUDA_CACHE_DISABLE: '1' };
}

interface Waiting {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: unknown) => void;
  readonly cancel: () => void;
}

export class ModelChild {
  readonly #options: ModelChildOptions;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #reader = new FrameReader(MAX_RESULT_BYTES + 64 * 1024);
  #nextId = 1;
  #ended: string | undefined;
  #closing = false;
  #stderr = '';
  #signature: Signature | undefined;
  #cancelMemoryWatch: (() => void) | undefined;

  constructor(options: ModelChildOptions) {
    this.#options = options;
    const onGpu = options.provider !== 'cpu';
    const { command, args } =
      options.command ?? childCommand(onGpu ? NO_MEMORY_WALL_MIB : options.memoryMiB, ENTRY);
    const child = spawn(command, args, {
      env: onGpu ? gpuEnvironment(process.env) : {},
      cwd: '/',
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
      // A group of its own: what is sent to ours (Ctrl-C) is the server's to obey, which still has requests to answer.
      detached: true,
      windowsHide: true,
    });
    this.#process = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-STDERR_KEPT);
    });
    // A child that dies while we write to it must not throw here; its exit tells.
    child.stdin?.on('error', () => undefined);
    const output = child.stdio[3] as Readable | Duplex | null;
    output?.on('error', () => undefined);
    output?.on('data', (chunk: Buffer) => this.#receive(chunk));
    child.once('error', (error) => this.#end(`the child did not start: ${error.message}`));
    child.once('exit', (code, signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#end(`the child ended ${how}${lastWords(this.#stderr)}`);
    });
    if (!onGpu) {
      const { memoryMiB, clock } = options;
      this.#cancelMemoryWatch = watchMemory(child.pid, memoryMiB + NODE_RESIDENT_MIB, clock, () =>
        this.kill(`the model took more than ${memoryMiB} MiB of memory`),
      );
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** @throws MODEL_REFUSED; BACKEND when the child ends; the signal's reason */
  async load(bytes: Uint8Array, deadlineMs: number, signal: AbortSignal): Promise<Signature> {
    const { provider, intraOpThreads, interOpThreads } = this.#options;
    const order: LoadOrder = {
      provider,
      intraOpThreads,
      interOpThreads,
      modelBytes: bytes.byteLength,
      maxResultBytes: MAX_RESULT_BYTES,
    };
    const json = Buffer.from(JSON.stringify(order));
    // Filled in front of the model's bytes, so that the frame ends where they end.
    const head = Buffer.alloc(padded(4 + json.byteLength + bytes.byteLength) - bytes.byteLength, ' ');
    head.writeUInt32LE(json.byteLength, 0);
    head.set(json, 4);
    const onAbort = (): void => this.kill('its start was given up');
    signal.throwIfAborted();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const frame = await this.#ask(FRAME.load, [head, bytes], deadlineMs, () =>
        refused('ColdStart', `the model was not loaded within ${deadlineMs} ms`),
      );
      if (frame.kind !== FRAME.ready) {
        const { reason, message } = refusalOf(frame.payload);
        throw refused(reason as RefusalReason, message);
      }
      this.#signature = signatureSchema.parse(JSON.parse(frame.payload.toString('utf8')));
      return this.#signature;
    } catch (error) {
      signal.throwIfAborted();
      if (isForesailError(error)) throw error;
      this.kill('the child answers nonsense');
      throw refused('LoadFailed', 'the child answers nonsense', error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * @param outputs indexes into the signature; undefined = all
   * @throws BACKEND; `isRunFailure` tells whether the child lives on
   */
  async run(inputs: readonly BlockTensor[], outputs: readonly number[] | undefined): Promise<ChildRun> {
    const wanted = new Uint32Array(padded(4 + 4 * (outputs?.length ?? 0)) / 4);
    wanted[0] = outputs?.length ?? 0;
    wanted.set(outputs ?? [], 1);
    const { runDeadlineMs } = this.#options;
    const parts = [new Uint8Array(wanted.buffer), ...encodeBlock(inputs)];
    const frame = await this.#ask(FRAME.run, parts, runDeadlineMs, () =>
      backend(`the model gave no answer within ${runDeadlineMs} ms`),
    );
    if (frame.kind === FRAME.failed) {
      throw runFailed(refusalOf(frame.payload).message);
    }
    const decoded = decodeBlock(frame.payload, 8, (index) => this.#signature?.outputs[index]?.datatype);
    const inferMs = frame.payload.byteLength < 8 ? Number.NaN : frame.payload.readDoubleLE(0);
    if (frame.kind !== FRAME.result || decoded === undefined || !(inferMs >= 0)) {
      this.kill('the child answers nonsense');
      throw backend('the child answers nonsense');
    }
    return { inferMs, outputs: decoded };
  }

  kill(message: string): void {
    this.#process.kill('SIGKILL');
    this.#end(message);
  }

  /** Lets it finish what it has, then ends it; by force after a second. */
  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#process;
    this.#cancelMemoryWatch?.();
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(CLOSE_GRACE_MS, () => child.kill('SIGKILL'));
      child.once('exit', () => {
        cancel();
        resolve();
      });
      child.stdin?.end();
    });
  }

  #ask(kind: number, parts: readonly Uint8Array[], deadlineMs: number, late: () => Error): Promise<Frame> {
    if (this.#ended !== undefined) return Promise.reject(backend(this.#ended));
    const id = this.#nextId++;
    return new Promise<Frame>((resolve, reject) => {
      const cancel = this.#options.clock.after(deadlineMs, () => {
        const error = late();
        this.#waiting.delete(id);
        reject(error);
        this.kill(error.message);
      });
      this.#waiting.set(id, { resolve, reject, cancel });
      const { stdin } = this.#process;
      const buffers = frameBuffers(kind, id, parts);
      if (buffers.length > 1) stdin?.cork();
      for (const buffer of buffers) stdin?.write(buffer);
      if (buffers.length > 1) stdin?.uncork();
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#ended !== undefined) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        const waiting = this.#waiting.get(frame.id);
        this.#waiting.delete(frame.id);
        waiting?.cancel();
        waiting?.resolve(frame);
      }
    } catch {
      this.kill('the child answers nonsense');
    }
  }

  #end(message: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = message;
    this.#cancelMemoryWatch?.();
    for (const { reject, cancel } of this.#waiting.values()) {
      cancel();
      reject(backend(message));
    }
    this.#waiting.clear();
    if (!this.#closing) this.#options.onEnd(message);
  }
}
