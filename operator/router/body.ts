/** The body of a request, whole and bounded. */
import type { IncomingMessage } from 'node:http';
import { ForesailError } from '../errors.ts';

/** @throws BODY_TOO_LARGE as soon as it is known; ECONNRESET when the caller goes */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): ForesailError =>
    new ForesailError('BODY_TOO_LARGE', 'terminal', `the request body is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const parts: Buffer[] = [];
  let bytes = 0;
  // Leaving early must not take the connection away: the refusal goes over it.
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    bytes += part.length;
    if (bytes > maxBytes) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts, bytes);
}
