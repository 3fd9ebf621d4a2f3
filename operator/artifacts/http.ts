/**
 * The one way out to stores, for our own requests and for those of the SDKs: every connection goes through the address
 * guard, nothing goes unencrypted unless the administrator says so, nothing waits for ever, and no redirect is followed
 * here.
 */
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { ForesailError, messageOf } from '../errors.ts';
import { type AddressGuard, guardedConnector, type ResolveHost } from '../net/guarded-connector.ts';

const CONNECT_MS = 10_000;
/** Between two pieces of an answer. */
export const IDLE_MS = 30_000;

export interface HttpOptions {
  readonly guard: AddressGuard;
  /** Unencrypted requests, for stores inside the cluster that the administrator allows. */
  readonly allowHttp: boolean;
  /** PEM. Trusted beside the authorities that Node knows: a store of one's own may redirect to a public one. */
  readonly ca?: string;
  readonly idleMs?: number;
  readonly resolve?: ResolveHost;
}

export interface Outgoing {
  /** Scheme, host and port. */
  readonly origin: string;
  /** With the query; as it is signed, so it is sent. */
  readonly path: string;
  readonly method?: Dispatcher.HttpMethod;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Dispatcher.DispatchOptions['body'];
}

export type Incoming = Dispatcher.ResponseData;

export interface Http {
  readonly allowHttp: boolean;
  /** @throws ARTIFACT_INSECURE, ARTIFACT_UNREACHABLE, ARTIFACT_TLS, ADDRESS_NOT_ALLOWED */
  send(request: Outgoing, signal: AbortSignal): Promise<Incoming>;
  close(): Promise<void>;
}

export function openHttp({ guard, allowHttp, ca, idleMs = IDLE_MS, resolve }: HttpOptions): Http {
  const tls = ca === undefined ? {} : { ca: [...rootCertificates, ca].join('\n') };
  const agent = new Agent({
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    // The guard tells the API server from its neighbours by the port, which differs from request to request.
    connect: (options, callback) => {
      const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
      guardedConnector(guard, port, tls, CONNECT_MS, resolve)(options, callback);
    },
  });
  return {
    allowHttp,
    async send({ origin, path, method = 'GET', headers, body }, signal) {
      if (!origin.startsWith('https://') && !(allowHttp && origin.startsWith('http://')))
        throw new ForesailError('ARTIFACT_INSECURE', 'terminal', `${origin}: only https is allowed here`);
      try {
        return await agent.request({
          origin,
          path,
          method,
          headers: { 'user-agent': 'foresail', ...headers },
          body: body ?? null,
          signal,
        });
      } catch (cause) {
        throw unreachable(origin, 'cannot be reached', signal, cause);
      }
    },
    close: () => agent.destroy(),
  };
}

/** What the signal or the guard says goes before what the connection made of it. */
export function unreachable(
  origin: string,
  what: string,
  signal: AbortSignal,
  cause: unknown,
): ForesailError {
  signal.throwIfAborted();
  if (cause instanceof ForesailError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (TLS_CODES.test(code))
    return new ForesailError(
      'ARTIFACT_TLS',
      'terminal',
      `${origin}: its certificate is not trusted (${code}); the CA of a store of one's own belongs into ca.crt of the Secret`,
      { cause, subject: 'ca.crt' },
    );
  return new ForesailError('ARTIFACT_UNREACHABLE', 'transient', `${origin} ${what}: ${messageOf(cause)}`, {
    cause,
  });
}

const TLS_CODES = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_)/;

/** @throws by what the status says; nothing for those below 300 */
export function checkStatus(origin: string, { statusCode, headers }: Incoming, hint: string): void {
  if (statusCode < 300) return;
  throw statusError(origin, statusCode, hint, Number(headers['retry-after']) * 1000);
}

/** @param hint where to look when the store denies the file: names of a Secret's keys, never what they hold */
export function statusError(
  origin: string,
  status: number,
  hint: string,
  retryAfterMs = Number.NaN,
  cause?: unknown,
): ForesailError {
  const why = cause === undefined ? {} : { cause };
  if (status === 404 || status === 410)
    return new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${origin} has no such file`, why);
  if (status === 401 || status === 403)
    return new ForesailError(
      'ARTIFACT_DENIED',
      'terminal',
      `${origin} denies the file (${status}): ${hint}`,
      why,
    );
  const transient = status >= 500 || status === 429 || status === 408;
  return new ForesailError(
    'ARTIFACT_UNREACHABLE',
    transient ? 'transient' : 'terminal',
    `${origin} answers ${status}`,
    { ...why, ...(retryAfterMs >= 0 ? { retryAfterMs } : {}) },
  );
}

/**
 * A short answer: a token, a manifest.
 *
 * @throws ARTIFACT_UNREACHABLE when it breaks off, ARTIFACT_ANSWER_INVALID when it is longer than `maxBytes`
 */
export async function bytesOf(
  origin: string,
  { body }: Incoming,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      size += piece.length;
      if (size > maxBytes) throw invalidAnswer(origin, `is longer than ${maxBytes} bytes`);
      pieces.push(piece);
    }
  } catch (cause) {
    throw unreachable(origin, 'breaks off', signal, cause);
  }
  return Buffer.concat(pieces);
}

/** @throws ARTIFACT_ANSWER_INVALID */
export function jsonOf(origin: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw invalidAnswer(origin, 'is not JSON', cause);
  }
}

export function invalidAnswer(origin: string, why: string, cause?: unknown): ForesailError {
  return new ForesailError('ARTIFACT_ANSWER_INVALID', 'terminal', `the answer of ${origin} ${why}`, {
    cause,
  });
}
