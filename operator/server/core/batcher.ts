/**
 * One queue in front of all children of a model version. It refuses at the door what could not be answered in time,
 * gathers requests into runs while the children are busy, and lets whoever gives up leave the queue. It knows rows and
 * milliseconds only; what a run is, its runners know.
 */
import type { Clock } from '../../clock.ts';
import { batchLimit, predictAnswer } from './batch-policy.ts';
import { backend, isRunFailure, notReady, overloaded, pastDeadline } from './errors.ts';
import { LatencyFit, predict } from './latency-line.ts';
import { PredictionMargin } from './prediction-margin.ts';
import { type Queued, RequestQueue } from './request-queue.ts';

export interface RunDurations {
  readonly inputMs: number;
  readonly inferMs: number;
  readonly outputMs: number;
}

export interface RunResult<A> extends RunDurations {
  /** In the order of the jobs. */
  readonly answers: readonly A[];
}

/** One child; runs one batch at a time. */
export interface Runner<J, A> {
  run(jobs: readonly J[]): Promise<RunResult<A>>;
}

export interface BatcherOptions {
  readonly clock: Clock;
  /** For messages. */
  readonly model: string;
  readonly maxBatch: number;
  readonly maxQueueDelayMs: number;
  readonly maxQueue: number;
  readonly priorityLevels: number;
  readonly latencyTargetMs: number | undefined;
  readonly onBatch?: (batch: BatchReport) => void;
}

export interface BatchReport extends RunDurations {
  readonly requests: number;
  readonly rows: number;
  readonly failed: boolean;
}

export interface Job<P> extends Queued {
  readonly payload: P;
  readonly timeoutMs: number | undefined;
}

/** How one request spent its time; all 0 for one that never ran. */
export interface Spent extends RunDurations {
  readonly queueMs: number;
}

/** Measured: tensors of 4 MB run twice as fast alone as in batches of 14, where they fall out of the caches. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

const NOTHING_SPENT: Spent = { queueMs: 0, inputMs: 0, inferMs: 0, outputMs: 0 };

interface Waiting<P, A> extends Job<P> {
  readonly at: number;
  /** What was predicted when it was let in. */
  readonly predictedMs: number | undefined;
  readonly settle: (answer: A | undefined, error: unknown, spent: Spent) => void;
  done: boolean;
}

interface Slot<P, A> {
  readonly runner: Runner<P, A>;
  /** Undefined while idle. */
  busy: { readonly since: number; readonly rows: number; readonly requests: number } | undefined;
}

