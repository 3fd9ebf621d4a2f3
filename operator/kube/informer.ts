/**
 * A cache of one resource that is always on its way back to the truth. It survives whatever the network and the
 * server do: it resumes from the last version it saw, lists anew when the server has forgotten that version (and then
 * finds the deletions that it missed), and never gives up.
 */
import { type Clock, systemClock } from '../clock.ts';
import { isForesailError, messageOf } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { abortable } from './abortable.ts';
import { backoffDelay, retryAfterDelay } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { isGone } from './errors.ts';
import { keyOf } from './keys.ts';
import { listPages, type Selection, type StreamSink, watch } from './list-watch.ts';
import { IndexedStore, type IndexFunction } from './store.ts';
import { stripBookkeeping } from './transform.ts';
import type { Informer, InformerHandler, KubeObject, Store } from './types.ts';

export interface InformerObserver {
  informerSynced?(event: { informer: string; objects: number; durationMs: number }): void;
  informerRestarted?(event: { informer: string; reason: string; relist: boolean }): void;
  informerGarbage?(event: { informer: string; reason: string }): void;
}

export interface InformerOptions<T extends KubeObject> extends Selection {
  /** For logs and metrics; default is the plural. */
  readonly name?: string;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Keeps what the caller needs of an object. Bookkeeping (managedFields, last-applied) is gone before it. */
  readonly project?: (object: KubeObject) => T;
  /** Bounds of a watch's random lifetime, default 30 to 50 s: the time in which a silent connection is noticed. */
  readonly lifetimeMs?: readonly [min: number, max: number];
  /** How long after its lifetime the server is given to end a watch, default 5 s. */
  readonly graceMs?: number;
  /** No byte for this long while the initial state is sent means a dead connection, default 60 s. */
  readonly silenceMs?: number;
  readonly maxLineBytes?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly observer?: InformerObserver;
}

const BACKOFF = { baseMs: 250, maxMs: 10_000, jitter: 0.5 };
/** A stream that ended sooner than this without telling anything counts as a failure. */
const QUICK_END_MS = 1_000;
/** So many bad answers in a row to a resumption, and the version itself is under suspicion. */
const BAD_ANSWERS_BEFORE_RELIST = 8;
/** Failures that say nothing about the version: after an outage thousands of caches should resume, not list. */
const INNOCENT = new Set([
  'KUBE_UNREACHABLE',
  'KUBE_TIMEOUT',
  'KUBE_TOO_MANY_REQUESTS',
  'KUBE_UNAVAILABLE',
  'KUBE_UNAUTHORIZED',
  'KUBE_FORBIDDEN',
]);

export class ResourceInformer<T extends KubeObject> implements Informer<T>, StreamSink {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #store: IndexedStore<T>;
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #resourceVersion: string | undefined;
  /** Keys seen by the list that is under way; undefined outside of one. */
  #listing: Set<string> | undefined;
  #listStartedAt = 0;
  #failures = 0;
  #badAnswers = 0;
  #news = false;
  #watchListRefused = false;
  #aliveAt: number;

  constructor(client: KubeClient, options: InformerOptions<T>) {
    this.name = options.name ?? options.ref.plural;
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#logger = options.logger ?? silentLogger;
    this.#store = new IndexedStore(options.indexes);
    this.#aliveAt = this.#clock.monotonic();
  }

  get store(): Store<T> {
    return this.#store;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get silentForMs(): number {
    return this.#clock.monotonic() - this.#aliveAt;
  }

  subscribe(handler: InformerHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#store.list()) this.#tell(() => handler.onAdd?.(object));
    return () => this.#handlers.delete(handler);
  }

