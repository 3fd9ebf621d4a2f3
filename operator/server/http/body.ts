/**
 * Reads the body of a request as it comes: what has arrived is counted against the server's memory, what is
 * compressed is unpacked under the same limit, so that a small body cannot become a large one.
 */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { ForesailError, isForesailError } from '../../errors.ts';
import type { Ticket } from '../admission.ts';
import { invalid } from '../core/errors.ts';
import { bodyTooLarge } from '../wire/errors.ts';

const UNPACK = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/**
 * @param most bytes, before and after unpacking
 * @throws BODY_TOO_LARGE, OVERLOADED, INPUT_INVALID, ENCODING_UNKNOWN
 */
export async function readBody(message: IncomingMessage, most: number, ticket: Ticket): Promise<Buffer> {
  const encoding = message.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity' && !Object.hasOwn(UNPACK, encoding))
    throw new ForesailError('ENCODING_UNKNOWN', 'terminal', 'the content encoding is none of gzip, deflate');
  if (Number(message.headers['content-length'] ?? 0) > most) throw bodyTooLarge(most);
  const body = await collect(message, most, ticket);
  if (encoding === 'identity') return body;
  try {
    const unpacked = await UNPACK[encoding as keyof typeof UNPACK](body, { maxOutputLength: most });
    ticket.hold(unpacked.byteLength);
    return unpacked;
  } catch (error) {
    if (isForesailError(error)) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(most);
    throw invalid('the body', `the body is not ${encoding}`);
  }
}

function collect(message: IncomingMessage, most: number, ticket: Ticket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown) => {
      message.off('data', onData);
      // What still comes is thrown away, so that the answer can be written; the server's time-out bounds it.
      message.resume();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > most) return fail(bodyTooLarge(most));
      try {
        ticket.hold(chunk.byteLength);
      } catch (error) {
        return fail(error);
      }
      chunks.push(chunk);
    };
    message.on('data', onData);
    message.once('end', () => {
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      // The message lives until its answer is written, and these listeners with it.
      chunks.length = 0;
      resolve(body);
    });
    message.once('error', () => reject(invalid('the body', 'the body ended before its announced length')));
  });
}
