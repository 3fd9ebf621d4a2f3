/**
 * The way to one source: a line to wait in, a deadline and two breakers. What keeps one bad source, or one bad tenant
 * of a good source, from harming the rest is put together here, the same for Prometheus and the metrics APIs.
 */
import type { Clock } from '../clock.ts';
import { Breaker, type BreakerOptions } from './breaker.ts';
import { withDeadline } from './deadline.ts';
import { FairQueue, type FairQueueLimits } from './fair-queue.ts';
import { ReadError } from './read-error.ts';

export interface GateOptions {
  /** For messages: `the server`, `custom.metrics.k8s.io`. */
  readonly name: string;
  readonly limits: FairQueueLimits;
  readonly timeoutMs: number;
  /** A live read must end in time wherever it stands; a back-fill may wait in line for as long as it takes. */
  readonly waitingCounts: boolean;
  readonly breaker: BreakerOptions;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Told by the work as soon as the other side has answered anything: from then on a failure is the query's. */
export type Reached = () => void;

export class Gate {
  readonly #options: GateOptions;
  readonly #queue: FairQueue;
  /** A source that is away is away for everybody; what only one query meets is its tenant's own matter. */
  readonly #source: Breaker;
  readonly #tenants: Breaker;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options.limits);
    this.#source = new Breaker(options.breaker, options.clock, options.random);
    this.#tenants = new Breaker(options.breaker, options.clock, options.random);
  }

  /** Rejects with what `work` rejects with, with a ReadError of its own, or with the signal's reason. */
  async run<T>(
    namespace: string,
    signal: AbortSignal,
    work: (signal: AbortSignal, reached: Reached) => Promise<T>,
  ): Promise<T> {
    const { name, timeoutMs, waitingCounts, clock } = this.#options;
    this.#tenants.check(namespace);
    try {
      this.#source.check('');
    } catch (error) {
      this.#tenants.abandoned(namespace);
      throw error;
    }
    let asked = false;
    let reached = false;
    const ask = (inner: AbortSignal) => {
      asked = true;
      return work(inner, () => {
        reached = true;
      });
    };
    const inTime = (outer: AbortSignal, task: (inner: AbortSignal) => Promise<T>) =>
      withDeadline(timeoutMs, name, clock, outer, task);
    const inLine = (outer: AbortSignal, task: () => Promise<T>) => this.#queue.run(namespace, outer, task);
    try {
      const result = waitingCounts
        ? await inTime(signal, (inner) => inLine(inner, () => ask(inner)))
        : await inLine(signal, () => inTime(signal, ask));
      this.#source.succeeded('');
      this.#tenants.succeeded(namespace);
      return result;
    } catch (error) {
      const judged = !signal.aborted && asked && error instanceof ReadError;
      this.#learn(judged ? error : undefined, reached, namespace);
      if (!signal.aborted && !asked && error instanceof ReadError && error.reason === 'Timeout')
        throw new ReadError('Overloaded', `the query waited ${timeoutMs / 1000} s in line for ${name}`);
      throw error;
    }
  }

  /** `error` is undefined when the source was not asked to the end, which says nothing about it. */
  #learn(error: ReadError | undefined, reached: boolean, namespace: string): void {
    if (error === undefined) {
      this.#source.abandoned('');
      this.#tenants.abandoned(namespace);
    } else if (error.reason === 'Unreachable' && !reached) {
      this.#source.failed('', error);
      this.#tenants.abandoned(namespace);
    } else if (error.reason === 'Unreachable' || error.reason === 'Timeout') {
      if (reached) this.#source.succeeded('');
      else this.#source.abandoned('');
      this.#tenants.failed(namespace, error);
    } else {
      this.#source.succeeded('');
      this.#tenants.succeeded(namespace);
    }
  }
}
