/**
 * What the wire itself refuses, and what every error of the server becomes on HTTP and on gRPC. One table, so that
 * both protocols tell the same about the same fault.
 */
import { ForesailError, isForesailError } from '../../errors.ts';

export function unsupported(message: string): ForesailError {
  return new ForesailError('UNSUPPORTED', 'terminal', message);
}

export function bodyTooLarge(most: number): ForesailError {
  return new ForesailError('BODY_TOO_LARGE', 'terminal', `the request is larger than ${most} bytes`);
}

/** How a call ended on the wire, in the engine's words and some more; a bounded label of the metrics. */
export const OUTCOMES = [
  'success',
  'invalid',
  'not_found',
  'not_ready',
  'rejected',
  'denied',
  'limited',
  'deadline',
  'canceled',
  'backend',
] as const;
export type WireOutcome = (typeof OUTCOMES)[number];

/** Numbers of gRPC's status codes, as its specification fixes them. */
export const GRPC = {
  canceled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface Fault {
  readonly http: number;
  readonly grpc: number;
  readonly outcome: WireOutcome;
  /** Safe to show to a caller. */
  readonly message: string;
  /** What of the request is wrong. */
  readonly field?: string;
  readonly retryAfterMs?: number;
}

const TABLE: Readonly<Record<string, Pick<Fault, 'http' | 'grpc' | 'outcome'>>> = {
  INPUT_INVALID: { http: 400, grpc: GRPC.invalidArgument, outcome: 'invalid' },
  BODY_TOO_LARGE: { http: 413, grpc: GRPC.resourceExhausted, outcome: 'invalid' },
  ENCODING_UNKNOWN: { http: 415, grpc: GRPC.invalidArgument, outcome: 'invalid' },
  MODEL_REFUSED: { http: 400, grpc: GRPC.failedPrecondition, outcome: 'invalid' },
  LOAD_DISABLED: { http: 403, grpc: GRPC.permissionDenied, outcome: 'invalid' },
  UNAUTHENTICATED: { http: 401, grpc: GRPC.unauthenticated, outcome: 'denied' },
  FORBIDDEN: { http: 403, grpc: GRPC.permissionDenied, outcome: 'denied' },
  AUTH_UNAVAILABLE: { http: 503, grpc: GRPC.unavailable, outcome: 'denied' },
  RATE_LIMITED: { http: 429, grpc: GRPC.resourceExhausted, outcome: 'limited' },
  UNSUPPORTED: { http: 501, grpc: GRPC.unimplemented, outcome: 'invalid' },
  MODEL_NOT_FOUND: { http: 404, grpc: GRPC.notFound, outcome: 'not_found' },
  MODEL_NOT_READY: { http: 503, grpc: GRPC.unavailable, outcome: 'not_ready' },
  OVERLOADED: { http: 503, grpc: GRPC.unavailable, outcome: 'rejected' },
  DEADLINE: { http: 504, grpc: GRPC.deadlineExceeded, outcome: 'deadline' },
  BACKEND: { http: 500, grpc: GRPC.internal, outcome: 'backend' },
};

/** The caller went away; nobody reads this answer. 499 is what proxies write into their logs for it. */
export const CANCELED: Fault = {
  http: 499,
  grpc: GRPC.canceled,
  outcome: 'canceled',
  message: 'the caller went away',
};

/** A longer text is no help to a caller and may carry what they sent. */
const MOST_TEXT = 500;

export function faultOf(error: unknown): Fault {
  if (isForesailError(error)) {
    const known = TABLE[error.code];
    if (known !== undefined)
      return {
        ...known,
        message: error.message.length > MOST_TEXT ? `${error.message.slice(0, MOST_TEXT)}…` : error.message,
        ...(error.subject === undefined ? {} : { field: error.subject }),
        ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      };
  }
  // Not ours: its text may hold paths or data, so it goes to the log alone.
  return {
    http: 500,
    grpc: GRPC.internal,
    outcome: 'backend',
    message: 'the server failed; its log says why',
  };
}
