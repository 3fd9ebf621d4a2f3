/**
 * HTTP/2 connections to pods, one each, over which all calls go. A connection that does not answer pings is cut: without
 * that, calls to a node that is gone would wait for their time-out one after the other.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';

export interface GrpcMessage {
  readonly headers: OutgoingHttpHeaders;
  readonly path: string;
  readonly body: Buffer;
}

export interface GrpcAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly stream: ClientHttp2Stream;
  /** Of the answer; empty when its headers say all. Complete when the stream has ended. */
  readonly trailers: () => IncomingHttpHeaders;
  /** Its headers are all of it. */
  readonly isWhole: boolean;
}

/** Codes of an error: nothing was sent, or the time was over. */
export const NOT_SENT = 'GRPC_NOT_SENT';
export const TOO_LONG = 'GRPC_TOO_LONG';

const PING_EVERY_MS = 10_000;
const PING_ANSWER_MS = 5_000;

export class GrpcPods {
  readonly #connectMs: number;
  readonly #answerMs: number;
  readonly #sessions = new Map<string, ClientHttp2Session>();

  constructor({ connectMs, answerMs }: { readonly connectMs: number; readonly answerMs: number }) {
    this.#connectMs = connectMs;
    this.#answerMs = answerMs;
  }

  /** @throws an error with the code GRPC_NOT_SENT, GRPC_TOO_LONG or that of the stream */
  async ask(
    origin: string,
    { headers, path, body }: GrpcMessage,
    ended: () => void,
    signal: AbortSignal,
  ): Promise<GrpcAnswer> {
    const session = await this.#session(origin);
    signal.throwIfAborted();
    const stream = session.request({ ...headers, ':method': 'POST', ':path': path });
    stream.once('close', ended);
    const stop = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', stop, { once: true });
    stream.once('close', () => signal.removeEventListener('abort', stop));
    stream.end(body);
    return new Promise<GrpcAnswer>((resolve, reject) => {
      let trailers: IncomingHttpHeaders = {};
      const late = setTimeout(() => {
        reject(failure(TOO_LONG));
        stop();
      }, this.#answerMs);
      stream.on('trailers', (told) => {
        trailers = told;
      });
      stream.once('response', (answer, flags) => {
        clearTimeout(late);
        const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
        resolve({ headers: answer, stream, trailers: () => trailers, isWhole });
      });
      stream.on('error', reject);
      stream.once('close', () => {
        clearTimeout(late);
        // REFUSED_STREAM: the pod says that it has not looked at it (RFC 9113, section 8.7).
        const refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
        reject(failure(refused ? NOT_SENT : 'GRPC_CLOSED'));
      });
    });
  }

  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
  }

  async #session(origin: string): Promise<ClientHttp2Session> {
    const known = this.#sessions.get(origin);
    const session = known === undefined || known.closed || known.destroyed ? this.#connect(origin) : known;
    if (!session.connecting) return session;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => session.destroy(), this.#connectMs);
      session.once('connect', () => {
        clearTimeout(late);
        resolve();
      });
      session.once('close', () => {
        clearTimeout(late);
        reject(failure(NOT_SENT));
      });
    });
    return session;
  }

  #connect(origin: string): ClientHttp2Session {
    const session = connect(origin);
    this.#sessions.set(origin, session);
    // Each call hears of it by its own stream.
    session.on('error', () => undefined);
    const ping = setInterval(() => {
      const late = setTimeout(() => session.destroy(), PING_ANSWER_MS);
      const open = !session.closed && !session.destroyed;
      const sent = open && session.ping(() => clearTimeout(late));
      if (!sent) clearTimeout(late);
    }, PING_EVERY_MS);
    ping.unref();
    session.once('goaway', () => session.close());
    session.once('close', () => {
      clearInterval(ping);
      if (this.#sessions.get(origin) === session) this.#sessions.delete(origin);
    });
    // Nothing under way for so long: the pod may be gone for good.
    session.setTimeout(60_000, () => session.close());
    return session;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
