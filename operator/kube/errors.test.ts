import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { errorFromNetwork, errorFromStatus, isBrokenConnection, parseRetryAfter } from './errors.ts';

const what = 'patch deployments/scale';

describe('errors of the API server', () => {
  test.each([
    [401, {}, 'KUBE_UNAUTHORIZED', 'transient'],
    [403, {}, 'KUBE_FORBIDDEN', 'transient'],
    [404, {}, 'KUBE_NOT_FOUND', 'terminal'],
    [409, { reason: 'Conflict' }, 'KUBE_CONFLICT', 'conflict'],
    [409, { reason: 'AlreadyExists' }, 'KUBE_ALREADY_EXISTS', 'conflict'],
    [410, {}, 'KUBE_GONE', 'transient'],
    [422, {}, 'KUBE_INVALID', 'terminal'],
    [429, {}, 'KUBE_TOO_MANY_REQUESTS', 'transient'],
    [500, {}, 'KUBE_INTERNAL', 'transient'],
    [502, {}, 'KUBE_INTERNAL', 'transient'],
    [504, {}, 'KUBE_TIMEOUT', 'transient'],
    [418, {}, 'KUBE_BAD_REQUEST', 'terminal'],
    // In-stream errors carry their code in the object.
    [500, { code: 410, reason: 'Expired' }, 'KUBE_GONE', 'transient'],
    [504, { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }, 'KUBE_GONE', 'transient'],
  ])('%i %j is %s (%s)', (status, body, code, retry) => {
    expect(errorFromStatus(status, body, { what })).toMatchObject({ code, retry });
  });

  test.each([[undefined], [null], ['<html>'], [[]], [{ message: 5, details: { causes: 'x' } }]])(
    'a body that is no Status (%j) still gives an error that says what failed',
    (body) => {
      expect(errorFromStatus(500, body, { what }).message).toBe('patch deployments/scale: HTTP 500');
    },
  );

  test('an invalid object names its field once', () => {
    const causes = [
      { field: 'spec.minReplicas', message: 'too big' },
      { field: 'spec.minReplicas', message: 'odd' },
      { field: 'spec.mode', message: 'unknown' },
    ];
    const error = errorFromStatus(422, { message: 'is invalid', details: { causes } }, { what });
    expect(error.subject).toBe('spec.minReplicas, spec.mode');
  });

  test('the header wins over the body when both say how long to wait', () => {
    const body = { details: { retryAfterSeconds: 7 } };
    expect(errorFromStatus(429, body, { what, retryAfterMs: 1000 }).retryAfterMs).toBe(1000);
    expect(errorFromStatus(429, body, { what }).retryAfterMs).toBe(7000);
  });

  test.each([
    ['1', 1000],
    ['0', 0],
    ['Sat, 21 Nov 2026 10:00:05 GMT', 5000],
    ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    [undefined, undefined],
  ])('Retry-After %j is %j ms', (header, expected) => {
    expect(parseRetryAfter(header, Date.UTC(2026, 10, 21, 10))).toBe(expected);
  });
});

describe('errors of the network', () => {
  test.each([
    ['ECONNREFUSED', 'KUBE_UNREACHABLE'],
    ['ENOTFOUND', 'KUBE_UNREACHABLE'],
    ['UND_ERR_CONNECT_TIMEOUT', 'KUBE_TIMEOUT'],
    ['ETIMEDOUT', 'KUBE_TIMEOUT'],
    ['CERT_HAS_EXPIRED', 'KUBE_UNREACHABLE'],
  ])('%s is %s, and transient', (code, expected) => {
    const error = errorFromNetwork(Object.assign(new Error('boom'), { code }), what);
    expect(error).toMatchObject({ code: expected, retry: 'transient' });
    expect(error.message).toContain(code);
  });

  test('an error of ours passes through', () => {
    const ours = new ForesailError('NOT_LEADING', 'terminal', 'no');
    expect(errorFromNetwork(ours, what)).toBe(ours);
  });

  test('a broken connection is told apart from a refused one', () => {
    const broken = errorFromNetwork(Object.assign(new Error('closed'), { code: 'UND_ERR_SOCKET' }), what);
    const refused = errorFromNetwork(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }), what);
    expect([isBrokenConnection(broken), isBrokenConnection(refused)]).toEqual([true, false]);
  });
});
