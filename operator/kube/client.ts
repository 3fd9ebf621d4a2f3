/**
 * A client for any kind, typed by the caller. Every call has a deadline that covers all its waiting: in the client's
 * own rate limit, for connections, and for the server's Retry-After. Nothing is retried beyond what the server asked
 * for, since the work queue above knows better when to come back.
 */
import type { Dispatcher } from 'undici';
import { type Clock, systemClock } from '../clock.ts';
import { ForesailError, isForesailError } from '../errors.ts';
import { retryAfterDelay } from './backoff.ts';
import { errorFromNetwork, errorFromStatus, isBrokenConnection, parseRetryAfter } from './errors.ts';
import { apiVersionOf, collectionPath, listQuery, objectPath } from './paths.ts';
import { RateLimiter } from './rate-limit.ts';
import type { Transport, TransportRequest, TransportResponse } from './transport.ts';
import type {
  Client,
  DeleteOptions,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectKey,
  ResourceRef,
  Scale,
  SubjectAccessReviewSpec,
  TokenReviewStatus,
  WriteOptions,
} from './types.ts';

export interface ClientObserver {
  request?(event: { verb: string; resource: string; code: string; durationMs: number }): void;
  throttled?(event: { resource: string; waitedMs: number; by: 'client' | 'server' }): void;
}

export interface ClientOptions {
  /** Default 15 s. */
  readonly deadlineMs?: number;
  /** Requests per second in the long run, default 400, and at once, default 800. */
  readonly qps?: number;
  readonly burst?: number;
  readonly userAgent?: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly observer?: ClientObserver;
}

interface Call {
  readonly verb: string;
  readonly resource: string;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: object;
  /** Largest answer that is read; absent: the transport's. */
  readonly maxBytes?: number;
}

/** Of a raw GET: it speaks to adapters behind the API server too, which anybody may have written. */
const MAX_RAW_BYTES = 16 * 1024 ** 2;
const MERGE_PATCH = 'application/merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';

export class KubeClient implements Client {
  readonly #transport: Transport;
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #limiter: RateLimiter;
  readonly #deadlineMs: number;
  readonly #guard: (() => void) | undefined;

  constructor(
    transport: Transport,
    options: ClientOptions = {},
    shared: { readonly limiter?: RateLimiter; readonly guard?: () => void } = {},
  ) {
    this.#transport = transport;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#deadlineMs = options.deadlineMs ?? 15_000;
    this.#limiter =
      shared.limiter ??
      new RateLimiter({ qps: options.qps ?? 400, burst: options.burst ?? 800 }, this.#clock);
    this.#guard = shared.guard;
  }

  /**
   * The same client, but `guard` runs before each write: once when it is asked for, and again in the moment before
   * its first byte leaves. The guard throws a ForesailError, which is what the caller gets.
   */
  withWriteGuard(guard: () => void): Client {
    return new KubeClient(this.#transport, this.#options, { limiter: this.#limiter, guard });
  }

  get<T extends KubeObject>(ref: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<T> {
    return this.#json<T>(
      { verb: 'get', resource: ref.plural, method: 'GET', path: objectPath(ref, key) },
      signal,
    );
  }

  async list<T extends KubeObject>(
    ref: ResourceRef,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<KubeList<T>> {
    const path = withQuery(collectionPath(ref, options.namespace), listQuery(options));
    const call: Call = { verb: 'list', resource: ref.plural, method: 'GET', path };
    const list = await this.#json<{
      items?: readonly T[] | null;
      metadata?: { resourceVersion?: string; continue?: string };
    }>(call, signal);
    const next = list.metadata?.continue;
    return {
      items: list.items ?? [],
      resourceVersion: list.metadata?.resourceVersion ?? '',
      ...(next === undefined || next === '' ? {} : { continue: next }),
    };
  }

  create<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T> {
    const query = new URLSearchParams({ fieldValidation: 'Strict' });
    const path = withQuery(collectionPath(ref, object.metadata.namespace), query);
    return this.#write<T>(
      { verb: 'create', resource: ref.plural, method: 'POST', path, body: object },
      signal,
    );
  }

  update<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T> {
    if (object.metadata.resourceVersion === undefined)
      throw new ForesailError(
        'KUBE_BAD_REQUEST',
        'terminal',
        'an update without resourceVersion would overwrite blindly',
      );
    const key = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
    const path = withQuery(objectPath(ref, key), new URLSearchParams({ fieldValidation: 'Strict' }));
    return this.#write<T>(
      { verb: 'update', resource: ref.plural, method: 'PUT', path, body: object },
      signal,
    );
  }

  mergePatch<T extends KubeObject>(
    ref: ResourceRef,
    key: ObjectKey,
    patch: object,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#patch<T>(ref, key, undefined, patch, options, signal);
  }

