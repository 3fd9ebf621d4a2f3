/** The body of a request, whole and bounded: by itself, and with all others that are held. */
import type { Readable } from 'node:stream';
import { ForesailError } from '../errors.ts';

/** What a piece of a body costs beside its bytes: many tiny ones must not be free. */
const PIECE_BYTES = 256;

/** Bytes that may be held at once. */
export class ByteBudget {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  get left(): number {
    return this.#left;
  }

  /** @returns false, and takes nothing, when fewer are left */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * @param declared its length as the request says it; 0 when it does not
 * @param begin called once nothing stands against reading it
 * @returns the body; its bytes are taken from `budget`, the caller gives them back
 * @throws BODY_TOO_LARGE and BODIES_TOO_LARGE (all together) as soon as it is known; ECONNRESET when the caller goes
 */
export async function readBody(
  request: Readable,
  declared: number,
  maxBytes: number,
  budget: ByteBudget,
  begin: () => void,
): Promise<Buffer> {
  const tooLarge = (): ForesailError =>
    new ForesailError('BODY_TOO_LARGE', 'terminal', `the request body is larger than ${maxBytes} bytes`);
  const noRoom = (): ForesailError =>
    new ForesailError('BODIES_TOO_LARGE', 'transient', 'too many large requests are under way');
  if (declared > maxBytes) throw tooLarge();
  if (declared > budget.left) throw noRoom();
  begin();
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    // Leaving early must not take the connection away: the refusal goes over it.
    for await (const part of request.iterator({ destroyOnReturn: false })) {
      if (bytes + part.length > maxBytes) throw tooLarge();
      if (!budget.take(part.length + PIECE_BYTES)) throw noRoom();
      bytes += part.length;
      parts.push(part);
    }
  } catch (error) {
    budget.give(bytes + parts.length * PIECE_BYTES);
    throw error;
  }
  budget.give(parts.length * PIECE_BYTES);
  return Buffer.concat(parts, bytes);
}
