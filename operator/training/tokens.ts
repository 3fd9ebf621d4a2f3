/**
 * How a pod of a run proves that it belongs to an attempt. The operator makes the token, puts it into a Secret that it
 * cannot read again, and keeps its digest.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;

export interface NewToken {
  /** For the Secret alone. */
  readonly token: string;
  /** Hex, for the annotation of the Job. */
  readonly sha256: string;
}

/** @param random for tests */
export function newToken(random: (bytes: number) => Buffer = randomBytes): NewToken {
  const token = random(TOKEN_BYTES).toString('base64url');
  return { token, sha256: digestOf(token).toString('hex') };
}

/**
 * In constant time.
 *
 * @param authorization the header as it came
 * @param sha256 hex; anything else matches no token
 */
export function bearerMatches(authorization: string | undefined, sha256: string): boolean {
  const [, token] = /^bearer +([A-Za-z0-9_-]{1,256})$/i.exec(authorization ?? '') ?? [];
  const wanted = Buffer.from(sha256, 'hex');
  return token !== undefined && wanted.length === 32 && timingSafeEqual(digestOf(token), wanted);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
