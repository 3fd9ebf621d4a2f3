/** Says in one reason and one sentence why a request did not end in an answer. */
import { ReadError } from '../read-error.ts';

const tlsCodes =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the server refused the connection',
  ECONNRESET: 'the server cut the connection',
  EPIPE: 'the server cut the connection',
  UND_ERR_SOCKET: 'the server cut the connection',
  ENOTFOUND: 'the name of the server does not resolve',
  EAI_AGAIN: 'the name of the server does not resolve at the moment',
  EHOSTUNREACH: 'there is no route to the server',
  ENETUNREACH: 'there is no route to the server',
};

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

interface ThrownError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** For what undici or a socket threw before there was an answer. */
export function transportError(error: unknown): ReadError {
  const codes: string[] = [];
  let at = error;
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth += 1) {
    if (at instanceof ReadError) return at;
    const { name, code, cause, errors } = at as ThrownError;
    if (name === 'HTTPParserError')
      return new ReadError('BadAnswer', 'the server does not speak HTTP', error);
    if (typeof code === 'string') codes.push(code);
    // Several addresses were tried: the first failure stands for all.
    at = Array.isArray(errors) && errors.length > 0 ? (errors[0] as unknown) : cause;
  }
  for (const code of codes) {
    if (timeoutCodes.has(code)) return new ReadError('Timeout', 'the server did not answer in time', error);
    if (tlsCodes.test(code))
      return new ReadError('Unreachable', `the server's TLS certificate was not accepted (${code})`, error);
    if (code === 'UND_ERR_HEADERS_OVERFLOW')
      return new ReadError('TooLarge', 'the headers of the answer are too large', error);
    const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
    if (sentence !== undefined) return new ReadError('Unreachable', sentence, error);
  }
  return new ReadError('Unreachable', `the request failed (${codes[0] ?? 'no code'})`, error);
}

/** Prometheus's own word for what went wrong, if the answer holds one. */
const byErrorType: Readonly<Record<string, ReadError['reason']>> = {
  bad_data: 'BadQuery',
  execution: 'BadQuery',
  timeout: 'Timeout',
  canceled: 'Overloaded',
  too_many_requests: 'Overloaded',
  unavailable: 'Unreachable',
  internal: 'Unreachable',
  not_found: 'BadAnswer',
};

export function apiError(errorType: unknown): ReadError | undefined {
  if (typeof errorType !== 'string') return undefined;
  const reason = Object.hasOwn(byErrorType, errorType) ? byErrorType[errorType] : undefined;
  if (reason === undefined) return undefined;
  return new ReadError(reason, `the server answered with an error of type ${errorType}`);
}

/** For an HTTP status other than 200. */
export function statusError(status: number): ReadError {
  if (status === 401 || status === 403 || status === 407)
    return new ReadError('Unauthorized', `the server does not accept the credentials (HTTP ${status})`);
  if (status >= 300 && status < 400)
    return new ReadError('BadAnswer', `the server redirects, which is not followed (HTTP ${status})`);
  if (status === 404)
    return new ReadError('BadAnswer', 'there is no Prometheus API at the configured URL (HTTP 404)');
  if (status === 408 || status === 504)
    return new ReadError('Timeout', `the server gave up waiting (HTTP ${status})`);
  if (status === 413) return new ReadError('BadQuery', 'the server finds the query too large (HTTP 413)');
  if (status === 429 || status === 503)
    return new ReadError('Overloaded', `the server is not taking queries now (HTTP ${status})`);
  if (status === 400 || status === 422)
    return new ReadError('BadQuery', `the server refused the query (HTTP ${status})`);
  if (status >= 500) return new ReadError('Unreachable', `the server failed (HTTP ${status})`);
  return new ReadError('BadAnswer', `the server answered with HTTP ${status}`);
}
