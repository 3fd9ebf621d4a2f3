/**
 * The way to the API server: few long-lived connections and fresh credentials. client-node opens a TCP and TLS
 * connection for every call; here one undici Agent is kept as long as CA, certificate and key stay the same.
 *
 * Calls and watches use separate agents. Both speak HTTP/1.1: an aborted call then closes its socket, so a half-open
 * connection dies with the first deadline that it misses, while a multiplexed HTTP/2 session would swallow every
 * later call as well until a ping fails. A handful of keep-alive connections carries thousands of calls a second.
 */
import { createHash } from 'node:crypto';
import { Agent, type Dispatcher, ProxyAgent, request as undiciRequest } from 'undici';
import type { Clock } from '../clock.ts';
import type { Connection, Credentials, TlsMaterial } from './connection.ts';
import { errorFromNetwork } from './errors.ts';

const CREDENTIALS_MAX_AGE_MS = 30_000;
const MAX_CALL_BODY_BYTES = 256 * 1024 * 1024;
/** Shorter than the 90 s after which the API server closes an idle connection, so that we close first. */
const KEEP_ALIVE_MS = 55_000;

export interface TransportRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A watch may stay open for ever and gets a connection of its own. */
  readonly stream?: boolean;
  /**
   * Runs in the moment before the first byte is written to the socket, after every wait in queues; a throw means that
   * nothing was sent.
   */
  readonly guard?: (() => void) | undefined;
}

export interface TransportResponse {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array> & { text(): Promise<string> };
}

export interface TransportOptions {
  readonly clock: Clock;
  /** Connections for calls; watches come on top, one each. Default 8. */
  readonly maxConnections?: number;
}

interface Session {
  readonly key: string;
  readonly calls: Dispatcher;
  readonly streams: Dispatcher;
  /** Resolves when calls and watches in flight have ended by themselves. */
  retire(): Promise<void>;
  destroy(): Promise<void>;
}

export class Transport {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #maxConnections: number;
  #session: Session | undefined;
  #credentials: { readonly value: Promise<Credentials>; readonly at: number } | undefined;
  #closed = false;

  constructor(connection: Connection, options: TransportOptions) {
    this.#connection = connection;
    this.#clock = options.clock;
    this.#maxConnections = options.maxConnections ?? 8;
  }

  get server(): string {
    return this.#connection.server;
  }

  /** Rejects with the signal's own reason when it aborts, else with a KUBE_ error. HTTP errors are answers. */
  async send(request: TransportRequest, signal: AbortSignal): Promise<TransportResponse> {
    const what = `${request.method} ${this.server}${request.path.split('?')[0]}`;
    let answer = await this.#attempt(request, what, signal);
    if (answer.status === 401) {
      // The token may have been rotated a moment ago: read it again, once.
      this.#credentials = undefined;
      await answer.body.text();
      answer = await this.#attempt(request, what, signal);
    }
    return answer;
  }

  /** Ends every connection; calls and watches in flight fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#session?.destroy();
    this.#session = undefined;
  }

  async #attempt(request: TransportRequest, what: string, signal: AbortSignal): Promise<TransportResponse> {
    try {
      signal.throwIfAborted();
      const credentials = await this.#freshCredentials();
      const session = this.#sessionFor(credentials.tls);
      const options: Dispatcher.RequestOptions & { guard?: () => void } = {
        origin: new URL(this.server).origin,
        path: new URL(this.server).pathname.replace(/\/$/, '') + request.path,
        method: request.method,
        headers: { ...request.headers, ...credentials.headers },
        body: request.body ?? null,
        signal,
        ...(request.guard === undefined ? {} : { guard: request.guard }),
      };
      const dispatcher = request.stream === true ? session.streams : session.calls;
      const response = await undiciRequest(this.server, { ...options, dispatcher });
      return {
        status: response.statusCode,
        header(name) {
          const value = response.headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body: response.body,
      };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw errorFromNetwork(error, what);
    }
  }

  #freshCredentials(): Promise<Credentials> {
    const now = this.#clock.monotonic();
    if (this.#credentials === undefined || now - this.#credentials.at >= CREDENTIALS_MAX_AGE_MS) {
      const value = this.#connection.credentials();
      // A failed read must not be remembered for half a minute.
      value.catch(() => {
        if (this.#credentials?.value === value) this.#credentials = undefined;
      });
      this.#credentials = { value, at: now };
    }
    return this.#credentials.value;
  }

  #sessionFor(tls: TlsMaterial): Session {
    const key = tlsKey(tls);
    if (this.#session?.key === key && !this.#closed) return this.#session;
    const old = this.#session;
    this.#session = this.#open(key, tls);
    // Calls in flight finish on the old connections; watches end by themselves within a minute.
    void old?.retire().catch(() => undefined);
    return this.#session;
  }

  #open(key: string, tls: TlsMaterial): Session {
    const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 15_000, timeout: 10_000 };
    const common = {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const agent = (extra: Agent.Options): Agent | ProxyAgent => {
      const options = { ...common, connect, ...extra };
      const proxy = this.#connection.proxyUrl;
      return proxy === undefined
        ? new Agent(options)
        : new ProxyAgent({ ...options, uri: proxy, requestTls: connect });
    };
    const calls = agent({ connections: this.#maxConnections, maxResponseSize: MAX_CALL_BODY_BYTES });
    const streams = agent({});
    return {
      key,
      calls: calls.compose(guarded),
      streams,
      async retire() {
        await Promise.all([calls.close(), streams.close()]);
      },
      async destroy() {
        await Promise.all([calls.destroy(), streams.destroy()]);
      },
    };
  }
}

/** Lets a request be stopped in the moment before it is written: undici queues requests when connections are busy. */
const guarded: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { guard } = options as { guard?: () => void };
  if (guard === undefined) return dispatch(options, handler);
  return dispatch(options, {
    onRequestStart(controller, context) {
      guard();
      handler.onRequestStart?.(controller, context);
    },
    onResponseStart: (...args) => handler.onResponseStart?.(...args),
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (...args) => handler.onResponseError?.(...args),
  });
};

function tlsKey(tls: TlsMaterial): string {
  const hash = createHash('sha256');
  for (const part of [
    tls.ca,
    tls.cert,
    tls.key,
    tls.passphrase,
    tls.servername,
    String(tls.rejectUnauthorized),
  ])
    hash.update(part ?? '-').update('\0');
  return hash.digest('hex');
}
