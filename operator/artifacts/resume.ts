/**
 * The whole of a file in spite of connections that break: what is transient is tried again after a growing wait, from
 * where it broke off. A store that cannot begin in the middle sends the beginning again, which is thrown away.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ForesailError, isForesailError } from '../errors.ts';
import { backoffDelay, retryAfterDelay } from '../kube/backoff.ts';
import type { Part, Remote } from './remote.ts';

export interface Retries {
  /** After the first attempt, over the whole file. */
  readonly most: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** For whoever reads the log. */
  readonly note: (text: string) => void;
}

/** Half a minute together; kubelet's own retries come after. */
export const RETRIES: Retries = {
  most: 5,
  baseMs: 1_000,
  maxMs: 10_000,
  random: Math.random,
  sleep: async (ms, signal) => wait(ms, undefined, { signal }),
  note: () => {},
};

/**
 * @returns the pieces of the file in order, each byte once
 * @throws ARTIFACT_TOO_LARGE before anything is transferred where the store says the size; what `remote` throws
 */
export async function* wholeFile(
  remote: Remote,
  maxBytes: number,
  retries: Retries,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let retry = 0; ; retry++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      const part = await remote.open(at, signal);
      if (part.size !== undefined && part.size > maxBytes) {
        throw tooLarge(maxBytes, part.size);
      }
      for await (const piece of unseen(part, at)) {
        at += piece.length;
        yield piece;
      }
      if (part.size === undefined || at >= part.size) return;
      throw new ForesailError(
        'ARTIFACT_UNREACHABLE',
        'transient',
        `the file ends after ${at} of ${part.size} bytes`,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (retry >= retries.most || !isForesailError(error) || error.retry !== 'transient') throw error;
      const ms = Math.max(
        backoffDelay({ ...retries, jitter: 0.5 }, retry, retries.random),
        error.retryAfterMs === undefined
          ? 0
          : Math.min(retryAfterDelay(error.retryAfterMs, retries.random), 6 * retries.maxMs),
      );
      retries.note(
        `${error.message}; trying again in ${(ms / 1000).toFixed(1)} s, from byte ${at} (${retry + 1} of ${retries.most})`,
      );
      // oxlint-disable-next-line no-await-in-loop -- as above
      await retries.sleep(ms, signal);
    }
  }
}

export function tooLarge(maxBytes: number, size?: number): ForesailError {
  const is = size === undefined ? 'larger than the' : `${size} bytes, more than the`;
  return new ForesailError(
    'ARTIFACT_TOO_LARGE',
    'terminal',
    `the file is ${is} ${maxBytes} that are allowed`,
  );
}

/** Leaves out what lies before `at`. */
async function* unseen({ start, pieces }: Part, at: number): AsyncGenerator<Uint8Array> {
  let skip = at - start;
  for await (const piece of pieces) {
    if (skip < piece.length) yield skip > 0 ? piece.subarray(skip) : piece;
    skip -= Math.min(skip, piece.length);
  }
}
