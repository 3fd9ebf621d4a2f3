/** Reads a model file once, under a size limit, with its digest; in pieces, so that a large file does not hold up the loop. */
import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { refused } from './errors.ts';

export interface ModelBytes {
  readonly bytes: Uint8Array;
  /** Hex. */
  readonly sha256: string;
}

const PIECE = 1024 * 1024;

/** @throws MODEL_REFUSED (Missing, Empty, TooLarge, Truncated) */
export async function readModelFile(path: string, limit: number, signal: AbortSignal): Promise<ModelBytes> {
  // Not through a last-moment link, and not waiting for the other side of a pipe.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((cause: unknown) => {
    throw refused('Missing', 'the model file cannot be opened', cause);
  });
  try {
    const info = await file.stat();
    if (!info.isFile()) throw refused('Missing', 'the model is not a file');
    if (info.size === 0) throw refused('Empty', 'the model file is empty');
    if (info.size > limit) {
      throw refused('TooLarge', `the model file has ${info.size} bytes, at most ${limit} are allowed`);
    }
    const bytes = Buffer.allocUnsafeSlow(info.size);
    const hash = createHash('sha256');
    for (let at = 0; at < bytes.byteLength; ) {
      signal.throwIfAborted();
      // oxlint-disable-next-line no-await-in-loop -- in order
      const { bytesRead } = await file.read(bytes, at, Math.min(PIECE, bytes.byteLength - at), at);
      if (bytesRead === 0) throw refused('Truncated', 'the model file became shorter while it was read');
      hash.update(bytes.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}