  patchStatus<T extends KubeObject>(
    ref: ResourceRef,
    key: ObjectKey,
    patch: object,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#patch<T>(ref, key, 'status', { status: patch }, options, signal);
  }

  applyStatus<T extends KubeObject>(
    ref: ResourceRef,
    object: T,
    fieldManager: string,
    signal: AbortSignal,
  ): Promise<T> {
    const key = { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
    const query = new URLSearchParams({ fieldManager, force: 'true', fieldValidation: 'Strict' });
    const path = withQuery(objectPath(ref, key, 'status'), query);
    const body = { apiVersion: apiVersionOf(ref), ...object };
    return this.#write<T>(
      {
        verb: 'apply',
        resource: `${ref.plural}/status`,
        method: 'PATCH',
        path,
        contentType: APPLY_PATCH,
        body,
      },
      signal,
    );
  }

  getScale(ref: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<Scale> {
    const path = objectPath(ref, key, 'scale');
    return this.#json<Scale>({ verb: 'get', resource: `${ref.plural}/scale`, method: 'GET', path }, signal);
  }

  patchScale(
    ref: ResourceRef,
    key: ObjectKey,
    replicas: number,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<Scale> {
    if (!Number.isInteger(replicas) || replicas < 0)
      throw new ForesailError('KUBE_BAD_REQUEST', 'terminal', `spec.replicas ${replicas} is not a count`, {
        subject: 'spec.replicas',
      });
    return this.#patch<Scale>(ref, key, 'scale', { spec: { replicas } }, options, signal);
  }

  async delete(ref: ResourceRef, key: ObjectKey, options: DeleteOptions, signal: AbortSignal): Promise<void> {
    const preconditions = {
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
    };
    const body = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      propagationPolicy: options.propagationPolicy ?? 'Background',
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
      ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    };
    const path = objectPath(ref, key);
    await this.#write({ verb: 'delete', resource: ref.plural, method: 'DELETE', path, body }, signal);
  }

  getJson(path: string, signal: AbortSignal): Promise<unknown> {
    if (!path.startsWith('/'))
      throw new ForesailError('KUBE_BAD_REQUEST', 'terminal', `path "${path}" must begin with /`);
    return this.#json<unknown>(
      { verb: 'get', resource: 'raw', method: 'GET', path, maxBytes: MAX_RAW_BYTES },
      signal,
    );
  }

  async reviewToken(
    token: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<TokenReviewStatus> {
    const spec = audiences.length === 0 ? { token } : { token, audiences };
    const review = await this.#json<{ status?: Partial<TokenReviewStatus> }>(
      reviewCall('authentication.k8s.io', 'TokenReview', 'tokenreviews', spec),
      signal,
    );
    return { ...review.status, authenticated: review.status?.authenticated === true };
  }

