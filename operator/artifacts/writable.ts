/** A place at a store that nothing is to be overwritten at. */
export interface Writable {
  /** For errors: without credentials. */
  readonly name: string;
  /** Writes the whole file or nothing. @returns false when something lies there already */
  create(content: Uint8Array, signal: AbortSignal): Promise<boolean>;
  /** Whether exactly this lies there. */
  holds(content: Uint8Array, signal: AbortSignal): Promise<boolean>;
}

/** Compares what comes piece by piece: a large file that differs early is not read to its end. */
export async function isSame(content: Uint8Array, pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  let at = 0;
  for await (const piece of pieces) {
    if (at + piece.length > content.length) return false;
    if (
      !Buffer.from(piece.buffer, piece.byteOffset, piece.length).equals(
        content.subarray(at, at + piece.length),
      )
    )
      return false;
    at += piece.length;
  }
  return at === content.length;
}
