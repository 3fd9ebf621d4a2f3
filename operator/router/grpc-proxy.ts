/**
 * One gRPC call through the router: HTTP/2 without TLS, the authority says which model. Calls of the Open Inference
 * Protocol are unary, so a call is read whole, and can be sent again and copied, as an HTTP request can.
 */
import { once } from 'node:events';
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { isForesailError } from '../errors.ts';
import { readBody } from './body.ts';
import { chooseVersion } from './choose.ts';
import { Forwarder, type ProxyObserver, type RouterOutcome, type Wire } from './forward.ts';
import { type GrpcAnswer, type GrpcMessage, GrpcPods, NOT_SENT, TOO_LONG } from './grpc-pods.ts';
import { type Budgets, budgetsOf, callerOf, PROXY_LIMITS, type ProxyLimits } from './proxy.ts';
import type { RouteTable } from './routes.ts';

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const STATUS = { deadlineExceeded: 4, notFound: 5, resourceExhausted: 8, unavailable: 14 } as const;

/** Calls that change nothing (`inference.GRPCInferenceService`, the same under KServe's and Triton's name). */
const PURE = /^\/inference\.GRPCInferenceService\/(Server|Model)[A-Za-z]+$/;
/** The connection went before the call was on it. */
const NOT_TAKEN = new Set([NOT_SENT, 'ERR_HTTP2_INVALID_SESSION', 'ERR_HTTP2_GOAWAY_SESSION']);
const OWN_HEADERS = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** A caller that does not end its call for so long is cut off. */
const READ_CALL_MS = 60_000;

export class GrpcProxy {
  readonly #table: RouteTable;
  readonly #limits: ProxyLimits;
  readonly #observer: ProxyObserver;
  readonly #random: () => number;
  readonly #budgets: Budgets;
  readonly #pods: GrpcPods;
  readonly #forwarder: Forwarder<GrpcMessage, GrpcAnswer>;

  constructor(
    table: RouteTable,
    observer: ProxyObserver,
    limits: ProxyLimits = PROXY_LIMITS,
    random: () => number = Math.random,
    budgets: Budgets = budgetsOf(limits),
  ) {
    this.#table = table;
    this.#observer = observer;
    this.#limits = limits;
    this.#random = random;
    this.#budgets = budgets;
    this.#pods = new GrpcPods(limits);
    this.#forwarder = new Forwarder(wireOf(this.#pods), observer, limits, budgets.mirrored, random);
  }

  /** Answers in every case; never rejects. */
  async handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const startedAt = performance.now();
    const { ':authority': authority = '', ':path': path = '' } = headers;
    const found = this.#table.find(authority, path);
    const gone = new AbortController();
    stream.on('error', () => undefined);
    // Once it is given up, Node ends it by itself: that it ended says nothing.
    stream.once('aborted', () => gone.abort());
    let version: number | undefined;
    let held = 0;
    const ended = (outcome: RouterOutcome): void =>
      this.#observer.request({
        ...(found === undefined ? {} : { route: found.route }),
        ...(version === undefined ? {} : { version }),
        outcome: gone.signal.aborted ? 'canceled' : outcome,
        seconds: (performance.now() - startedAt) / 1000,
      });
    if (found === undefined) {
      refuse(
        stream,
        STATUS.notFound,
        'no ModelDeployment that has traffic has this authority; it is <name>.<namespace>',
      );
      return ended('noRoute');
    }
    const { route } = found;
    try {
      const late = setTimeout(() => stream.destroy(), READ_CALL_MS);
      const { maxBodyBytes } = this.#limits;
      const body = await readBody(stream, 0, maxBodyBytes, this.#budgets.held, () => undefined).finally(() =>
        clearTimeout(late),
      );
      held = body.length;
      const chosen = chooseVersion(route, callerOf(route, headers), this.#random);
      if (chosen === undefined) {
        refuse(stream, STATUS.unavailable, 'no version of this model has a ready pod');
        return ended('noEndpoint');
      }
      ({ version } = chosen);
      const message = { headers: { ...passed(headers), ':authority': authority }, path: found.path, body };
      const forwarded = await this.#forwarder.forward(route, chosen, message, ended, gone.signal);
      const { answer } = forwarded;
      ({ version } = forwarded);
      if (typeof answer === 'string') {
        const text =
          answer === 'busy'
            ? 'every pod of the chosen version is busy'
            : 'no pod of the chosen version answered';
        refuse(stream, STATUS.unavailable, text);
        return ended(answer);
      }
      await this.#pass(stream, answer, version, gone);
      ended('answered');
    } catch (error) {
      if (isForesailError(error, 'BODY_TOO_LARGE') || isForesailError(error, 'BODIES_TOO_LARGE')) {
        refuse(stream, STATUS.resourceExhausted, error.message);
        return ended('refused');
      }
      // What is out already cannot be taken back.
      if (stream.headersSent || gone.signal.aborted) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (codeOf(error) === TOO_LONG)
        refuse(stream, STATUS.deadlineExceeded, 'the pod did not answer in time');
      else refuse(stream, STATUS.unavailable, 'the pod ended the call before it answered');
      ended('unreachable');
    } finally {
      this.#budgets.held.give(held);
    }
  }

  close(): void {
    this.#pods.close();
  }

  async #pass(
    stream: ServerHttp2Stream,
    { headers, stream: from, trailers, isWhole }: GrpcAnswer,
    version: number,
    gone: AbortController,
  ): Promise<void> {
    const told = {
      ...passed(headers),
      ':status': headers[':status'] ?? 200,
      'foresail-model-version': String(version),
    };
    if (isWhole) {
      stream.respond(told, { endStream: true });
      from.resume();
      return;
    }
    stream.respond(told, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(passed(trailers())));
    for await (const chunk of from) if (!stream.write(chunk)) await this.#happened(stream, 'drain', gone);
    stream.end();
    await this.#happened(stream, 'finish', gone);
  }

  /** A caller that keeps it from happening for too long counts as gone; rejects then. */
  async #happened(
    stream: ServerHttp2Stream,
    event: 'drain' | 'finish',
    gone: AbortController,
  ): Promise<void> {
    if (event === 'finish' && stream.writableFinished) return;
    const late = setTimeout(() => gone.abort(), this.#limits.readMs);
    try {
      await once(stream, event, { signal: gone.signal });
    } finally {
      clearTimeout(late);
    }
  }
}

function wireOf(pods: GrpcPods): Wire<GrpcMessage, GrpcAnswer> {
  return {
    origins: ({ grpcEndpoints = [] }) => grpcEndpoints,
    ask: (origin, message, ended, signal) => pods.ask(origin, message, ended, signal),
    async discard({ stream }) {
      stream.resume();
      if (!stream.closed) await once(stream, 'close');
    },
    failureOf(error) {
      const code = codeOf(error);
      if (NOT_TAKEN.has(code)) return 'notSent';
      return code === TOO_LONG ? 'tooLong' : 'broken';
    },
    isPure: ({ path }) => PURE.test(path),
    bytesOf: ({ body }) => body.length,
  };
}

/** Without what belongs to one connection; `te: trailers` belongs to gRPC. */
function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.startsWith(':') && !OWN_HEADERS.has(name)),
  );
}

/** The status alone, as gRPC has it for a call that never began. */
function refuse(stream: ServerHttp2Stream, status: number, text: string): void {
  if (stream.closed || stream.destroyed) return;
  const headers = { ':status': 200, 'content-type': 'application/grpc' };
  stream.respond(
    { ...headers, 'grpc-status': String(status), 'grpc-message': encodeURIComponent(text) },
    { endStream: true },
  );
  stream.resume();
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
