/**
 * One version of a model: its state, its children and its queue. Crashed children are started again with a growing
 * pause; after too many crashes the version takes itself out.
 */
import { isForesailError, messageOf } from '../../errors.ts';
import { Batcher, type BatchReport, type Spent } from './batcher.ts';
import { isFiniteTensor } from './checks/answers.ts';
import { CrashBudget } from './crash-budget.ts';
import { notReady, refused } from './errors.ts';
import type { Instance } from './instance.ts';
import type { ModelChild } from './model-child.ts';
import { prepareRequest } from './prepare-request.ts';
import type { InferJob } from './run-batch.ts';
import { VersionCounters } from './statistics.ts';
import type {
  InferAnswer,
  InferRequest,
  ModelState,
  Observer,
  Outcome,
  Tensor,
  VersionGauges,
  VersionStatistics,
} from './types.ts';
import {
  type LoadedModel,
  type LoaderOptions,
  loadModel,
  type StartedChild,
  startWarmChild,
} from './version-loader.ts';

export interface VersionOptions extends LoaderOptions {
  readonly observer: Observer;
  readonly restartBackoffMs: number;
  readonly maxCrashes: number;
}

interface Serving extends LoadedModel {
  readonly batcher: Batcher<InferJob, readonly Tensor[]>;
}

export class ServedVersion {
  readonly #options: VersionOptions;
  readonly #counters: VersionCounters;
  /** Those that have been let in; a child that is still being checked belongs to its loader. */
  readonly #children = new Map<ModelChild, Instance>();
  readonly #stop = new AbortController();
  #serving: Serving | undefined;
  #state: ModelState['state'] = 'LOADING';
  #reason = 'the model is being loaded';
  readonly #budget: CrashBudget;
  #restarts = 0;
  #drained: Promise<void> | undefined;

  constructor(options: VersionOptions) {
    this.#options = options;
    this.#counters = new VersionCounters(options.settings.maxBatch);
    this.#budget = new CrashBudget(options.clock, options.maxCrashes, options.restartBackoffMs);
  }

  get version(): string {
    return this.#options.found.version;
  }

  get fingerprint(): string {
    return this.#options.found.fingerprint;
  }

  get ready(): boolean {
    return this.#state === 'READY';
  }

  /** It was refused or crashed too often; only another file changes that. */
  get quarantined(): boolean {
    return this.#state === 'UNAVAILABLE';
  }

  get state(): ModelState {
    return { name: this.#options.model, version: this.version, state: this.#state, reason: this.#reason };
  }

  /** Undefined until it has been loaded. */
  get loaded(): LoadedModel | undefined {
    return this.#serving;
  }

  /** Settles when the version serves. @throws MODEL_REFUSED when it never will, or the signal's reason */
  async load(signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.#stop.signal]);
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- again only after a crash
        await this.#loadOnce(both);
        this.#set('READY', '');
        return;
      } catch (error) {
        // First of all: a child that ends now is no crash of a version that serves.
        this.#serving = undefined;
        for (const child of this.#children.keys()) child.kill('its version did not come up');
        this.#children.clear();
        if (both.aborted) throw both.reason;
        const pause = isForesailError(error, 'MODEL_REFUSED') ? undefined : this.#budget.spend();
        if (pause === undefined) throw this.#quarantine(error);
        this.#set('LOADING', `${messageOf(error)}; next try in ${pause} ms`);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#options.clock.sleep(pause, both);
      }
    }
  }

  /** @throws OVERLOADED as `infer` would for one row of the lowest priority, so that its tensors need not be read */
  refuseEarly(): void {
    const serving = this.#serving;
    if (serving === undefined || !this.ready) return;
    const { priorityLevels: priority, defaultTimeoutMs: timeoutMs } = this.#options.settings;
    const refusal = serving.batcher.refusal({ rows: 1, priority, timeoutMs });
    if (refusal === undefined) return;
    this.#report('rejected', 0, 0);
    throw refusal;
  }

