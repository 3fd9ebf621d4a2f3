/**
 * How the server and a model's child talk: `[u32 length][u32 id][u32 kind][u32 0][payload]`, little-endian, every
 * payload padded to eight bytes, so that tensors can be used where they lie in the received buffer instead of being
 * copied once more. What comes back from the child is untrusted and meets a parser with limits.
 */
import { ForesailError } from '../../../errors.ts';

export const FRAME = { load: 1, run: 2, ready: 3, refused: 4, result: 5, failed: 6 } as const;
export const HEADER = 16;
/** Smaller parts are joined into one write; larger ones are handed to the kernel as they are. */
const JOIN_BELOW = 64 * 1024;

export interface Frame {
  readonly id: number;
  readonly kind: number;
  /** Its first byte lies at a multiple of eight. */
  readonly payload: Buffer;
}

export function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** The frame as few buffers; the parts' lengths must be multiples of eight but for the last one. */
export function frameBuffers(kind: number, id: number, parts: readonly Uint8Array[]): Uint8Array[] {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  if (length < JOIN_BELOW) {
    const frame = Buffer.allocUnsafe(HEADER + padded(length));
    writeHeader(frame, length, id, kind);
    let at = HEADER;
    for (const part of parts) {
      frame.set(part, at);
      at += part.byteLength;
    }
    frame.fill(0, at);
    return [frame];
  }
  const header = Buffer.alloc(HEADER);
  writeHeader(header, length, id, kind);
  return joinSmall([header, ...parts, new Uint8Array(padded(length) - length)]);
}

function writeHeader(into: Buffer, length: number, id: number, kind: number): void {
  into.writeUInt32LE(padded(length), 0);
  into.writeUInt32LE(id, 4);
  into.writeUInt32LE(kind, 8);
  into.writeUInt32LE(0, 12);
}

function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) buffers.push(Buffer.concat(small));
    small = [];
  };
  for (const part of parts) {
    if (part.byteLength < JOIN_BELOW) {
      small.push(part);
    } else {
      flush();
      buffers.push(part);
    }
  }
  flush();
  return buffers;
}

export function tooLong(length: number, limit: number): ForesailError {
  return new ForesailError('FRAME_TOO_LONG', 'terminal', `a frame of ${length} bytes, at most ${limit}`);
}

/**
 * Cuts a stream into frames. One that came whole is used where it lies; of others each gets a buffer of its own size,
 * and chunks are copied into it once.
 */
export class FrameReader {
  readonly #limit: number;
  readonly #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #payload: Buffer | undefined;
  #filled = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws FRAME_TOO_LONG before it takes memory for the frame */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    if (this.#payload === undefined && this.#headerFilled === 0) {
      for (let frame = this.#whole(chunk, at); frame !== undefined; frame = this.#whole(chunk, at)) {
        frames.push(frame);
        at += HEADER + frame.payload.byteLength;
      }
    }
    while (at < chunk.byteLength || this.#payload?.byteLength === this.#filled) {
      if (this.#payload === undefined) {
        const taken = Math.min(HEADER - this.#headerFilled, chunk.byteLength - at);
        this.#header.set(chunk.subarray(at, at + taken), this.#headerFilled);
        this.#headerFilled += taken;
        at += taken;
        if (this.#headerFilled < HEADER) break;
        const length = this.#header.readUInt32LE(0);
        if (length > this.#limit) throw tooLong(length, this.#limit);
        this.#payload = Buffer.allocUnsafeSlow(length);
        this.#filled = 0;
      }
      const taken = Math.min(this.#payload.byteLength - this.#filled, chunk.byteLength - at);
      this.#payload.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < this.#payload.byteLength) break;
      frames.push({
        id: this.#header.readUInt32LE(4),
        kind: this.#header.readUInt32LE(8),
        payload: this.#payload,
      });
      this.#payload = undefined;
      this.#headerFilled = 0;
    }
    return frames;
  }
  /** The frame at this place, if all of it is there and its payload lies as tensors need it. */
  #whole(chunk: Uint8Array, at: number): Frame | undefined {
    const start = at + HEADER;
    if (start > chunk.byteLength || (chunk.byteOffset + start) % 8 !== 0) return undefined;
    const view = Buffer.from(chunk.buffer, chunk.byteOffset + at, chunk.byteLength - at);
    const end = HEADER + view.readUInt32LE(0);
    if (end > view.byteLength) return undefined;
    return { id: view.readUInt32LE(4), kind: view.readUInt32LE(8), payload: view.subarray(HEADER, end) };
  }
}
