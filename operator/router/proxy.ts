/**
 * One HTTP/1.1 request through the router: read whole, sent to a pod of the chosen version, the answer streamed back.
 * Requests are tensors of bounded size, and what all of them hold is bounded too; one can then be sent again when a pod
 * turns out to be gone, and copied to a shadow.
 */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, type Dispatcher } from 'undici';
import { isForesailError } from '../errors.ts';
import { ByteBudget, readBody } from './body.ts';
import { type Caller, chooseVersion } from './choose.ts';
import {
  Forwarder,
  type ForwardLimits,
  type ProxyObserver,
  type RouterOutcome,
  type Wire,
} from './forward.ts';
import type { Route, RouteTable } from './routes.ts';

export interface ProxyLimits extends ForwardLimits {
  readonly maxBodyBytes: number;
  /** Of all requests under way; more are refused. */
  readonly maxHeldBytes: number;
  readonly connectMs: number;
  /** A caller that takes nothing of its answer for so long is cut off. */
  readonly readMs: number;
  /** Of the copies, so that a slow shadow takes no room from those who wait for an answer. */
  readonly maxMirrorBytes: number;
}

export const PROXY_LIMITS: ProxyLimits = {
  maxBodyBytes: 64 * 1024 * 1024,
  maxHeldBytes: 256 * 1024 * 1024,
  answerMs: 60_000,
  connectMs: 1_000,
  readMs: 30_000,
  maxPerPod: 512,
  maxMirrors: 256,
  maxMirrorBytes: 64 * 1024 * 1024,
  avoidMs: 2_000,
};

/** Of one connection, not of the message (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The answer did not begin, and sending again changes nothing: an inference is a pure function of its request. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const PURE_PATHS = /^\/(v2\/models\/.*\/infer|v1\/timeseries\/forecast)$/;
/** Codes of undici and of sockets that say: nothing of the request was taken. */
const NOT_SENT = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);
const TOOK_TOO_LONG = 'UND_ERR_HEADERS_TIMEOUT';
const NO_ROUTE =
  'no ModelDeployment that has traffic is meant: ask the host <name>.<namespace>, or the path /namespaces/<namespace>/modeldeployments/<name>/…';

/** A request as every pod gets it. */
type Message = Pick<Dispatcher.RequestOptions, 'path' | 'method' | 'headers'> & {
  readonly body: Buffer | null;
};

interface Target {
  readonly host: string;
  readonly path: string;
}

/** Of all requests under way, whatever their wire. */
export interface Budgets {
  readonly held: ByteBudget;
  readonly mirrored: ByteBudget;
}

export function budgetsOf({ maxHeldBytes, maxMirrorBytes }: ProxyLimits): Budgets {
  return { held: new ByteBudget(maxHeldBytes), mirrored: new ByteBudget(maxMirrorBytes) };
}

export class Proxy {
  readonly #table: RouteTable;
  readonly #limits: ProxyLimits;
  readonly #observer: ProxyObserver;
  readonly #random: () => number;
  readonly #agent: Agent;
  readonly #held: ByteBudget;
  readonly #forwarder: Forwarder<Message, Dispatcher.ResponseData>;

