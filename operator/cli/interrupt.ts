/** Ctrl-C ends a long run early but in order: what is done is still written. A second one ends the process at once. */
import { ForesailError } from '../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Code of the signal's reason. */
export const INTERRUPTED = 'INTERRUPTED';

export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => {
    controller.abort(new ForesailError(INTERRUPTED, 'terminal', 'interrupted'));
    release();
  };
  const release = (): void => {
    for (const name of SIGNALS) process.removeListener(name, interrupt);
  };
  for (const name of SIGNALS) process.on(name, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
}
