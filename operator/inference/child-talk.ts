/**
 * What every parent of a model's child needs, whatever frames the two speak: the form of a refusal, the last words of
 * a process that ended, and the portable wall against memory. What a child says is untrusted, so all of it is cut.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Clock } from '../clock.ts';

const refusalSchema = z.object({ reason: z.string().max(64), message: z.string().max(400) });
export type Refusal = z.infer<typeof refusalSchema>;

const MOST_REFUSAL_BYTES = 4096;
const MOST_LAST_LINE = 200;
const MEMORY_POLL_MS = 500;

/** Why the child refused a model or a run; never throws, whatever the payload is. */
export function refusalOf(payload: Buffer): Refusal {
  try {
    return refusalSchema.parse(JSON.parse(payload.subarray(0, MOST_REFUSAL_BYTES).toString('utf8')));
  } catch {
    return { reason: 'LoadFailed', message: 'the child gave no reason' };
  }
}

/** `: <last line of its standard error>`, to be put behind a message; empty when it said nothing. */
export function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return line === '' ? '' : `: ${line.slice(0, MOST_LAST_LINE)}`;
}

/**
 * Looks at the resident set again and again, where prlimit may be missing, and calls `over` once when it is too large.
 * @returns ends the watch
 */
export function watchMemory(
  pid: number | undefined,
  limitMiB: number,
  clock: Clock,
  over: () => void,
): () => void {
  let stopped = false;
  let cancel: () => void = () => {};
  const look = async (): Promise<void> => {
    // Gone: whoever follows its exit knows already.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (stopped) return;
    const residentKiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    if (residentKiB > limitMiB * 1024) over();
    else next();
  };
  const next = (): void => {
    cancel = clock.after(MEMORY_POLL_MS, () => void look());
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}
