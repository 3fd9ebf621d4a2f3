/**
 * Jobs in child processes, several at once. Processes and not threads: the runtime of the models is not safe in
 * threads, and a job that runs out of memory takes nothing else with it. A child takes one job after the other; one
 * that dies costs the job that it was at, and the next job gets a new one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { messageOf } from '../../errors.ts';
import type { FromChild, ToChild } from './messages.ts';

export interface FarmJob<Job> {
  readonly job: Job;
  /** Memory that it is expected to take. */
  readonly bytes: number;
}

export type Outcome<Done> =
  | { readonly kind: 'done'; readonly done: Done }
  | { readonly kind: 'failed'; readonly message: string };

export interface FarmOptions<Done> {
  /** Module that calls `serveJobs`. */
  readonly entry: URL;
  /** Children at once; default: one per processor. */
  readonly parallel?: number | undefined;
  /** Memory for all that run at once; a job that needs more runs alone. Default: most of what is free. */
  readonly bytes?: number;
  readonly onProgress: (job: number, what: string, done: number, all: number) => void;
  readonly onOutcome: (job: number, outcome: Outcome<Done>) => void;
}

const MEMORY_SHARE = 0.7;

/**
 * The largest jobs begin first, so that none of them is left over at the end.
 *
 * @returns an outcome per job, in the order of the jobs; never rejects: an abort ends the children, and what they had
 *   not done has failed with the signal's reason
 */
export async function farm<Job, Done>(
  jobs: readonly FarmJob<Job>[],
  options: FarmOptions<Done>,
  signal: AbortSignal,
): Promise<Outcome<Done>[]> {
  const { parallel = availableParallelism(), bytes = MEMORY_SHARE * process.availableMemory() } = options;
  const outcomes = new Map<number, Outcome<Done>>();
  const waiting = [...jobs.entries()].sort(([, a], [, b]) => b.bytes - a.bytes);
  const running = new Map<ChildProcess, number>();
  const idle: ChildProcess[] = [];
  const all = Promise.withResolvers<void>();

  function settle(i: number, outcome: Outcome<Done>): void {
    outcomes.set(i, outcome);
    options.onOutcome(i, outcome);
  }

  function start(): ChildProcess {
    const child = fork(options.entry, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message) => hear(child, message as FromChild<Done>));
    child.on('error', (error) => died(child, messageOf(error)));
    child.on('exit', (code, name) => died(child, `its process ended with ${name ?? code}`));
    return child;
  }

  function hear(child: ChildProcess, message: FromChild<Done>): void {
    if (running.get(child) !== message.id) return;
    if (message.kind === 'progress') {
      options.onProgress(message.id, message.what, message.done, message.all);
      return;
    }
    running.delete(child);
    idle.push(child);
    const { id } = message;
    settle(
      id,
      message.kind === 'done'
        ? { kind: 'done', done: message.done }
        : { kind: 'failed', message: message.message },
    );
    next();
  }

  function died(child: ChildProcess, message: string): void {
    const at = idle.indexOf(child);
    if (at !== -1) idle.splice(at, 1);
    const i = running.get(child);
    if (i === undefined) return;
    running.delete(child);
    settle(i, { kind: 'failed', message });
    next();
  }

  function next(): void {
    if (signal.aborted) return;
    while (running.size < parallel) {
      const taken = [...running.values()].reduce((sum, i) => sum + (jobs[i]?.bytes ?? 0), 0);
      const at = waiting.findIndex(([, job]) => running.size === 0 || taken + job.bytes <= bytes);
      const [found] = at === -1 ? [] : waiting.splice(at, 1);
      if (found === undefined) break;
      const [id, { job }] = found;
      const child = idle.pop() ?? start();
      running.set(child, id);
      const message: ToChild<Job> = { id, job };
      // A child that is gone says so by its exit.
      child.send(message, () => undefined);
    }
    if (running.size === 0) all.resolve();
  }

  const stop = (): void => {
    const message = messageOf(signal.reason);
    for (const [child, i] of running) {
      child.kill('SIGKILL');
      settle(i, { kind: 'failed', message });
    }
    running.clear();
    for (const [i] of waiting) settle(i, { kind: 'failed', message });
    all.resolve();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    else next();
    await all.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    for (const child of idle) child.disconnect();
  }
  return jobs.map((_, i) => outcomes.get(i) ?? { kind: 'failed', message: 'it was never begun' });
}
