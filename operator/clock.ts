/**
 * Time comes in from outside so that decisions can be replayed. Two readings are kept apart: `now()` is the
 * wall clock (it may jump), `monotonic()` only measures
 * durations (leases, deadlines, timers) and never jumps.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
  /** Resolves after `ms` of monotonic time, at once when that is past; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once after `ms`; the returned function cancels. The timer does not keep the process alive. */
  after(ms: number, fn: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.max(ms, 0),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  after(ms, fn) {
    const timer = setTimeout(fn, Math.max(ms, 0));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * The calendar that load lives in. It is the identity everywhere but in a replay of a recorded trace: there the
 * trace runs `factor` times as fast as real time, so forecasts, seasons and steps count in trace time, while
 * leases, HTTP deadlines and HPA's whole-second windows stay in real time.
 */
export interface Calendar {
  readonly factor: number;
  /** Load time in milliseconds since the epoch at a real instant. */
  fromReal(realMs: number): number;
  /** The real instant of a load time. */
  toReal(loadMs: number): number;
}

export const realCalendar: Calendar = { factor: 1, fromReal: (ms) => ms, toReal: (ms) => ms };

export function replayCalendar(realStart: number, traceStart: number, factor: number): Calendar {
  return {
    factor,
    fromReal: (realMs) => traceStart + (realMs - realStart) * factor,
    toReal: (loadMs) => realStart + (loadMs - traceStart) / factor,
  };
}
