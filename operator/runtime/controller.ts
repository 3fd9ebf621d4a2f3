/**
 * Runs a reconcile function over a queue of keys with a few workers. Whatever the function throws ends here: it costs
 * its own key a delay and nobody else anything. A function that does not heed its deadline loses its worker to other
 * keys, but its key stays locked until it ends, so that no key is ever in two hands.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import type { BackoffOptions } from '../kube/backoff.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { Controller, Reconcile, ReconcileOutcome, Result, RuntimeObserver, Source } from './types.ts';
import { WorkQueue } from './workqueue.ts';

export interface ControllerOptions {
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly sources: readonly Source[];
  /** Keys in work at the same time, default 4. */
  readonly workers?: number;
  /** Default 30 s. The signal given to reconcile aborts then. */
  readonly deadlineMs?: number;
  readonly backoff?: BackoffOptions;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly observer?: RuntimeObserver;
}

/** How long after its deadline a reconcile may hold its worker. */
const ABANDON_AFTER_MS = 1_000;
/** A timer of Node’s holds 24.8 days and fires at once beyond. To look too early does no harm. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

export function createController(options: ControllerOptions): Controller {
  return new QueueController(options);
}

class QueueController implements Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: WorkQueue;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#queue = new WorkQueue({
      name: options.name,
      clock: this.#clock,
      ...(options.random === undefined ? {} : { random: options.random }),
      ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
      ...(options.observer === undefined ? {} : { observer: options.observer }),
    });
  }

  get depth(): number {
    return this.#queue.depth;
  }

  enqueue(key: string): void {
    this.#queue.add(key);
  }

  async run(signal: AbortSignal): Promise<void> {
    for (const source of this.#options.sources) source.start((key) => this.#queue.add(key), signal);
    const workers = Array.from({ length: this.#options.workers ?? 4 }, () => this.#work(signal));
    await Promise.all(workers);
    await this.#queue.close();
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.take(signal);
      if (key === undefined) return;
      await this.#process(key, signal);
    }
  }

  /** Resolves when the worker is free again; the key is released when the reconcile itself has ended. */
  async #process(key: string, signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const deadlineMs = this.#options.deadlineMs ?? 30_000;
    const deadline = new AbortController();
    const cancelDeadline = this.#clock.after(deadlineMs, () =>
      deadline.abort(
        new ForesailError('RECONCILE_TIMEOUT', 'transient', `no end within ${deadlineMs / 1000} s`),
      ),
    );
    const abandoned = Promise.withResolvers<void>();
    const cancelAbandon = this.#clock.after(deadlineMs + ABANDON_AFTER_MS, () => {
      this.#logger.error('reconcile ignores its deadline', { controller: this.name, key });
      abandoned.resolve();
    });
    const settled = (async () => {
      const outcome = await this.#settle(key, AbortSignal.any([signal, deadline.signal]));
      cancelDeadline();
      cancelAbandon();
      this.#queue.done(key);
      const durationMs = this.#clock.monotonic() - startedAt;
      this.#options.observer?.reconciled?.({ controller: this.name, key, durationMs, ...outcome });
    })();
    await Promise.race([settled, abandoned.promise]);
  }

  /** Never rejects. Decides when the key comes back. */
  async #settle(key: string, signal: AbortSignal): Promise<{ outcome: ReconcileOutcome; error?: unknown }> {
    let result: Result;
    try {
      // Inside an async function, so that a synchronous throw ends here as well.
      result = await this.#options.reconcile(key, signal);
    } catch (error) {
      return this.#failed(key, error, signal);
    }
    this.#queue.forget(key);
    if (result?.requeueAfterMs === undefined) return { outcome: 'success' };
    this.#queue.addAfter(key, Math.min(Math.max(result.requeueAfterMs, 1), LONGEST_WAIT_MS));
    return { outcome: 'requeue_after' };
  }

  #failed(key: string, error: unknown, signal: AbortSignal): { outcome: ReconcileOutcome; error: unknown } {
    const keys = {
      controller: this.name,
      key,
      code: isForesailError(error) ? error.code : 'UNEXPECTED',
      error: messageOf(error),
    };
    const retry = isForesailError(error) ? error.retry : 'transient';
    if (retry === 'terminal') {
      // Only a new event can help: coming back would fail in the same way.
      this.#queue.forget(key);
      this.#logger.error('reconcile failed for good', keys);
      return { outcome: 'terminal', error };
    }
    const attempts = this.#queue.addRateLimited(key, isForesailError(error) ? error.retryAfterMs : undefined);
    if (retry === 'conflict') {
      this.#logger.debug('reconcile met a newer version', { ...keys, attempts });
      return { outcome: 'conflict', error };
    }
    const stack = !isForesailError(error) && error instanceof Error ? { stack: error.stack } : {};
    this.#logger.error('reconcile failed', { ...keys, ...stack, attempts });
    const timedOut = isForesailError(signal.reason, 'RECONCILE_TIMEOUT');
    return { outcome: timedOut ? 'timeout' : 'error', error };
  }
}
