/**
 * Reads an answer's body with a cap on what is received and on what it unpacks to: 10 KB of gzip can hold 10 MB, and
 * a member without content can be repeated for ever.
 */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ReadError } from '../read-error.ts';

async function* capped(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let received = 0;
  for await (const chunk of source) {
    received += chunk.byteLength;
    if (received > maxBytes) throw new ReadError('TooLarge', `the answer is larger than ${maxBytes} bytes`);
    yield chunk;
  }
}

/** Drops what is left of an answer. Without a listener, undici's error about it would end the process. */
export function discard(body: Readable): void {
  body.on('error', () => {});
  body.destroy();
}

/** Discards `body` on every way out. `encoding` is the Content-Encoding header. */
export async function readBounded(
  body: Readable,
  encoding: string | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  const collect = async (source: AsyncIterable<Uint8Array>) => {
    for await (const chunk of capped(source, maxBytes)) chunks.push(chunk);
  };
  const coding = (encoding ?? 'identity').trim().toLowerCase();
  try {
    if (coding === 'identity' || coding === '') await pipeline(body, collect, { signal });
    else if (coding === 'gzip')
      await pipeline(
        body,
        (source: AsyncIterable<Uint8Array>) => capped(source, maxBytes),
        createGunzip(),
        collect,
        { signal },
      );
    else throw new ReadError('BadAnswer', 'the answer is packed in a way that was not asked for');
  } catch (error) {
    if (error instanceof ReadError || signal.aborted) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('Z_')) throw new ReadError('BadAnswer', 'the answer is damaged gzip', error);
    throw new ReadError('Unreachable', 'the connection broke in the middle of the answer', error);
  } finally {
    discard(body);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new ReadError('BadAnswer', 'the answer is not UTF-8 text', error);
  }
}
