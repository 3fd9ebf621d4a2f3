/** Waits for what another process does in its own time. The last failure explains a time-out. */
import { setTimeout as sleep } from 'node:timers/promises';

export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  limitMs = 30_000,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    signal?.throwIfAborted();
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`, { cause: last });
    await sleep(100, undefined, { signal });
  }
}

/** Asks until `check` holds of the answer, and gives that one back; the last answer explains a time-out. */
export async function becomes<T>(
  what: string,
  read: () => Promise<T>,
  check: (answer: T) => boolean,
  limitMs = 60_000,
): Promise<T> {
  const { answer } = await eventually(
    what,
    async () => {
      const found = await read();
      if (!check(found)) throw new Error(JSON.stringify(found));
      return { answer: found };
    },
    limitMs,
  );
  return answer;
}