  waitForSync(signal: AbortSignal): Promise<void> {
    return abortable(this.#synced.promise, signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = this.#clock.monotonic();
      this.#news = false;
      try {
        if (this.#resourceVersion === undefined) await this.#start(signal);
        else await this.#watch(this.#resourceVersion, signal);
        if (this.#news || this.#clock.monotonic() - startedAt >= QUICK_END_MS) this.#failures = 0;
        else await this.#recover(new Error('the stream ended at once'), signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#recover(error, signal);
      }
    }
  }

  upsert(object: KubeObject): void {
    const after = this.#project(object);
    const key = keyOf(after);
    this.#news = true;
    this.#listing?.add(key);
    const before = this.#store.set(after);
    if (before === undefined) this.#notify((handler) => handler.onAdd?.(after));
    else if (before.metadata.resourceVersion !== after.metadata.resourceVersion)
      this.#notify((handler) => handler.onUpdate?.(before, after));
  }

  remove(object: KubeObject): void {
    const last = this.#project(object);
    const key = keyOf(last);
    this.#news = true;
    this.#listing?.delete(key);
    if (this.#store.delete(key) !== undefined) this.#notify((handler) => handler.onDelete?.(last));
  }

  progress(resourceVersion: string): void {
    this.#news = true;
    // Inside a watch-list the versions of single objects come in no order and are no place to resume from.
    if (this.#listing === undefined) this.#resourceVersion = resourceVersion;
  }

  /** The initial state is complete: whatever it did not name is gone. */
  synced(resourceVersion: string): void {
    const listed = this.#listing ?? new Set();
    this.#listing = undefined;
    this.#news = true;
    for (const key of this.#store.keys()) {
      if (listed.has(key)) continue;
      const last = this.#store.delete(key)!;
      this.#notify((handler) => handler.onDelete?.(last));
    }
    this.#resourceVersion = resourceVersion;
    this.#hasSynced = true;
    this.#synced.resolve();
    const durationMs = this.#clock.monotonic() - this.#listStartedAt;
    this.#options.observer?.informerSynced?.({ informer: this.name, objects: this.#store.size, durationMs });
  }

  alive(): void {
    this.#aliveAt = this.#clock.monotonic();
  }

  async #start(signal: AbortSignal): Promise<void> {
    this.#listing = new Set();
    this.#listStartedAt = this.#clock.monotonic();
    if (this.#watchListRefused) {
      await this.#list(signal);
      return;
    }
    try {
      await this.#watch(undefined, signal);
    } catch (error) {
      if (!isRefusal(error) || this.#listing.size > 0) throw error;
      // An older or an aggregated server that does not know sendInitialEvents.
      this.#watchListRefused = true;
      await this.#list(signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const page = (objects: readonly KubeObject[]) => {
      this.alive();
      for (const object of objects) this.upsert(object);
    };
    this.synced(await listPages(this.#client, this.#options, page, signal));
  }

  #watch(from: string | undefined, signal: AbortSignal): Promise<void> {
    const { ref, namespace, labelSelector, fieldSelector, maxLineBytes } = this.#options;
    const [min, max] = this.#options.lifetimeMs ?? [30_000, 50_000];
    const limits = {
      lifetimeMs: min + (max - min) * this.#random(),
      graceMs: this.#options.graceMs ?? 5_000,
      silenceMs: this.#options.silenceMs ?? 60_000,
      ...(maxLineBytes === undefined ? {} : { maxLineBytes }),
    };
    const selection: Selection = {
      ref,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
    return watch(this.#client, selection, from, limits, this, this.#clock, signal);
  }

  /** Decides where to go on, and waits. */
  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const reason = isForesailError(error) ? error.code : messageOf(error);
    this.#failures = this.#news ? 1 : this.#failures + 1;
    if (this.#news) this.#badAnswers = 0;
    if (!INNOCENT.has(reason)) this.#badAnswers += 1;
    // A list that was cut short proves nothing about what it did not name.
    const relist =
      this.#listing !== undefined || isGone(error) || this.#badAnswers >= BAD_ANSWERS_BEFORE_RELIST;
    if (relist) {
      this.#resourceVersion = undefined;
      this.#badAnswers = 0;
    }
    this.#listing = undefined;
    if (reason === 'KUBE_WATCH_GARBAGE')
      this.#options.observer?.informerGarbage?.({ informer: this.name, reason: messageOf(error) });
    this.#options.observer?.informerRestarted?.({ informer: this.name, reason, relist });
    this.#logger.warn('informer restarts', {
      informer: this.name,
      reason,
      error: messageOf(error),
      relist,
      failures: this.#failures,
    });
    const asked = isForesailError(error) ? error.retryAfterMs : undefined;
    const waitMs = Math.max(
      backoffDelay(BACKOFF, this.#failures - 1, this.#random),
      asked === undefined ? 0 : retryAfterDelay(asked, this.#random),
    );
    try {
      await this.#clock.sleep(waitMs, signal);
    } catch {
      // Aborted: the loop in run() sees it.
    }
  }

  #project(object: KubeObject): T {
    const stripped = stripBookkeeping(object);
    return this.#options.project === undefined ? (stripped as T) : this.#options.project(stripped);
  }

  #notify(call: (handler: InformerHandler<T>) => void): void {
    for (const handler of this.#handlers) this.#tell(() => call(handler));
  }

  /** A handler that throws must not cost the others their event, nor the cache its stream. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error('informer handler failed', { informer: this.name, error: messageOf(error) });
    }
  }
}

function isRefusal(error: unknown): boolean {
  return (
    isForesailError(error) &&
    ['KUBE_BAD_REQUEST', 'KUBE_INVALID', 'KUBE_METHOD_NOT_ALLOWED'].includes(error.code)
  );
}
