/**
 * A queue of keys with the three promises that make reconcilers simple: a key waits at most once, no key is in two
 * hands at a time, and a key that is added while it is in work comes again afterwards. Failures come back after a
 * delay that doubles per key.
 */
import { type Clock, systemClock } from '../clock.ts';
import { type BackoffOptions, backoffDelay } from '../kube/backoff.ts';
import type { RuntimeObserver } from './types.ts';

export interface WorkQueueOptions {
  readonly name: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Per key; default 5 ms doubling to 1000 s, a tenth of it random. */
  readonly backoff?: BackoffOptions;
  readonly observer?: RuntimeObserver;
}

const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 5, maxMs: 1_000_000, jitter: 0.1 };

export class WorkQueue {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: BackoffOptions;
  readonly #observer: RuntimeObserver;
  /** Keys that wait for a worker, in order, with the time they came. */
  readonly #waiting = new Map<string, number>();
  readonly #inWork = new Set<string>();
  /** Added while in work: to be queued when the worker is done. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly dueAt: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: (() => void)[] = [];
  #closed = false;
  #drained = Promise.withResolvers<void>();

  constructor(options: WorkQueueOptions) {
    this.#name = options.name;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    this.#observer = options.observer ?? {};
  }

  /** Keys that wait now, not those in work or delayed. */
  get depth(): number {
    return this.#waiting.size;
  }

  get inWork(): number {
    return this.#inWork.size;
  }

  add(key: string): void {
    if (this.#closed || this.#waiting.has(key)) return;
    if (this.#inWork.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.set(key, this.#clock.monotonic());
    this.#observer.queueAdded?.({ queue: this.#name, depth: this.#waiting.size });
    this.#takers.shift()?.();
  }

  /** Adds the key after `ms`. Of several delays for one key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const dueAt = this.#clock.monotonic() + ms;
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.dueAt <= dueAt) return;
    pending?.cancel();
    this.#delayed.set(key, { dueAt, cancel: this.#alarm(key, dueAt) });
  }

  /** Adds the key after its backoff, or after `atLeastMs` when that is longer. Returns the failures so far. */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#observer.queueRetried?.({ queue: this.#name, attempts: failures + 1 });
    this.addAfter(key, Math.max(backoffDelay(this.#backoff, failures, this.#random), atLeastMs));
    return failures + 1;
  }

  /** Success: the next failure of this key starts from the shortest delay again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, which is then in work until `done`; undefined when the queue is closed or the signal aborts. */
  async take(signal: AbortSignal): Promise<string | undefined> {
    while (!this.#closed && !signal.aborted) {
      const next = this.#waiting.entries().next();
      if (next.done !== true) {
        const [key, since] = next.value;
        this.#waiting.delete(key);
        this.#inWork.add(key);
        const waitedMs = this.#clock.monotonic() - since;
        this.#observer.queueTaken?.({ queue: this.#name, depth: this.#waiting.size, waitedMs });
        return key;
      }
      await this.#arrival(signal);
    }
    // We may have been woken for a key and leave without it.
    if (this.#waiting.size > 0) this.#takers.shift()?.();
    return undefined;
  }

  done(key: string): void {
    this.#inWork.delete(key);
    if (this.#again.delete(key)) this.add(key);
    if (this.#closed && this.#inWork.size === 0) this.#drained.resolve();
  }

  /** Takes and hands out nothing more. Resolves when the keys in work are done. */
  close(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    for (const wake of this.#takers.splice(0)) wake();
    if (this.#inWork.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  #alarm(key: string, dueAt: number): () => void {
    // Timers of JavaScript hold 31 bits of milliseconds at most.
    const ms = Math.min(dueAt - this.#clock.monotonic(), 2 ** 31 - 1);
    return this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      if (this.#clock.monotonic() < dueAt - 1) this.addAfter(key, dueAt - this.#clock.monotonic());
      else this.add(key);
    });
  }

  /** Resolves when a key may be there, or the wait is over. */
  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const place = this.#takers.indexOf(wake);
        if (place !== -1) this.#takers.splice(place, 1);
        resolve();
      };
      this.#takers.push(wake);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
