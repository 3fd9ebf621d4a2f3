/**
 * Entry point of the process that runs one model. It gets the file's bytes over its standard input, never a path, so
 * the file that was checked is the file that runs. It has no environment and no credentials, talks only over its
 * pipes, and ends when they close or its parent is gone. Reads and writes block on purpose: a run blocks this thread
 * anyway, and without an event loop in between an answer takes about half the time.
 */
import { readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { isForesailError, messageOf } from '../../../errors.ts';
import { FRAME, type Frame, frameBuffers, HEADER, padded } from './frames.ts';
import type { LoadOrder } from './protocol.ts';
import { type ChildSession, openChildSession } from './session.ts';

const INPUT_FD = 0;
const OUTPUT_FD = 3;
const WINDOW_BYTES = 256 * 1024;
/** The largest load frame; the parent has checked the file's size against its own limit. */
const MAX_FRAME = 0xffff_fff0;

// A run that never ends blocks this thread, so the look at the parent needs another one.
new Worker(
  `const parent = ${process.ppid};
   setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 500);`,
  { eval: true },
).unref();

/** Small frames come in with one read and are used where they lie: nothing is read before their run has ended. */
const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
let from = 0;
let to = 0;

/** Moves what is left to the front, so that every frame begins at a multiple of eight; false at the end of the input. */
function fill(wanted: number): boolean {
  window.copyWithin(0, from, to);
  to -= from;
  from = 0;
  while (to < wanted) {
    const count = readSync(INPUT_FD, window, to, window.byteLength - to, null);
    if (count === 0) return false;
    to += count;
  }
  return true;
}

function readFrame(): Frame | undefined {
  if (!fill(HEADER)) return undefined;
  const length = window.readUInt32LE(0);
  const frame = { id: window.readUInt32LE(4), kind: window.readUInt32LE(8) };
  if (length > MAX_FRAME) return undefined;
  if (HEADER + length <= window.byteLength) {
    if (!fill(HEADER + length)) return undefined;
    from = HEADER + length;
    return { ...frame, payload: window.subarray(HEADER, from) };
  }
  const payload = Buffer.allocUnsafeSlow(length);
  payload.set(window.subarray(HEADER, to));
  for (let at = to - HEADER; at < length; ) {
    const count = readSync(INPUT_FD, payload, at, length - at, null);
    if (count === 0) return undefined;
    at += count;
  }
  from = to;
  return { ...frame, payload };
}

function write(kind: number, id: number, ...parts: readonly Uint8Array[]): void {
  for (const buffer of frameBuffers(kind, id, parts)) {
    for (let at = 0; at < buffer.byteLength; ) at += writeSync(OUTPUT_FD, buffer, at);
  }
}

function writeJson(kind: number, id: number, value: unknown): void {
  const json = Buffer.from(JSON.stringify(value));
  // Frames are filled up with zeros, which JSON does not take; so the text brings its own filler.
  write(kind, id, json, Buffer.alloc(padded(json.byteLength) - json.byteLength, ' '));
}

let session: ChildSession | undefined;

function handle(frame: Frame): void {
  try {
    if (frame.kind === FRAME.load) {
      const size = frame.payload.readUInt32LE(0);
      const order = JSON.parse(frame.payload.toString('utf8', 4, 4 + size)) as LoadOrder;
      const start = frame.payload.byteLength - order.modelBytes;
      session = openChildSession(frame.payload.subarray(start), order);
      writeJson(FRAME.ready, frame.id, session.signature);
    } else if (frame.kind === FRAME.run && session !== undefined) {
      write(FRAME.result, frame.id, ...session.run(frame.payload));
    }
  } catch (error) {
    const reason = isForesailError(error) ? error.subject : undefined;
    const kind = frame.kind === FRAME.load ? FRAME.refused : FRAME.failed;
    const fallback = frame.kind === FRAME.load ? 'LoadFailed' : 'RunFailed';
    const message = (messageOf(error).split('\n')[0] ?? '').slice(0, 300);
    writeJson(kind, frame.id, { reason: reason ?? fallback, message });
  }
}

/** The runtime has its own copy of the file; nothing else here is large enough for V8 to give ours back soon. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** What the runtime and V8 want to do on this thread between runs, they do in a turn of the event loop. */
const RUNS_PER_TURN = 256;

for (let frame = readFrame(), runs = 1; frame !== undefined; frame = readFrame(), runs++) {
  const { kind } = frame;
  handle(frame);
  if (kind === FRAME.load) {
    frame = undefined;
    collectGarbage();
  }
  // oxlint-disable-next-line no-await-in-loop -- a rest between runs
  if (runs % RUNS_PER_TURN === 0) await setImmediate();
}
process.exit(0);