  constructor(
    table: RouteTable,
    observer: ProxyObserver,
    limits: ProxyLimits = PROXY_LIMITS,
    random: () => number = Math.random,
    { held, mirrored }: Budgets = budgetsOf(limits),
  ) {
    this.#table = table;
    this.#observer = observer;
    this.#limits = limits;
    this.#random = random;
    this.#held = held;
    this.#agent = new Agent({
      connect: { timeout: limits.connectMs },
      headersTimeout: limits.answerMs,
      bodyTimeout: limits.answerMs,
      keepAliveTimeout: 30_000,
    });
    this.#forwarder = new Forwarder(wireOf(this.#agent), observer, limits, mirrored, random);
  }

  /** Answers in every case; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const target = targetOf(request);
    const found = target && this.#table.find(target.host, target.path);
    const { route } = found ?? {};
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    let version: number | undefined;
    let held = 0;
    const ended = (outcome: RouterOutcome): void =>
      this.#observer.request({
        ...(route === undefined ? {} : { route }),
        ...(version === undefined ? {} : { version }),
        outcome: gone.signal.aborted ? 'canceled' : outcome,
        seconds: (performance.now() - startedAt) / 1000,
      });
    if (target === undefined) {
      refuse(response, 400, 'the request target is neither a path nor a URL');
      return ended('refused');
    }
    if (found === undefined || route === undefined) {
      refuse(response, 404, NO_ROUTE);
      return ended('noRoute');
    }
    try {
      const begin = (): void => {
        if (request.httpVersion === '1.1' && request.headers.expect !== undefined) response.writeContinue();
      };
      const declared = Number(request.headers['content-length'] ?? 0);
      const body = await readBody(request, declared, this.#limits.maxBodyBytes, this.#held, begin);
      held = body.length;
      const message = messageOf(request, { host: target.host, path: found.path }, body);
      const chosen = chooseVersion(route, callerOf(route, request.headers), this.#random);
      if (chosen === undefined) {
        refuse(response, 503, 'no version of this model has a ready pod', 1);
        return ended('noEndpoint');
      }
      ({ version } = chosen);
      const forwarded = await this.#forwarder.forward(route, chosen, message, ended, gone.signal);
      const { answer } = forwarded;
      ({ version } = forwarded);
      if (typeof answer === 'string') {
        if (answer === 'busy') refuse(response, 503, 'every pod of the chosen version is busy', 1);
        else refuse(response, 502, 'no pod of the chosen version answered', 1);
        return ended(answer);
      }
      response.writeHead(answer.statusCode, {
        ...passed(answer.headers),
        'foresail-model-version': String(version),
      });
      const { readMs } = this.#limits;
      for await (const chunk of answer.body)
        if (!response.write(chunk)) await happened(response, 'drain', readMs, gone);
      response.end();
      if (!response.writableFinished) await happened(response, 'finish', readMs, gone);
      ended('answered');
    } catch (error) {
      if (isForesailError(error, 'BODY_TOO_LARGE') || isForesailError(error, 'BODIES_TOO_LARGE')) {
        if (error.code === 'BODY_TOO_LARGE') refuse(response, 413, error.message);
        else refuse(response, 503, error.message, 1);
        // Read and thrown away, within the server's time for a request: a caller that is still sending would not see
        // the refusal if its connection were cut.
        request.resume();
        return ended('refused');
      }
      // The status is out already, or nobody listens: cutting the connection is all that can be said.
      if (response.headersSent || gone.signal.aborted) response.destroy();
      else if (codeOf(error) === TOOK_TOO_LONG) refuse(response, 504, 'the pod did not answer in time');
      else refuse(response, 502, 'the pod ended the connection before it answered', 1);
      ended('unreachable');
    } finally {
      this.#held.give(held);
    }
  }

  /** Once all are answered: what is under way then are copies, for which nobody waits. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** HTTP/1.1 to the pods. */
function wireOf(agent: Agent): Wire<Message, Dispatcher.ResponseData> {
  return {
    origins: ({ endpoints }) => endpoints,
    async ask(origin, message, ended, signal) {
      const answer = await agent.request({ ...message, origin, signal });
      answer.body.once('close', ended);
      return answer;
    },
    async discard(answer) {
      await answer.body.dump({ limit: Number.MAX_SAFE_INTEGER });
    },
    failureOf(error) {
      const code = codeOf(error);
      if (NOT_SENT.has(code)) return 'notSent';
      return code === TOOK_TOO_LONG ? 'tooLong' : 'broken';
    },
    isPure: ({ method, path }) => SAFE_METHODS.has(method) || PURE_PATHS.test(path.replace(/\?.*$/s, '')),
    bytesOf: ({ body }) => body?.length ?? 0,
  };
}

export function callerOf({ nameHeader, stickyHeader }: Route, headers: IncomingHttpHeaders): Caller {
  const said = (header: string | undefined): string | undefined => {
    const value = header === undefined ? undefined : headers[header.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const [name, key] = [said(nameHeader), said(stickyHeader)];
  return { ...(name === undefined ? {} : { name }), ...(key === undefined ? {} : { key }) };
}

/** A URL names the host itself (RFC 9112, section 3.2.2); undefined for `*`. */
function targetOf({ url = '', headers: { host = '' } }: IncomingMessage): Target | undefined {
  if (url.startsWith('/')) return { host, path: url };
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) return undefined;
  return { host: authority, path: rest.startsWith('/') ? rest : `/${rest}` };
}

function messageOf(request: IncomingMessage, { host, path }: Target, body: Buffer): Message {
  const { 'content-length': _, ...headers } = passed(request.headers);
  return {
    path,
    method: request.method ?? 'GET',
    headers: { ...headers, host },
    body: body.length === 0 ? null : body,
  };
}

/** What belongs to the message and not to the connection. */
function passed(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/));
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !HOP_BY_HOP.has(entry[0]) && !named.has(entry[0]),
    ),
  );
}

function refuse(response: ServerResponse, status: number, text: string, retryAfterSeconds?: number): void {
  const body = JSON.stringify({ error: text });
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(body));
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
  // A caller that waits for the word to go on may send its body or not: what comes next could not be told apart.
  if (response.req.headers.expect !== undefined) response.setHeader('connection', 'close');
  response.writeHead(status);
  response.end(body);
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** A caller that keeps it from happening for so long counts as gone; rejects then. */
async function happened(
  response: ServerResponse,
  event: 'drain' | 'finish',
  ms: number,
  gone: AbortController,
): Promise<void> {
  const late = setTimeout(() => gone.abort(), ms);
  try {
    await once(response, event, { signal: gone.signal });
  } finally {
    clearTimeout(late);
  }
}