  /** @throws what `Engine.infer` throws */
  async infer(request: InferRequest, signal: AbortSignal): Promise<InferAnswer> {
    const { model, clock, settings } = this.#options;
    const started = clock.monotonic();
    const serving = this.#serving;
    if (serving === undefined || !this.ready) {
      this.#report('rejected', 0, clock.monotonic() - started);
      throw notReady(model, this.#reason);
    }
    let job: ReturnType<typeof prepareRequest>;
    try {
      job = prepareRequest(request, serving.first.signature, serving.warmUp.batching.on, settings);
    } catch (error) {
      this.#report('invalid', 0, clock.monotonic() - started);
      throw error;
    }
    return await new Promise((resolve, reject) => {
      serving.batcher.submit(job, signal, (outputs, error, spent) => {
        const total = clock.monotonic() - started;
        if (outputs === undefined) {
          this.#report(outcomeOf(error, signal), job.rows, total, spent);
          reject(error);
        } else {
          this.#report('success', job.rows, total, spent, !outputs.every(isFiniteTensor));
          resolve({ model, version: this.version, outputs, spent });
        }
      });
    });
  }

  statistics(): VersionStatistics {
    return this.#counters.read(this.#options.model, this.version);
  }

  gauges(): VersionGauges {
    const batcher = this.#serving?.batcher;
    return {
      model: this.#options.model,
      version: this.version,
      pendingRequests: batcher?.pending ?? 0,
      runningRequests: batcher?.running ?? 0,
      instancesReady: batcher?.runners ?? 0,
      restarts: this.#restarts,
    };
  }

  /** No new requests; those under way are answered; then the children end. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  /** The end of a drain that takes too long. */
  kill(): void {
    const error = notReady(this.#options.model, 'the server is closing');
    this.#stop.abort(error);
    this.#serving?.batcher.failAll(error);
    for (const child of this.#children.keys()) child.kill('the server is closing');
  }

  async #drain(): Promise<void> {
    if (!this.quarantined) this.#set('UNLOADING', 'the model is being unloaded');
    this.#stop.abort(notReady(this.#options.model, 'it is being unloaded'));
    const drained = this.#serving?.batcher.close();
    this.#failIfAbandoned();
    await drained;
    await Promise.all([...this.#children.keys()].map((child) => child.close()));
    this.#children.clear();
  }

  async #loadOnce(signal: AbortSignal): Promise<void> {
    const { clock, settings, model } = this.#options;
    const loaded = await loadModel(this.#options, this.#onChildEnd, signal);
    const { on: batched } = loaded.warmUp.batching;
    const batcher = new Batcher<InferJob, readonly Tensor[]>({
      clock,
      model,
      maxBatch: batched ? settings.maxBatch : 1,
      maxQueueDelayMs: batched ? settings.maxQueueDelayMs : 0,
      maxQueue: settings.maxQueue,
      priorityLevels: settings.priorityLevels,
      latencyTargetMs: settings.latencyTargetMs,
      onBatch: (batch) => this.#onBatch(batch),
    });
    for (const { rows, ms } of loaded.warmUp.timings) batcher.learn(rows, ms);
    this.#serving = { ...loaded, batcher };
    this.#admit(this.#serving, loaded.first);
    for (let more = 1; more < settings.instances; more++) {
      // oxlint-disable-next-line no-await-in-loop -- one file in memory at a time
      await this.#startAnother(this.#serving, signal);
    }
  }

  #admit(serving: Serving, { child, instance }: StartedChild): void {
    this.#children.set(child, instance);
    serving.batcher.addRunner(instance);
  }

  async #startAnother(serving: Serving, signal: AbortSignal): Promise<void> {
    const next = await startWarmChild(this.#options, serving, this.#onChildEnd, signal);
    // Meanwhile the version may have been given up, or loaded anew.
    if (this.#serving === serving && !signal.aborted) this.#admit(serving, next);
    else next.child.kill('its version has ended');
  }

  readonly #onChildEnd = (child: ModelChild, message: string): void => {
    const instance = this.#children.get(child);
    const serving = this.#serving;
    if (instance === undefined || serving === undefined) return;
    this.#children.delete(child);
    serving.batcher.removeRunner(instance);
    this.#options.logger.warn('a child of the model ended', { ...this.#keys(), pid: child.pid, message });
    if (this.#stop.signal.aborted) this.#failIfAbandoned();
    else void this.#restart(serving, message);
  };

  async #restart(serving: Serving, message: string): Promise<void> {
    for (let why: unknown = message; ; ) {
      const pause = isForesailError(why, 'MODEL_REFUSED') ? undefined : this.#budget.spend();
      if (this.quarantined || this.#serving !== serving) return;
      if (pause === undefined) {
        this.#quarantine(why);
        return;
      }
      if (serving.batcher.runners === 0) this.#set('LOADING', `${messageOf(why)}; next start in ${pause} ms`);
      try {
        const { signal } = this.#stop;
        // oxlint-disable-next-line no-await-in-loop -- one try after the other
        await this.#options.clock.sleep(pause, signal);
        this.#restarts++;
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#startAnother(serving, signal);
        if (this.#state === 'LOADING' && serving.batcher.runners > 0) this.#set('READY', '');
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        why = error;
      }
    }
  }

  #quarantine(why: unknown): Error {
    const error = isForesailError(why, 'MODEL_REFUSED')
      ? why
      : refused('Crashed', `${messageOf(why)}; ${this.#budget.crashes} crashes within an hour`, why);
    this.#set('UNAVAILABLE', `${error.subject}: ${error.message}`);
    this.#stop.abort(error);
    this.#serving?.batcher.failAll(notReady(this.#options.model, this.#reason));
    for (const child of this.#children.keys()) child.kill('its version was taken out');
    this.#children.clear();
    return error;
  }

  /** A queue that nobody will work on again must not keep anyone waiting. */
  #failIfAbandoned(): void {
    const batcher = this.#serving?.batcher;
    if (batcher === undefined || batcher.runners > 0) return;
    batcher.failAll(notReady(this.#options.model, 'its process ended while it was being unloaded'));
  }

  #onBatch(batch: BatchReport): void {
    this.#counters.batch(batch);
    const { requests, rows, failed, inferMs } = batch;
    const { model, observer } = this.#options;
    const computeInferNs = inferMs * 1e6;
    observer.onBatch?.({ model, version: this.version, requests, rows, failed, computeInferNs });
  }

  #report(outcome: Outcome, rows: number, totalMs: number, spent?: Spent, nonFinite = false): void {
    if (outcome === 'success' && spent !== undefined) {
      this.#counters.succeeded(totalMs, spent, this.#options.clock.now());
    } else {
      this.#counters.failed(totalMs);
    }
    const { model, observer } = this.#options;
    observer.onRequest?.({
      model,
      version: this.version,
      outcome,
      nonFinite,
      rows,
      totalNs: totalMs * 1e6,
      queueNs: (spent?.queueMs ?? 0) * 1e6,
      computeInputNs: (spent?.inputMs ?? 0) * 1e6,
      computeInferNs: (spent?.inferMs ?? 0) * 1e6,
      computeOutputNs: (spent?.outputMs ?? 0) * 1e6,
    });
  }

  #set(state: ModelState['state'], reason: string): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    const level = state === 'UNAVAILABLE' ? 'error' : 'info';
    this.#options.logger[level]('the state of a model version changed', { ...this.#keys(), state, reason });
    this.#options.observer.onState?.(this.state);
  }

  #keys(): { model: string; version: string } {
    return { model: this.#options.model, version: this.version };
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted && error === signal.reason) return 'canceled';
  if (isForesailError(error, 'DEADLINE')) return 'deadline';
  return isForesailError(error, 'BACKEND') ? 'backend' : 'rejected';
}
