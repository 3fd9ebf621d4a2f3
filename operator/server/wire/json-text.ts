/**
 * From bytes to JSON values, with limits. A deep or very wide text costs many times its size in memory, so a large one is
 * counted before it is parsed; integers beyond 2^53 are kept exact where the text announces 64-bit tensors.
 */
import { invalid } from '../core/errors.ts';
import { bodyTooLarge } from './errors.ts';

/** Larger tensors belong into binary data: parsing blocks everybody else. */
export const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 64;
const MAX_LISTS = 1_000_000;
/** Below this size the worst nesting costs a few megabytes. */
const COUNT_ABOVE = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_LIST = 0x5d;
const CLOSE_OBJECT = 0x7d;

/** @throws INPUT_INVALID, BODY_TOO_LARGE */
export function parseJson(bytes: Uint8Array, field = 'the body'): unknown {
  if (bytes.byteLength > MAX_JSON_BYTES) throw bodyTooLarge(MAX_JSON_BYTES);
  if (bytes.byteLength > COUNT_ABOVE) countNesting(bytes, field);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    return text.includes('INT64') && /\d{16}/.test(text) ? JSON.parse(text, exactIntegers) : JSON.parse(text);
  } catch {
    // The engine's own message quotes the text, which may be long or a secret.
    throw invalid(field, `${field} is not JSON`);
  }
}

/** A reviver is told the source text of a number; the pinned TypeScript does not know that argument yet. */
const exactIntegers = function exact(_key: string, value: unknown, context: { source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source ?? '')
    ? BigInt(context.source as string)
    : value;
} as (key: string, value: unknown) => unknown;

function countNesting(bytes: Uint8Array, field: string): void {
  let depth = 0;
  let lists = 0;
  let inText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) throw invalid(field, `${field} is nested deeper than ${MAX_DEPTH}`);
      if (++lists > MAX_LISTS) throw invalid(field, `${field} has more than ${MAX_LISTS} lists`);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
}
