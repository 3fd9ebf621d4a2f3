/** One Prometheus server: asks it a question and gives back text, inside the limits of its entry in the admin's list. */
import { Agent, request } from 'undici';
import type { Clock } from '../../clock.ts';
import type { AddressClass, Endpoint } from '../../net/address.ts';
import {
  guardedConnector,
  type ResolveHost,
  resolveHost,
  type TlsOptions,
} from '../../net/guarded-connector.ts';
import { type BreakerOptions, defaultBreakerOptions } from '../breaker.ts';
import { Gate, type Reached } from '../gate.ts';
import { ReadError } from '../read-error.ts';
import { errorInAnswer } from './answer.ts';
import { discard, readBounded } from './bounded-body.ts';
import type { PrometheusServer } from './config.ts';
import { SecretFiles } from './credentials.ts';
import { statusError, transportError } from './http-error.ts';

export interface ServerDependencies {
  readonly clock: Clock;
  readonly random: () => number;
  readonly apiServers: () => readonly Endpoint[];
  readonly resolveHost?: ResolveHost;
  readonly breaker?: BreakerOptions;
  readonly userAgent?: string;
}

/** Live reads and back-fills wait in lines of their own: weeks of history must not delay a decision. */
export type Lane = 'live' | 'backfill';

export interface Question {
  readonly path: '/api/v1/query' | '/api/v1/query_range';
  readonly params: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly lane: Lane;
}

/** Enough for any error object; the text of other failures is not looked at. */
const maxErrorBytes = 65_536;

interface Connections {
  readonly stamp: string;
  readonly agent: Agent;
}

export class ServerClient {
  readonly entry: PrometheusServer;
  readonly #deps: ServerDependencies;
  readonly #files = new SecretFiles();
  readonly #lanes: Readonly<Record<Lane, Gate>>;
  readonly #base: URL;
  #connections: Connections | undefined;
  #closed = false;

  constructor(entry: PrometheusServer, deps: ServerDependencies) {
    this.entry = entry;
    this.#deps = deps;
    this.#base = new URL(entry.url);
    const share = Math.max(1, Math.ceil(entry.maxConcurrent / 2));
    const { clock, random, breaker = defaultBreakerOptions } = deps;
    const common = { name: 'the server', clock, random, breaker };
    this.#lanes = {
      live: new Gate({
        ...common,
        timeoutMs: entry.timeout,
        waitingCounts: true,
        limits: {
          concurrent: entry.maxConcurrent,
          concurrentPerNamespace: Math.min(entry.maxConcurrentPerNamespace ?? share, entry.maxConcurrent),
          queued: entry.maxQueued,
          queuedPerNamespace: entry.maxQueuedPerNamespace,
        },
      }),
      backfill: new Gate({
        ...common,
        timeoutMs: entry.backfill.timeout,
        waitingCounts: false,
        limits: {
          concurrent: entry.backfill.maxConcurrent,
          concurrentPerNamespace: entry.backfill.maxConcurrent,
          queued: 100_000,
          queuedPerNamespace: 100_000,
        },
      }),
    };
  }

  /** The body of a 200 answer. Rejects with a ReadError, or with the signal's reason when it aborts. */
  ask(question: Question, signal: AbortSignal): Promise<string> {
    return this.#lanes[question.lane].run(question.namespace, signal, (inner, reached) =>
      this.#send(question, inner, reached),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connections?.agent.destroy();
  }

  async #send(question: Question, signal: AbortSignal, reached: Reached): Promise<string> {
    if (this.#closed) throw new ReadError('NotConfigured', 'the metric sources are closed');
    const headers = await this.#headers(question.namespace);
    const agent = await this.#agent();
    const limits = question.lane === 'live' ? this.entry : this.entry.backfill;
    signal.throwIfAborted();
    let response: Awaited<ReturnType<typeof request>>;
    try {
      response = await request(this.#url(question.path), {
        dispatcher: agent,
        method: 'POST',
        headers,
        body: new URLSearchParams({ ...question.params, timeout: `${limits.timeout}ms` }).toString(),
        signal,
        headersTimeout: limits.timeout,
        bodyTimeout: limits.timeout,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw transportError(error);
    }
    reached();
    const encoding = response.headers['content-encoding'];
    const packed = Array.isArray(encoding) ? encoding.join(',') : encoding;
    if (response.statusCode === 200)
      return await readBounded(response.body, packed, limits.maxBodyBytes, signal);
    const error = statusError(response.statusCode);
    const readable = ![401, 403, 407].includes(response.statusCode) && response.statusCode >= 400;
    if (!readable) {
      discard(response.body);
      throw error;
    }
    const text = await readBounded(response.body, packed, maxErrorBytes, signal).catch(() => '');
    signal.throwIfAborted();
    throw errorInAnswer(text) ?? error;
  }

  #url(path: string): string {
    return `${this.#base.origin}${this.#base.pathname.replace(/\/+$/, '')}${path}`;
  }

  async #headers(namespace: string): Promise<Record<string, string>> {
    const { entry } = this;
    const headers: Record<string, string> = { ...entry.headers };
    for (const [name, file] of Object.entries(entry.headerFiles))
      headers[name] = await this.#files.readHeader(file, `the file of header ${name}`);
    if (entry.bearerTokenFile !== undefined)
      headers.authorization = `Bearer ${await this.#files.readHeader(entry.bearerTokenFile, 'bearerTokenFile')}`;
    if (entry.basicAuth !== undefined) {
      const password = await this.#files.readHeader(entry.basicAuth.passwordFile, 'basicAuth.passwordFile');
      const pair = Buffer.from(`${entry.basicAuth.username}:${password}`).toString('base64');
      headers.authorization = `Basic ${pair}`;
    }
    if (entry.tenantHeader !== undefined) headers[entry.tenantHeader] = namespace;
    headers.accept = 'application/json';
    headers['accept-encoding'] = 'gzip';
    headers['content-type'] = 'application/x-www-form-urlencoded';
    headers['user-agent'] = this.#deps.userAgent ?? 'foresail';
    return headers;
  }

  /** Kept connections; new ones when a certificate file was replaced. */
  async #agent(): Promise<Agent> {
    const { entry } = this;
    const read = async (path: string | undefined, what: string) =>
      path === undefined ? undefined : await this.#files.read(path, what);
    const [ca, cert, key] = await Promise.all([
      read(entry.caFile, 'caFile'),
      read(entry.certFile, 'certFile'),
      read(entry.keyFile, 'keyFile'),
    ]);
    const stamp = JSON.stringify([ca, cert, key]);
    if (this.#connections?.stamp === stamp) return this.#connections.agent;
    const tls: TlsOptions = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(entry.serverName === undefined ? {} : { servername: entry.serverName }),
    };
    const port = Number(this.#base.port) || (this.#base.protocol === 'https:' ? 443 : 80);
    const guard = {
      allowed: new Set<AddressClass>(entry.allowAddresses),
      apiServers: this.#deps.apiServers,
    };
    const connectTimeoutMs = Math.min(entry.timeout, 10_000);
    const agent = new Agent({
      connections: entry.maxConcurrent + entry.backfill.maxConcurrent,
      pipelining: 1,
      connect: guardedConnector(
        guard,
        port,
        tls,
        connectTimeoutMs,
        this.#deps.resolveHost ?? resolveHost,
        (reason, message) => new ReadError(reason, message),
      ),
    });
    const old = this.#connections?.agent;
    this.#connections = { stamp, agent };
    // Lets running requests end on the old connections.
    old?.close().catch(() => {});
    return agent;
  }
}
