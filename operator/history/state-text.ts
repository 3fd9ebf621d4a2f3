/**
 * State as a text of a ConfigMap: a prefix that names its version, and base64 of gzip of JSON. gzip's checksum notices
 * damage; the schema and the limits keep a damaged or hostile text from doing more than causing a clean start.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import type { z } from 'zod';
import { messageOf } from '../errors.ts';

export type Decoded<T> =
  | { readonly kind: 'state'; readonly state: T }
  /** `none`: there was no text. `corrupt`: start clean and tell why. */
  | { readonly kind: 'none' }
  | { readonly kind: 'corrupt'; readonly reason: string };

export interface StateFormat<T> {
  readonly prefix: string;
  readonly schema: z.ZodType<T>;
  readonly maxChars: number;
  /** Of the JSON, which a few hostile bytes could make huge. */
  readonly maxBytes: number;
}

export function packState(prefix: string, state: unknown): string {
  return prefix + gzipSync(JSON.stringify(state), { level: 6 }).toString('base64');
}

/** Never throws. */
export function unpackState<T>(
  text: string | undefined,
  { prefix, schema, maxChars, maxBytes }: StateFormat<T>,
): Decoded<T> {
  if (text === undefined || text === '') return { kind: 'none' };
  if (text.length > maxChars)
    return { kind: 'corrupt', reason: `the checkpoint has ${text.length} characters` };
  if (!text.startsWith(prefix)) return { kind: 'corrupt', reason: 'the checkpoint has another version' };
  try {
    const packed = Buffer.from(text.slice(prefix.length), 'base64');
    const json = gunzipSync(packed, { maxOutputLength: maxBytes }).toString('utf8');
    const parsed = schema.safeParse(JSON.parse(json));
    if (parsed.success) return { kind: 'state', state: parsed.data };
    const issue = parsed.error.issues[0];
    return {
      kind: 'corrupt',
      reason: `the checkpoint's ${issue?.path.join('.') ?? 'content'} makes no sense`,
    };
  } catch (error) {
    return { kind: 'corrupt', reason: `the checkpoint cannot be read: ${messageOf(error).slice(0, 100)}` };
  }
}
