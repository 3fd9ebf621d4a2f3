/**
 * Entry point of the child process that runs one foreign model. It gets the bytes over its standard input, never a
 * path, so the file that was checked is the file that runs. It has no environment and no credentials, talks only
 * over its pipes, and ends when they close or its parent is gone.
 */
import { createWriteStream } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { isForesailError, messageOf } from '../errors.ts';
import { CONTEXT_LENGTH } from '../forecast/types.ts';
import { MAX_MODEL_BYTES } from './contract.ts';
import { bytesOf, encodeFrame, FRAME, type Frame, FrameReader, floatsOf } from './frames.ts';
import { type LoadedModel, loadModel } from './load.ts';
import { SEASONAL_LENGTH } from './runner.ts';

const OUTPUT_FD = 3;

// A run that never ends blocks this thread, so the look at the parent needs another one.
const watchdog = new Worker(
  `const parent = ${process.ppid};
   setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 500);`,
  { eval: true },
);
watchdog.unref();

const output = createWriteStream('', { fd: OUTPUT_FD });
const reader = new FrameReader(MAX_MODEL_BYTES);
let loaded: LoadedModel | undefined;
let queue: Promise<void> = Promise.resolve();

process.stdin.on('data', (chunk: Buffer) => {
  for (const frame of reader.push(chunk)) queue = queue.then(() => handle(frame));
});
process.stdin.on('end', () => {
  void queue.then(() => process.exit(0));
});

async function handle(frame: Frame): Promise<void> {
  try {
    if (frame.kind === FRAME.load) {
      loaded = await loadModel(frame.payload);
      answer(FRAME.ready, frame.id, Buffer.from(JSON.stringify(loaded.descriptor)));
    } else if (frame.kind === FRAME.run && loaded !== undefined) {
      const batch = frame.payload.readUInt32LE(0);
      const inputs = floatsOf(frame.payload, 4);
      const split = batch * CONTEXT_LENGTH;
      const context = inputs.slice(0, split);
      const seasonal = inputs.slice(split, split + batch * SEASONAL_LENGTH);
      answer(FRAME.result, frame.id, bytesOf(await loaded.session.run(context, seasonal, batch)));
    }
  } catch (error) {
    const reason = isForesailError(error, 'MODEL_INVALID') ? error.subject : 'RunFailed';
    const kind = frame.kind === FRAME.load ? FRAME.refused : FRAME.failed;
    answer(kind, frame.id, Buffer.from(JSON.stringify({ reason, message: messageOf(error).slice(0, 300) })));
  }
}

function answer(kind: number, id: number, payload: Uint8Array): void {
  output.write(encodeFrame(kind, id, payload));
}
