/**
 * What the API server or the way to it answered, as one registry of codes. The retry class says what a reconciler
 * may do: 403 is transient, since rights come back without any change of the object; 404 and 422 are terminal, since
 * only another event can help.
 */
import { ForesailError, isForesailError, messageOf, type RetryClass } from '../errors.ts';

const BY_STATUS: Readonly<Record<number, readonly [code: string, retry: RetryClass]>> = {
  400: ['KUBE_BAD_REQUEST', 'terminal'],
  401: ['KUBE_UNAUTHORIZED', 'transient'],
  403: ['KUBE_FORBIDDEN', 'transient'],
  404: ['KUBE_NOT_FOUND', 'terminal'],
  405: ['KUBE_METHOD_NOT_ALLOWED', 'terminal'],
  406: ['KUBE_NOT_ACCEPTABLE', 'terminal'],
  409: ['KUBE_CONFLICT', 'conflict'],
  410: ['KUBE_GONE', 'transient'],
  413: ['KUBE_TOO_LARGE', 'terminal'],
  415: ['KUBE_UNSUPPORTED_MEDIA_TYPE', 'terminal'],
  422: ['KUBE_INVALID', 'terminal'],
  429: ['KUBE_TOO_MANY_REQUESTS', 'transient'],
  500: ['KUBE_INTERNAL', 'transient'],
  503: ['KUBE_UNAVAILABLE', 'transient'],
  504: ['KUBE_TIMEOUT', 'transient'],
};

const MAX_MESSAGE = 1024;

/** metav1.Status, as far as we read it. */
interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: {
    readonly retryAfterSeconds?: unknown;
    readonly causes?: readonly {
      readonly field?: unknown;
      readonly message?: unknown;
      readonly reason?: unknown;
    }[];
  };
}

/** `body` is what was sent with an HTTP error, or the object of an ERROR event inside a watch. */
export function errorFromStatus(
  httpStatus: number,
  body: unknown,
  context: { readonly what: string; readonly retryAfterMs?: number | undefined },
): ForesailError {
  const status = (typeof body === 'object' && body !== null ? body : {}) as StatusBody;
  const statusCode = typeof status.code === 'number' ? status.code : httpStatus;
  let [code, retry] = BY_STATUS[statusCode] ?? (statusCode >= 500 ? BY_STATUS[500]! : BY_STATUS[400]!);
  if (status.reason === 'AlreadyExists') code = 'KUBE_ALREADY_EXISTS';
  // The server's history begins after, or ends before, the version that we asked to resume from.
  if (status.reason === 'Expired' || hasCause(status, 'ResourceVersionTooLarge'))
    [code, retry] = BY_STATUS[410]!;
  const retryAfterMs = context.retryAfterMs ?? secondsToMs(status.details?.retryAfterSeconds);
  const text =
    typeof status.message === 'string' && status.message !== '' ? status.message : `HTTP ${statusCode}`;
  const fields = causeFields(status);
  return new ForesailError(code, retry, `${context.what}: ${text}`.slice(0, MAX_MESSAGE), {
    ...(fields === '' ? {} : { subject: fields }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Errors of sockets, TLS and name resolution. The caller's own abort is passed through by the transport. */
export function errorFromNetwork(cause: unknown, what: string): ForesailError {
  if (cause instanceof ForesailError) return cause;
  const code = networkCode(cause);
  const kind = code.includes('TIMEOUT') || code === 'ETIMEDOUT' ? 'KUBE_TIMEOUT' : 'KUBE_UNREACHABLE';
  return new ForesailError(
    kind,
    'transient',
    `${what}: ${messageOf(cause)}${code === '' ? '' : ` (${code})`}`,
    {
      cause,
    },
  );
}

/** The connection died while it was used, so the server may or may not have seen the request. */
export function isBrokenConnection(error: unknown): boolean {
  const code = isForesailError(error) ? networkCode(error.cause) : networkCode(error);
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(code);
}

export const isNotFound = (error: unknown): boolean => isForesailError(error, 'KUBE_NOT_FOUND');
export const isConflict = (error: unknown): boolean => isForesailError(error, 'KUBE_CONFLICT');
export const isAlreadyExists = (error: unknown): boolean => isForesailError(error, 'KUBE_ALREADY_EXISTS');
export const isGone = (error: unknown): boolean => isForesailError(error, 'KUBE_GONE');

/** The `Retry-After` header: seconds, or an HTTP date measured against `nowMs`. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1000;
  const date = /[a-z]{3}/i.test(header) ? Date.parse(header) : Number.NaN; // Date.parse takes "-1" for a year
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function secondsToMs(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}

function causeFields(status: StatusBody): string {
  const causes = Array.isArray(status.details?.causes) ? status.details.causes : [];
  const fields = causes
    .map((cause: { readonly field?: unknown }) => cause.field)
    .filter((field: unknown): field is string => typeof field === 'string' && field !== '');
  return [...new Set(fields)].join(', ').slice(0, MAX_MESSAGE);
}

function hasCause(status: StatusBody, reason: string): boolean {
  const causes = Array.isArray(status.details?.causes) ? status.details.causes : [];
  return causes.some((cause: { readonly reason?: unknown }) => cause.reason === reason);
}

function networkCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
