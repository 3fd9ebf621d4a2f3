/**
 * One deadline for a whole piece of work: waiting in a queue, connecting and reading the last byte of the body.
 * A limit per socket read would let a server that sends one byte a second hold the caller for ever.
 */
import type { Clock } from '../clock.ts';
import { ReadError } from './read-error.ts';

/**
 * Runs `work` with a signal that aborts when the caller's does, or after `ms`. Rejects with the caller's reason, or
 * with a ReadError `Timeout`, at once, even if `work` ignores its signal.
 */
export async function withDeadline<T>(
  ms: number,
  what: string,
  clock: Clock,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const stopped = Promise.withResolvers<never>();
  const stop = (reason: unknown) => {
    stopped.reject(reason);
    controller.abort(reason);
  };
  const onAbort = () => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const cancel = clock.after(ms, () =>
    stop(new ReadError('Timeout', `${what} gave no complete answer within ${ms / 1000} s`)),
  );
  try {
    return await Promise.race([work(controller.signal), stopped.promise]);
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
