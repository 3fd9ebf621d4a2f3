/**
 * Tells users what happened to their objects, without ever becoming the thing that happens to the API server. The same
 * type and reason on the same object is one Event whose count goes up and whose message is the newest; per object a
 * token bucket limits the writes, and what it holds back is counted into the next one.
 *
 * core/v1 Events, since `kubectl describe` reads those and shows count, age and first time of them; the same object
 * written through events.k8s.io/v1 shows there without its repetitions.
 */
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../clock.ts';
import { isForesailError, messageOf } from '../errors.ts';
import { isNotFound } from '../kube/errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { formatTime } from './micro-time.ts';
import type {
  EventRecorder,
  EventTarget,
  EventType,
  KubeObject,
  ResourceRef,
  RuntimeObserver,
  Writer,
} from './types.ts';

export interface EventRecorderOptions {
  /** Fenced, so that an ex-leader tells nothing either. */
  readonly client: Pick<Writer, 'create' | 'mergePatch'>;
  /** Shown in the From column. */
  readonly component: string;
  readonly instance: string;
  /** Writes per object at once, default 10, and one more every `refillMs`, default 30 s. */
  readonly burst?: number;
  readonly refillMs?: number;
  readonly clock?: Clock;
  readonly newSuffix?: () => string;
  readonly logger?: Logger;
  readonly observer?: RuntimeObserver;
}

interface CoreEvent extends KubeObject {
  readonly [field: string]: unknown;
}

const EVENTS: ResourceRef = { group: '', version: 'v1', plural: 'events', namespaced: true };
/** A reason that was quiet for so long begins a new Event: the server forgets Events after an hour. */
const SERIES_ENDS_AFTER_MS = 30 * 60_000;
const MAX_ATTEMPTS = 5;
const MAX_SERIES = 10_000;
/** The API server's limits. */
const MAX_MESSAGE = 1024;
const MAX_REASON = 128;

/** One Event in the making: same object, type and reason. */
interface Series {
  readonly id: string;
  readonly regarding: EventTarget;
  readonly type: EventType;
  readonly reason: string;
  message: string;
  annotations: Readonly<Record<string, string>>;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** Name of the Event on the server, once it was created. */
  name: string | undefined;
  attempts: number;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new AggregatingRecorder(options);
}

class AggregatingRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #series = new Map<string, Series>();
  /** Those about which the server does not know the newest yet. */
  readonly #news = new Set<Series>();
  readonly #tokens = new Map<string, { left: number; at: number }>();
  readonly #life = new AbortController();
  #sending: Promise<void> | undefined;
  #cancelWake: (() => void) | undefined;
  #pausedUntil = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  event(
    regarding: EventTarget,
    type: EventType,
    reason: string,
    message: string,
    annotations: Readonly<Record<string, string>> = {},
  ): void {
    const now = this.#clock.now();
    const id = [targetId(regarding), type, reason].join('\0');
    const known = this.#series.get(id);
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message;
    if (known !== undefined && now - known.lastAt < SERIES_ENDS_AFTER_MS) {
      known.message = text;
      known.annotations = annotations;
      known.lastAt = now;
      known.count += 1;
      this.#news.add(known);
    } else {
      this.#makeRoom(now);
      const begun: Series = {
        id,
        regarding,
        type,
        reason: reason.slice(0, MAX_REASON),
        message: text,
        annotations,
        firstAt: now,
        lastAt: now,
        count: 1,
        name: undefined,
        attempts: 0,
      };
      this.#series.set(id, begun);
      this.#news.add(begun);
    }
    this.#kick();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#sending;
    while (this.#news.size > 0 && !signal.aborted) await this.#send(signal, true);
  }

  /** Starts a round of sending in the background unless one is under way or the server asked for a pause. */
  #kick(): void {
    if (this.#sending !== undefined || this.#clock.monotonic() < this.#pausedUntil) return;
    this.#sending = this.#round();
  }

  async #round(): Promise<void> {
    await Promise.resolve(); // The caller's own burst of events becomes one round.
    const waitMs = await this.#send(this.#life.signal, false);
    this.#sending = undefined;
    if (waitMs !== undefined) {
      this.#cancelWake?.();
      this.#cancelWake = this.#clock.after(waitMs, () => this.#kick());
    } else if (this.#news.size > 0) {
      this.#kick(); // It came while the last write was being answered.
    }
  }

  /** One after the other, so events never take more than one connection. Returns when to come back, if at all. */
  async #send(signal: AbortSignal, force: boolean): Promise<number | undefined> {
    while (!signal.aborted) {
      const series = [...this.#news].find((each) => force || this.#mayWrite(each));
      if (series === undefined) break;
      const pauseMs = await this.#write(series, signal);
      if (pauseMs === undefined) continue;
      this.#pausedUntil = this.#clock.monotonic() + pauseMs;
      return pauseMs;
    }
    return this.#news.size > 0 ? this.#refillMs : undefined;
  }

  get #refillMs(): number {
    return this.#options.refillMs ?? 30_000;
  }

  /** Takes a token of the object's bucket when there is one. */
  #mayWrite(series: Series): boolean {
    const id = targetId(series.regarding);
    const now = this.#clock.monotonic();
    const burst = this.#options.burst ?? 10;
    const bucket = this.#tokens.get(id) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + (now - bucket.at) / this.#refillMs);
    bucket.at = now;
    this.#tokens.set(id, bucket);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** Returns milliseconds to wait before the next try when it failed for a reason that may pass. */
  async #write(series: Series, signal: AbortSignal): Promise<number | undefined> {
    this.#news.delete(series);
    try {
      if (series.name === undefined) await this.#create(series, signal);
      else await this.#update(series, signal);
      series.attempts = 0;
      return undefined;
    } catch (error) {
      series.attempts += 1;
      const hopeless =
        !isForesailError(error) || error.retry === 'terminal' || series.attempts >= MAX_ATTEMPTS;
      if (hopeless) {
        const why = isForesailError(error) ? error.code : messageOf(error);
        this.#logger.warn('event dropped', {
          reason: series.reason,
          object: series.regarding.metadata.name,
          why,
        });
        this.#options.observer?.eventDropped?.({ reason: series.reason, why });
        series.attempts = 0;
        return undefined;
      }
      this.#news.add(series);
      return Math.max(error.retryAfterMs ?? 0, 500 * 2 ** series.attempts);
    }
  }

  async #create(series: Series, signal: AbortSignal): Promise<void> {
    const suffix = this.#options.newSuffix?.() ?? randomBytes(8).toString('hex');
    const name = `${series.regarding.metadata.name.slice(0, 230)}.${suffix}`;
    const namespace = series.regarding.metadata.namespace ?? 'default';
    const event: CoreEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace, ...annotated(series) },
      involvedObject: {
        apiVersion: series.regarding.apiVersion,
        kind: series.regarding.kind,
        name: series.regarding.metadata.name,
        ...(series.regarding.metadata.namespace === undefined
          ? {}
          : { namespace: series.regarding.metadata.namespace }),
        ...(series.regarding.metadata.uid === undefined ? {} : { uid: series.regarding.metadata.uid }),
      },
      type: series.type,
      reason: series.reason,
      message: series.message,
      count: series.count,
      firstTimestamp: formatTime(series.firstAt),
      lastTimestamp: formatTime(series.lastAt),
      source: { component: this.#options.component },
      reportingComponent: this.#options.component,
      reportingInstance: this.#options.instance,
    };
    await this.#options.client.create<CoreEvent>(EVENTS, event, signal);
    series.name = name;
  }

  async #update(series: Series, signal: AbortSignal): Promise<void> {
    const key = { namespace: series.regarding.metadata.namespace ?? 'default', name: series.name! };
    const patch = {
      metadata: annotated(series),
      message: series.message,
      count: series.count,
      lastTimestamp: formatTime(series.lastAt),
    };
    try {
      await this.#options.client.mergePatch(EVENTS, key, patch, {}, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      series.name = undefined; // The server has forgotten it: tell the story anew.
      await this.#create(series, signal);
    }
  }

  /** Forgets what is over, so that memory is bounded by what is going on. */
  #makeRoom(now: number): void {
    if (this.#series.size < MAX_SERIES) return;
    for (const [id, series] of this.#series)
      if (!this.#news.has(series) && now - series.lastAt >= SERIES_ENDS_AFTER_MS) this.#series.delete(id);
    const oldest = this.#series.keys().next();
    if (this.#series.size >= MAX_SERIES && oldest.done !== true) this.#series.delete(oldest.value);
    if (this.#tokens.size >= MAX_SERIES) this.#tokens.clear();
  }
}

function annotated(series: Series): { annotations?: Readonly<Record<string, string>> } {
  return Object.keys(series.annotations).length === 0 ? {} : { annotations: series.annotations };
}

function targetId({ apiVersion, kind, metadata }: EventTarget): string {
  return [apiVersion, kind, metadata.namespace ?? '', metadata.name, metadata.uid ?? ''].join('\0');
}