export class Batcher<P, A> {
  readonly #options: BatcherOptions;
  readonly #queue: RequestQueue<Waiting<P, A>>;
  readonly #fit = new LatencyFit();
  readonly #margin = new PredictionMargin();
  /** How long requests of the latest turn of the loop were read before the last of them was: that one waited unseen. */
  #turnMs = 0;
  readonly #slots: Slot<P, A>[] = [];
  #latestRows = 0;
  #scheduled = false;
  #cancelDelay: (() => void) | undefined;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#queue = new RequestQueue(options.priorityLevels, options.maxQueue);
  }

  get pending(): number {
    return this.#queue.size;
  }

  get running(): number {
    return this.#slots.reduce((sum, slot) => sum + (slot.busy?.requests ?? 0), 0);
  }

  get runners(): number {
    return this.#slots.length;
  }

  addRunner(runner: Runner<P, A>): void {
    this.#slots.push({ runner, busy: undefined });
    this.#schedule();
  }

  /** A run under way still settles as its runner says; the queue waits for other runners. */
  removeRunner(runner: Runner<P, A>): void {
    const at = this.#slots.findIndex((slot) => slot.runner === runner);
    if (at >= 0) this.#slots.splice(at, 1);
    this.#settleIfDrained();
  }

  /** What warm-up runs cost, so that the first requests already meet a prediction. */
  learn(rows: number, ms: number): void {
    this.#fit.observe(rows, ms);
  }

  /**
   * Calls `done` exactly once. Rejections: OVERLOADED and MODEL_NOT_READY at once, DEADLINE, BACKEND, the signal's
   * reason.
   */
  submit(
    job: Job<P>,
    signal: AbortSignal,
    done: (answer: A | undefined, error: unknown, spent: Spent) => void,
  ): void {
    const refusal = this.refusal(job);
    if (refusal !== undefined) {
      done(undefined, refusal, NOTHING_SPENT);
      return;
    }
    if (signal.aborted) {
      done(undefined, signal.reason, NOTHING_SPENT);
      return;
    }
    const { clock, latencyTargetMs } = this.#options;
    // What nothing depends on need not be known.
    const judged = latencyTargetMs !== undefined || job.timeoutMs !== undefined;
    let cancelTimer: (() => void) | undefined;
    const waiting: Waiting<P, A> = {
      ...job,
      at: clock.monotonic(),
      predictedMs: judged ? this.predictedMs(job.rows, job.priority) : undefined,
      done: false,
      settle: (answer, error, spent) => {
        if (waiting.done) return;
        waiting.done = true;
        cancelTimer?.();
        signal.removeEventListener('abort', onAbort);
        done(answer, error, spent);
      },
    };
    const leave = (error: unknown): void => {
      const queued = this.#queue.remove(waiting);
      const queueMs = queued ? clock.monotonic() - waiting.at : 0;
      waiting.settle(undefined, error, { ...NOTHING_SPENT, queueMs });
      if (queued) this.#settleIfDrained();
    };
    const onAbort = (): void => leave(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const { timeoutMs } = job;
    if (timeoutMs !== undefined) cancelTimer = clock.after(timeoutMs, () => leave(pastDeadline(timeoutMs)));
    this.#queue.push(waiting);
    this.#schedule();
  }

  /** Milliseconds until a request of this priority would be answered; undefined before anything is known. */
  predictedMs(rows: number, priority: number): number | undefined {
    const { line } = this.#fit;
    if (line === undefined) return undefined;
    return predictAnswer(line, {
      rowsAhead: this.#queue.rowsAhead(priority),
      rows,
      freeInMs: this.#freeInMs(),
      batchLimit: this.#limit(),
      usualRows: this.#latestRows,
    });
  }

  /** Refuses new requests; settles when every one that was let in is answered. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#dispatch();
      this.#settleIfDrained();
    });
  }

  /** Answers everyone in the queue with the error: nobody is left to run them. */
  failAll(error: unknown): void {
    const now = this.#options.clock.monotonic();
    for (const waiting of this.#queue.takeAll()) {
      waiting.settle(undefined, error, { ...NOTHING_SPENT, queueMs: now - waiting.at });
    }
    this.#settleIfDrained();
  }

  /** Why such a job would be refused now; undefined when it would be let in. */
  refusal(job: Pick<Job<P>, 'rows' | 'priority' | 'timeoutMs'>): Error | undefined {
    const { model, latencyTargetMs, maxQueue } = this.#options;
    if (this.#closed) return notReady(model, 'it is being unloaded', 1000);
    if (this.#queue.full(job.priority)) {
      const freeIn = this.predictedMs(job.rows, job.priority) ?? 1000;
      return overloaded(`${maxQueue} requests are waiting for model "${model}"`, freeIn);
    }
    const allowed = Math.min(
      latencyTargetMs ?? Number.POSITIVE_INFINITY,
      job.timeoutMs ?? Number.POSITIVE_INFINITY,
    );
    // An idle model takes anyone, or a wrong prediction could shut it for good.
    if (allowed === Number.POSITIVE_INFINITY || this.#idle()) return undefined;
    const alone = this.predictedMs(job.rows, job.priority);
    if (alone === undefined) return undefined;
    const predicted = alone + this.#margin.ms + this.#turnMs;
    if (predicted <= allowed) return undefined;
    const message = `model "${model}" would answer in ${Math.ceil(predicted)} ms, allowed are ${allowed} ms`;
    return overloaded(message, predicted - allowed);
  }

  #idle(): boolean {
    return this.#queue.size === 0 && this.#slots.some((slot) => slot.busy === undefined);
  }

  #limit(): number {
    const { latencyTargetMs, maxBatch } = this.#options;
    return latencyTargetMs === undefined ? maxBatch : batchLimit(this.#fit.line, latencyTargetMs, maxBatch);
  }

  /** A run that is late by x is expected to take x longer: a child that stalls shuts the door, not only its own run. */
  #freeInMs(): readonly number[] {
    const { line } = this.#fit;
    if (line === undefined || this.#slots.length === 0) return [0];
    const now = this.#options.clock.monotonic();
    return this.#slots.map(({ busy }) =>
      busy === undefined ? 0 : Math.abs(predict(line, busy.rows) - (now - busy.since)),
    );
  }

  /** After the callbacks of this turn of the loop, so that requests which came in together run together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { clock } = this.#options;
    const since = clock.monotonic();
    setImmediate(() => {
      this.#scheduled = false;
      this.#turnMs = clock.monotonic() - since;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (;;) {
      const slot = this.#slots.find((candidate) => candidate.busy === undefined);
      const oldest = this.#queue.peek();
      if (slot === undefined || oldest === undefined) return;
      const limit = this.#limit();
      const delay = this.#options.maxQueueDelayMs - (this.#options.clock.monotonic() - oldest.at);
      if (delay > 0 && this.#queue.rows < limit && !this.#closed) {
        this.#cancelDelay ??= this.#options.clock.after(delay, () => {
          this.#cancelDelay = undefined;
          this.#dispatch();
        });
        return;
      }
      void this.#run(slot, this.#queue.take(limit, MAX_BATCH_BYTES));
    }
  }

  async #run(slot: Slot<P, A>, batch: readonly Waiting<P, A>[]): Promise<void> {
    const outcome = await this.#attempt(slot, batch);
    if (batch.length > 1 && isRunFailure(outcome.failure)) {
      // One request's values can fail a run that others share: each gets a run of its own before it is told so.
      for (const waiting of batch) {
        // oxlint-disable-next-line no-await-in-loop -- a child runs one batch at a time
        if (!waiting.done) answer([waiting], await this.#attempt(slot, [waiting]));
      }
      this.#release(slot);
    } else {
      // The child gets its next run before the answers of this one are handed out.
      this.#release(slot);
      answer(batch, outcome);
      if (outcome.result !== undefined) this.#compare(batch);
    }
    this.#settleIfDrained();
  }

  /** One error a run, the worst: requests that ran together were late together, and are no more than one witness. */
  #compare(batch: readonly Waiting<P, A>[]): void {
    const now = this.#options.clock.monotonic();
    const errors = batch.flatMap(({ at, predictedMs }) =>
      predictedMs === undefined ? [] : [now - at - predictedMs],
    );
    if (errors.length > 0) this.#margin.observe(Math.max(...errors));
  }

  #release(slot: Slot<P, A>): void {
    slot.busy = undefined;
    this.#dispatch();
  }

  async #attempt(slot: Slot<P, A>, batch: readonly Waiting<P, A>[]): Promise<Attempt<A>> {
    const { clock, onBatch } = this.#options;
    const since = clock.monotonic();
    const rows = batch.reduce((sum, waiting) => sum + waiting.rows, 0);
    const requests = batch.length;
    slot.busy = { since, rows, requests };
    this.#latestRows = rows;
    let result: RunResult<A> | undefined;
    let failure: unknown;
    try {
      result = await slot.runner.run(batch.map((waiting) => waiting.payload));
      this.#fit.observe(rows, clock.monotonic() - since);
    } catch (error) {
      failure = error;
    }
    const { inputMs, inferMs, outputMs } = result ?? NOTHING_SPENT;
    onBatch?.({ requests, rows, failed: result === undefined, inputMs, inferMs, outputMs });
    return { since, result, failure };
  }

  #settleIfDrained(): void {
    if (!this.#closed || this.#queue.size > 0 || this.running > 0) return;
    this.#cancelDelay?.();
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

interface Attempt<A> {
  readonly since: number;
  readonly result: RunResult<A> | undefined;
  readonly failure: unknown;
}

function answer<P, A>(batch: readonly Waiting<P, A>[], { since, result, failure }: Attempt<A>): void {
  const { inputMs, inferMs, outputMs } = result ?? NOTHING_SPENT;
  batch.forEach((waiting, i) => {
    const own = result?.answers[i];
    const error = own === undefined ? (failure ?? backend('the model gave no answer')) : undefined;
    waiting.settle(own, error, { queueMs: since - waiting.at, inputMs, inferMs, outputMs });
  });
}
