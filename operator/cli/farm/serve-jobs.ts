/** The child's side of the farm: works on one job after the other until nobody wants more. */
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { FromChild, ToChild } from './messages.ts';

export type OnProgress = (what: string, done: number, all: number) => void;

type Work = (job: never, onProgress: OnProgress) => Promise<unknown>;

/** Progress is for people. */
const PERIOD_MS = 100;

/**
 * @param work on one job, of the kind that the farm was given
 * @param close lets go of what `work` keeps between jobs
 */
export function serveJobs(work: Work, close: () => Promise<void> = () => Promise.resolve()): void {
  // Ctrl-C in a terminal reaches all of its processes; when this one ends is its parent's business.
  process.on('SIGINT', () => undefined);
  endWithParent();
  process.on('disconnect', () => {
    void close().finally(() => process.exit(0));
  });
  process.on('message', (message) => {
    void answer(message as ToChild<never>, work);
  });
}

async function answer({ id, job }: ToChild<never>, work: Work): Promise<void> {
  let shownAt = Number.NEGATIVE_INFINITY;
  const onProgress: OnProgress = (what, done, all) => {
    const now = performance.now();
    if (done < all && now - shownAt < PERIOD_MS) return;
    shownAt = now;
    say({ kind: 'progress', id, what, done, all });
  };
  try {
    say({ kind: 'done', id, done: await work(job, onProgress) });
  } catch (error) {
    say({ kind: 'failed', id, message: messageOf(error) });
  }
}

function say(message: FromChild<unknown>): void {
  process.send?.(message);
}

/** A simulation blocks this thread for minutes, so the look at the parent needs another one. */
function endWithParent(): void {
  const watchdog = new Worker(
    `const parent = ${process.ppid};
     setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 500);`,
    { eval: true },
  );
  watchdog.unref();
}