  async reviewAccess(spec: SubjectAccessReviewSpec, signal: AbortSignal): Promise<boolean> {
    const review = await this.#json<{ status?: { allowed?: boolean } }>(
      reviewCall('authorization.k8s.io', 'SubjectAccessReview', 'subjectaccessreviews', spec),
      signal,
    );
    return review.status?.allowed === true;
  }

  /**
   * Opens a watch and returns once the server has answered with its headers. The deadline covers the opening only;
   * the stream ends when the signal aborts.
   */
  async stream(path: string, resource: string, signal: AbortSignal): Promise<TransportResponse['body']> {
    const call: Call = { verb: 'watch', resource, method: 'GET', path };
    const startedAt = this.#clock.monotonic();
    const opening = new AbortController();
    const cancel = this.#clock.after(this.#deadlineMs, () => opening.abort(this.#deadlineError(call)));
    try {
      const request = this.#request(call, true, undefined);
      const response = await this.#transport.send(request, AbortSignal.any([signal, opening.signal]));
      if (response.status !== 200) throw await this.#httpError(call, response);
      this.#observe(call, '200', startedAt);
      return response.body;
    } catch (error) {
      this.#observe(call, codeOf(error), startedAt);
      throw error;
    } finally {
      cancel();
    }
  }

  #patch<T>(
    ref: ResourceRef,
    key: ObjectKey,
    subresource: string | undefined,
    patch: object,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<T> {
    const query = new URLSearchParams({
      fieldValidation: options.fieldValidation ?? 'Strict',
      ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
    });
    const path = withQuery(objectPath(ref, key, subresource), query);
    const resource = subresource === undefined ? ref.plural : `${ref.plural}/${subresource}`;
    const body =
      options.resourceVersion === undefined
        ? patch
        : {
            ...patch,
            metadata: {
              ...(patch as { metadata?: object }).metadata,
              resourceVersion: options.resourceVersion,
            },
          };
    return this.#write<T>(
      { verb: 'patch', resource, method: 'PATCH', path, contentType: MERGE_PATCH, body },
      signal,
    );
  }

  async #write<T>(call: Call, signal: AbortSignal): Promise<T> {
    this.#guard?.();
    return this.#json<T>(call, signal, this.#guard);
  }

  async #json<T>(call: Call, callerSignal: AbortSignal, guard?: () => void): Promise<T> {
    callerSignal.throwIfAborted();
    const startedAt = this.#clock.monotonic();
    const deadline = new AbortController();
    const cancel = this.#clock.after(this.#deadlineMs, () => deadline.abort(this.#deadlineError(call)));
    const signal = AbortSignal.any([callerSignal, deadline.signal]);
    try {
      const waitedMs = await this.#limiter.acquire(signal);
      if (waitedMs > 0)
        this.#options.observer?.throttled?.({ resource: call.resource, waitedMs, by: 'client' });
      const value = await this.#retryAsAsked(call, guard, startedAt + this.#deadlineMs, signal);
      this.#observe(call, '200', startedAt);
      return value as T;
    } catch (error) {
      this.#observe(call, codeOf(error), startedAt);
      throw error;
    } finally {
      cancel();
    }
  }

  /** Comes back as often as the server asks with Retry-After, as long as the deadline allows. */
  async #retryAsAsked(
    call: Call,
    guard: (() => void) | undefined,
    deadlineAt: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    let reconnected = false;
    for (;;) {
      try {
        const response = await this.#transport.send(this.#request(call, false, guard), signal);
        if (response.status >= 300) throw await this.#httpError(call, response);
        return parseJson(call, await readBody(call, response, signal));
      } catch (error) {
        if (signal.aborted) throw error;
        if (call.method === 'GET' && !reconnected && isBrokenConnection(error)) {
          // A kept-alive connection that the server closed in the same moment; reading twice does no harm.
          reconnected = true;
          continue;
        }
        if (!isForesailError(error) || error.retryAfterMs === undefined) throw error;
        const waitMs = retryAfterDelay(error.retryAfterMs, this.#random);
        if (this.#clock.monotonic() + waitMs >= deadlineAt) throw error;
        this.#options.observer?.throttled?.({ resource: call.resource, waitedMs: waitMs, by: 'server' });
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  #request(call: Call, stream: boolean, guard: (() => void) | undefined): TransportRequest {
    return {
      method: call.method,
      path: call.path,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent ?? 'foresail',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      stream,
      guard,
    };
  }

  async #httpError(call: Call, response: TransportResponse): Promise<ForesailError> {
    let body: unknown;
    try {
      body = JSON.parse(await response.body.text());
    } catch {
      body = undefined; // A proxy's HTML page; the status code says enough, and pages are not echoed.
    }
    const retryAfterMs = parseRetryAfter(response.header('retry-after'), this.#clock.now());
    return errorFromStatus(response.status, body, { what: `${call.verb} ${call.resource}`, retryAfterMs });
  }

  #deadlineError(call: Call): ForesailError {
    return new ForesailError(
      'KUBE_TIMEOUT',
      'transient',
      `${call.verb} ${call.resource}: no answer within ${this.#deadlineMs / 1000} s`,
    );
  }

  #observe(call: Call, code: string, startedAt: number): void {
    const durationMs = this.#clock.monotonic() - startedAt;
    this.#options.observer?.request?.({ verb: call.verb, resource: call.resource, code, durationMs });
  }
}

/** Reviews are POSTs but change nothing, so they pass no write guard: followers authenticate scrapes too. */
function reviewCall(group: string, kind: string, plural: string, spec: object): Call {
  return {
    verb: 'create',
    resource: plural,
    method: 'POST',
    path: `/apis/${group}/v1/${plural}`,
    body: { apiVersion: `${group}/v1`, kind, spec },
  };
}

function withQuery(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

async function readBody(call: Call, response: TransportResponse, signal: AbortSignal): Promise<string> {
  try {
    if (call.maxBytes === undefined) return await response.body.text();
    return await boundedText(call, response, call.maxBytes);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw errorFromNetwork(error, `${call.verb} ${call.resource}`);
  }
}

async function boundedText(call: Call, response: TransportResponse, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early closes the connection: the rest is not read either.
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new ForesailError(
        'KUBE_TOO_LARGE',
        'transient',
        `${call.verb} ${call.path.split('?')[0]}: the answer has more than ${maxBytes / 1024 ** 2} MiB`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(call: Call, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message quotes the body, which may be a secret or a login page.
    throw new ForesailError(
      'KUBE_BAD_ANSWER',
      'transient',
      `${call.verb} ${call.resource}: the answer is not JSON`,
      {
        cause: new Error(cause instanceof Error ? cause.name : 'not JSON'),
      },
    );
  }
}

function codeOf(error: unknown): string {
  return isForesailError(error) ? error.code : 'aborted';
}
