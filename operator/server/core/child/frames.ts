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
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(padded(length), 0);
  header.writeUInt32LE(id, 4);
  header.writeUInt32LE(kind, 8);
  const filler = new Uint8Array(padded(length) - length);
  return joinSmall([header, ...parts, filler]);
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

/** Cuts a stream into frames. Each frame gets a buffer of its own size: chunks are copied into it once. */
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
}
