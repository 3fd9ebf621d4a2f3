/**
 * Turns the bytes of a watch into events. Chunks may be cut anywhere, also inside a UTF-8 character or an escape, so
 * lines are found in bytes and decoded whole. What cannot be understood is an error and never skipped: a lost event
 * would be a cache that lies for ever.
 */
import { ForesailError } from '../errors.ts';
import type { KubeObject } from './types.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly status: unknown };

const NEWLINE = 0x0a;
/** etcd stores at most 1.5 MiB by default, and JSON is longer than what it stores. */
const DEFAULT_MAX_LINE_BYTES = 16 * 1024 * 1024;

export class WatchDecoder {
  readonly #maxLineBytes: number;
  #parts: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(maxLineBytes: number = DEFAULT_MAX_LINE_BYTES) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The events that `chunk` completes. Throws KUBE_WATCH_GARBAGE. */
  *push(chunk: Uint8Array): Generator<WatchEvent> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      if (this.#pendingBytes + piece.length > this.#maxLineBytes)
        throw garbage(`a line is longer than ${this.#maxLineBytes} bytes`);
      if (end === -1) {
        if (piece.length > 0) {
          this.#parts.push(piece);
          this.#pendingBytes += piece.length;
        }
        return;
      }
      const line = this.#parts.length === 0 ? piece : Buffer.concat([...this.#parts, piece]);
      this.#parts = [];
      this.#pendingBytes = 0;
      start = end + 1;
      if (!isBlank(line)) yield decodeLine(line);
    }
  }

  /** To be called at the end of the stream. Throws KUBE_WATCH_GARBAGE when it ended inside a line. */
  end(): void {
    if (this.#pendingBytes > 0) throw garbage('the stream ended inside a line');
  }
}

function decodeLine(line: Uint8Array): WatchEvent {
  let event: { type?: unknown; object?: unknown };
  try {
    event = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8'));
  } catch {
    throw garbage('a line is not JSON'); // Without the parser's message: it quotes the object.
  }
  const object: unknown = event?.object;
  if (typeof object !== 'object' || object === null) throw garbage('an event without an object');
  switch (event.type) {
    case 'ERROR':
      return { type: 'ERROR', status: object };
    case 'BOOKMARK':
      if (!hasResourceVersion(object)) throw garbage('a bookmark without resourceVersion');
      return { type: 'BOOKMARK', object };
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (!hasResourceVersion(object) || typeof object.metadata.name !== 'string')
        throw garbage(`an object without name or resourceVersion in ${event.type}`);
      return { type: event.type, object };
    default:
      throw garbage('an event of unknown type');
  }
}

function hasResourceVersion(object: object): object is KubeObject {
  const metadata = (object as { metadata?: { resourceVersion?: unknown } }).metadata;
  return typeof metadata?.resourceVersion === 'string';
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

function garbage(why: string): ForesailError {
  return new ForesailError('KUBE_WATCH_GARBAGE', 'transient', `watch: ${why}`);
}
