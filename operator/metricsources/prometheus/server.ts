/**
 * One Prometheus server: asks it a question and gives back text, inside the limits of its entry in the admin's list.
 * Everything that keeps one bad server (or one bad tenant of a good one) from harming the rest is put together here.
 */
import { Agent, request } from 'undici';
import type { Clock } from '../../clock.ts';
import { withDeadline } from '../deadline.ts';
import { ReadError } from '../read-error.ts';
import type { AddressClass, Endpoint } from './address.ts';
import { errorInAnswer } from './answer.ts';
import { discard, readBounded } from './bounded-body.ts';
import { Breaker, type BreakerOptions, defaultBreakerOptions } from './breaker.ts';
import type { PrometheusServer } from './config.ts';
import { guardedConnector, type ResolveHost, resolveHost, type TlsOptions } from './connector.ts';
import { SecretFiles } from './credentials.ts';
import { FairQueue } from './fair-queue.ts';
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
  readonly #lanes: Readonly<Record<Lane, FairQueue>>;
  readonly #breaker: Breaker;
  readonly #base: URL;
  #connections: Connections | undefined;
  #closed = false;

  constructor(entry: PrometheusServer, deps: ServerDependencies) {
    this.entry = entry;
    this.#deps = deps;
    this.#base = new URL(entry.url);
    const share = Math.max(1, Math.ceil(entry.maxConcurrent / 2));
    this.#lanes = {
      live: new FairQueue({
        concurrent: entry.maxConcurrent,
        concurrentPerNamespace: Math.min(entry.maxConcurrentPerNamespace ?? share, entry.maxConcurrent),
        queued: entry.maxQueued,
        queuedPerNamespace: entry.maxQueuedPerNamespace,
      }),
      backfill: new FairQueue({
        concurrent: entry.backfill.maxConcurrent,
        concurrentPerNamespace: entry.backfill.maxConcurrent,
        queued: 100_000,
        queuedPerNamespace: 100_000,
      }),
    };
    this.#breaker = new Breaker(deps.breaker ?? defaultBreakerOptions, deps.clock, deps.random);
  }

  /** The body of a 200 answer. Rejects with a ReadError, or with the signal's reason when it aborts. */
  async ask(question: Question, signal: AbortSignal): Promise<string> {
    const { namespace, lane } = question;
    const timeoutMs = lane === 'live' ? this.entry.timeout : this.entry.backfill.timeout;
    // A server that is away is away for everybody; a query that takes too long is its tenant's own matter.
    const tenantKey = `${lane}/${namespace}`;
    this.#breaker.check('');
    try {
      this.#breaker.check(tenantKey);
    } catch (error) {
      this.#breaker.abandoned('');
      throw error;
    }
    let asked = false;
    try {
      const send = (inner: AbortSignal) => {
        asked = true;
        return this.#send(question, timeoutMs, inner);
      };
      const inTime = <T>(work: (inner: AbortSignal) => Promise<T>, outer: AbortSignal) =>
        withDeadline(timeoutMs, 'the server', this.#deps.clock, outer, work);
      // A live read must end in time wherever it stands; a back-fill may wait in line for as long as it takes.
      const queue = this.#lanes[lane];
      const text =
        lane === 'live'
          ? await inTime((inner) => queue.run(namespace, inner, () => send(inner)), signal)
          : await queue.run(namespace, signal, () => inTime(send, signal));
      this.#breaker.succeeded('');
      this.#breaker.succeeded(tenantKey);
      return text;
    } catch (error) {
      if (signal.aborted || !(error instanceof ReadError)) {
        this.#breaker.abandoned('');
        this.#breaker.abandoned(tenantKey);
        throw error;
      }
      this.#learn(error, asked, tenantKey);
      if (error.reason === 'Timeout' && !asked)
        throw new ReadError('Overloaded', `the query waited ${timeoutMs / 1000} s in line for this server`);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connections?.agent.destroy();
  }

  #learn(error: ReadError, asked: boolean, tenantKey: string): void {
    const settle = (key: string, failed: boolean, answered: boolean) => {
      if (failed) this.#breaker.failed(key, error);
      else if (answered) this.#breaker.succeeded(key);
      else this.#breaker.abandoned(key);
    };
    const away = error.reason === 'Unreachable';
    const slow = error.reason === 'Timeout' && asked;
    const answered = asked && !away && !slow;
    settle('', away, answered);
    settle(tenantKey, slow, answered);
  }

  async #send(question: Question, timeoutMs: number, signal: AbortSignal): Promise<string> {
    if (this.#closed) throw new ReadError('NotConfigured', 'the metric sources are closed');
    const headers = await this.#headers(question.namespace);
    const agent = await this.#agent();
    const maxBytes = question.lane === 'live' ? this.entry.maxBodyBytes : this.entry.backfill.maxBodyBytes;
    signal.throwIfAborted();
    let response: Awaited<ReturnType<typeof request>>;
    try {
      response = await request(this.#url(question.path), {
        dispatcher: agent,
        method: 'POST',
        headers,
        body: new URLSearchParams({ ...question.params, timeout: `${timeoutMs}ms` }).toString(),
        signal,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw transportError(error);
    }
    const encoding = response.headers['content-encoding'];
    const packed = Array.isArray(encoding) ? encoding.join(',') : encoding;
    if (response.statusCode === 200) return await readBounded(response.body, packed, maxBytes, signal);
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
      connect: guardedConnector(guard, port, tls, connectTimeoutMs, this.#deps.resolveHost ?? resolveHost),
    });
    const old = this.#connections?.agent;
    this.#connections = { stamp, agent };
    // Lets running requests end on the old connections.
    old?.close().catch(() => {});
    return agent;
  }
}
