/**
 * How the operator and a model's child process talk: `[u32 length][u32 id][u8 kind][payload]`, little endian. Not
 * the serialiser of Node's own IPC, because what comes back is untrusted and must meet a parser with limits.
 */
import { ForesailError } from '../errors.ts';

export const FRAME = { load: 1, run: 2, ready: 3, refused: 4, result: 5, failed: 6 } as const;

export interface Frame {
  readonly id: number;
  readonly kind: number;
  readonly payload: Buffer;
}

const HEADER = 9;

export function encodeFrame(kind: number, id: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(length, 0);
  header.writeUInt32LE(id, 4);
  header.writeUInt8(kind, 8);
  return Buffer.concat([header, ...parts], HEADER + length);
}

/** Cuts a byte stream into frames; `push` throws FRAME_TOO_LONG before it gathers more than `limit` bytes. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#held < HEADER) return frames;
      const head = this.#peek(HEADER);
      const length = head.readUInt32LE(0);
      if (length > this.#limit) {
        throw new ForesailError(
          'FRAME_TOO_LONG',
          'terminal',
          `a frame of ${length} bytes, at most ${this.#limit}`,
        );
      }
      if (this.#held < HEADER + length) return frames;
      const whole = this.#peek(HEADER + length);
      frames.push({
        id: head.readUInt32LE(4),
        kind: head.readUInt8(8),
        payload: whole.subarray(HEADER, HEADER + length),
      });
      const rest = whole.subarray(HEADER + length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#held = rest.length;
    }
  }

  /** At least `count` bytes in one buffer, joined only when needed. */
  #peek(count: number): Buffer {
    let first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.length < count) {
      first = Buffer.concat(this.#chunks);
      this.#chunks = [first];
    }
    return first;
  }
}

/** Floats of a payload, copied so that they are aligned. */
export function floatsOf(payload: Buffer, offset = 0): Float32Array {
  const bytes = Uint8Array.prototype.slice.call(payload, offset);
  return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 4));
}

export function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}
