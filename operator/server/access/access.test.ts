/** The guard in front of the real HTTP and gRPC servers; the API server's reviews are answered by a script. */
import { Metadata } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import type { SubjectAccessReviewSpec } from '../../runtime/types.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { grpcClients } from '../testing/grpc-client.ts';
import { servers } from '../testing/servers.ts';
import { GRPC } from '../wire/errors.ts';
import { type Authentication, type TokenOptions, tokenAuthentication } from './authentication.ts';
import { createGuard, placeOf } from './guard.ts';
import { createRateLimiter } from './rate-limit.ts';

const start = servers();
const connect = grpcClients();

/** Knows the tokens `good` and `weak`; RBAC allows what `may` says, to `good` alone. */
function reviews(may: (spec: SubjectAccessReviewSpec) => boolean = () => true) {
  const asked: { tokens: [string, readonly string[]][]; access: SubjectAccessReviewSpec[] } = {
    tokens: [],
    access: [],
  };
  let down = false;
  return {
    asked,
    fail: () => {
      down = true;
    },
    async reviewToken(token: string, audiences: readonly string[]) {
      if (down) throw new Error('connect ECONNREFUSED 10.96.0.1:443');
      asked.tokens.push([token, audiences]);
      if (!['good', 'weak'].includes(token)) return { authenticated: false };
      return {
        authenticated: true,
        user: { username: `system:serviceaccount:shop:${token}`, groups: ['system:serviceaccounts:shop'] },
      };
    },
    async reviewAccess(spec: SubjectAccessReviewSpec) {
      asked.access.push(spec);
      return spec.user.endsWith(':good') && may(spec);
    },
  };
}

const anyToken: TokenOptions = { audiences: [], allowed: [] };

function guarded(authentication: Authentication, limits?: { perSecond: number; burst: number }) {
  const limiter = limits === undefined ? undefined : createRateLimiter(limits, systemClock);
  const guard = createGuard({ authentication, ...(limiter === undefined ? {} : { limiter }) });
  return guard === undefined ? {} : { guard };
}

const X = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1.5, 2.5] };
const infer = (url: string, token?: string, path = '/v2/models/echo/infer') =>
  fetch(url + path, {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: JSON.stringify({ inputs: [X] }),
  });
const bearer = (token: string) => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
};
const message = {
  model_name: 'echo',
  inputs: [{ ...X, contents: { fp32_contents: [1, 2] }, data: undefined }],
};

describe('a token', () => {
  test.each([
    [undefined, 401],
    ['unknown', 401],
    ['weak', 403],
    ['good', 200],
  ])('%s: %i', async (token, status) => {
    const { httpUrl, metrics } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(reviews(), anyToken, systemClock, silentLogger)),
    );
    const answer = await infer(httpUrl, token);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
    if (status !== 200) {
      expect(Object.keys((await answer.json()) as object)).toEqual(['error']);
      expect(await metrics.registry.metrics()).toContain(
        'foresail_server_calls_total{protocol="http",outcome="denied"} 1',
      );
    }
  });

  test('is asked for over gRPC too, before the message is taken in', async () => {
    const engine = fakeEngine();
    const server = await start(
      engine,
      { grpcPort: 0 },
      guarded(tokenAuthentication(reviews(), anyToken, systemClock, silentLogger)),
    );
    const call = connect(server.grpcAddress as string);
    await expect(call('ModelInfer', message)).rejects.toMatchObject({ code: GRPC.unauthenticated });
    await expect(call('ModelInfer', message, bearer('weak'))).rejects.toMatchObject({
      code: GRPC.permissionDenied,
    });
    expect(engine.requests).toHaveLength(0);
    expect(await call('ModelInfer', message, bearer('good'))).toMatchObject({ model_name: 'echo' });
    expect(await call('ServerReady', {})).toEqual({ ready: true });
    await expect(call('ServerMetadata', {})).rejects.toMatchObject({ code: GRPC.unauthenticated });
  });

  test('is not asked for by health, but by everything else, and unknown paths stay unknown', async () => {
    const { httpUrl } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(reviews(), anyToken, systemClock, silentLogger)),
    );
    const status = async (path: string) => (await fetch(httpUrl + path)).status;
    expect(await status('/v2/health/live')).toBe(200);
    expect(await status('/v2/health/ready')).toBe(200);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (const path of [
      '/v2',
      '/v2/models/echo',
      '/v2/models/echo/ready',
      '/metrics',
      '/v1/timeseries/models',
    ])
      expect([path, await status(path)]).toEqual([path, 401]);
    expect(await status('/nothing/here')).toBe(404);
  });

  test('RBAC is asked for the path that the server understood, once per token and path', async () => {
    const api = reviews();
    const { httpUrl } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(api, { ...anyToken, audiences: ['models'] }, systemClock, silentLogger)),
    );
    await infer(httpUrl, 'good', '/v2/models/%65cho/infer/');
    await infer(httpUrl, 'good');
    expect(api.asked.tokens).toEqual([['good', ['models']]]);
    expect(api.asked.access).toEqual([
      {
        user: 'system:serviceaccount:shop:good',
        groups: ['system:serviceaccounts:shop'],
        nonResourceAttributes: { path: '/v2/models/echo/infer', verb: 'post' },
      },
    ]);
  });

  test('with an object: who may get it may infer, who may update it may load', async () => {
    const api = reviews(({ resourceAttributes }) => resourceAttributes?.verb === 'get');
    const resource = { group: 'foresail.io', resource: 'modeldeployments', namespace: 'shop', name: 'web' };
    const { httpUrl, grpcAddress } = await start(
      fakeEngine(),
      { grpcPort: 0, repositoryControl: true },
      guarded(tokenAuthentication(api, { ...anyToken, resource }, systemClock, silentLogger)),
    );
    expect((await infer(httpUrl, 'good')).status).toBe(200);
    const refused = await infer(httpUrl, 'good', '/v2/repository/models/echo/load');
    expect(refused.status).toBe(403);
    expect(await refused.json()).toEqual({
      error: 'RBAC does not let this user update modeldeployments shop/web',
    });
    await expect(
      connect(grpcAddress as string)('RepositoryModelUnload', { model_name: 'echo' }, bearer('good')),
    ).rejects.toMatchObject({ code: GRPC.permissionDenied });
    expect(api.asked.access.map((spec) => spec.resourceAttributes?.verb)).toEqual(['get', 'update']);
  });

  test('with a list of names RBAC is not asked', async () => {
    const api = reviews();
    const allowed = ['system:serviceaccount:shop:weak'];
    const { httpUrl } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(api, { audiences: [], allowed }, systemClock, silentLogger)),
    );
    expect((await infer(httpUrl, 'weak')).status).toBe(200);
    expect((await infer(httpUrl, 'good')).status).toBe(403);
    expect(api.asked.access).toEqual([]);
  });

  test('is refused while the API server is away, and its words stay inside', async () => {
    const api = reviews();
    api.fail();
    const lines: unknown[] = [];
    const log = { ...silentLogger, warn: (_text: string, keys?: object) => void lines.push(keys) };
    const { httpUrl } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(api, anyToken, systemClock, log)),
    );
    const answer = await infer(httpUrl, 'good');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.text()).not.toContain('10.96');
    await infer(httpUrl, 'good');
    expect(lines).toEqual([{ error: 'connect ECONNREFUSED 10.96.0.1:443' }]);
  });

  test('that is revoked counts no longer than half a minute', async () => {
    const clock = new FakeClock();
    const api = reviews();
    const authentication = tokenAuthentication(api, anyToken, clock, silentLogger);
    const credentials = { address: '', authorization: 'Bearer good', certificate: () => undefined };
    await authentication.identify(credentials, new AbortController().signal);
    await clock.advance(29_000);
    await authentication.identify(credentials, new AbortController().signal);
    expect(api.asked.tokens).toHaveLength(1);
    await clock.advance(2_000);
    await authentication.identify(credentials, new AbortController().signal);
    expect(api.asked.tokens).toHaveLength(2);
  });
});

describe('the rate limit', () => {
  const limited = (perSecond: number, burst: number) => ({
    guard: createGuard({
      limiter: createRateLimiter({ perSecond, burst }, systemClock),
    }) as NonNullable<ReturnType<typeof createGuard>>,
  });

  test('answers 429 with the time to wait, over both protocols together', async () => {
    const { httpUrl, grpcAddress, metrics } = await start(fakeEngine(), { grpcPort: 0 }, limited(0.01, 2));
    const call = connect(grpcAddress as string);
    expect((await infer(httpUrl)).status).toBe(200);
    expect(await call('ModelInfer', message)).toMatchObject({ model_name: 'echo' });
    const answer = await infer(httpUrl);
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(90);
    const error = await call('ModelInfer', message).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: GRPC.resourceExhausted });
    const pushback = (error as { metadata: Metadata }).metadata.get('grpc-retry-pushback-ms')[0];
    expect(Number(pushback)).toBeGreaterThan(90_000);
    expect((await fetch(`${httpUrl}/v2/health/ready`)).status).toBe(200);
    const text = await metrics.registry.metrics();
    expect(text).toContain('foresail_server_calls_total{protocol="http",outcome="limited"} 1');
    expect(text).toContain('foresail_server_calls_total{protocol="grpc",outcome="limited"} 1');
  });

  test('the forecast calls say it in their own form', async () => {
    const { httpUrl } = await start(fakeEngine(), {}, limited(0.01, 1));
    await infer(httpUrl);
    const answer = await infer(httpUrl, undefined, '/v1/timeseries/forecast');
    expect(answer.status).toBe(429);
    expect(await answer.json()).toMatchObject({ error: { code: '429', type: 'rate_limit_exceeded' } });
  });

  test('ends the guessing of tokens before it becomes the API server’s load', async () => {
    const api = reviews();
    const { httpUrl } = await start(
      fakeEngine(),
      {},
      guarded(tokenAuthentication(api, anyToken, systemClock, silentLogger), { perSecond: 0.01, burst: 3 }),
    );
    const statuses = [];
    for (let i = 0; i < 6; i++)
      // oxlint-disable-next-line no-await-in-loop -- one guess after the other
      statuses.push((await infer(httpUrl, `guess${i}`)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
    expect(api.asked.tokens).toHaveLength(3);
  });

  test('counts a known caller by name, wherever they call from', async () => {
    const guard = createGuard({
      authentication: tokenAuthentication(reviews(), anyToken, systemClock, silentLogger),
      limiter: createRateLimiter({ perSecond: 0.01, burst: 1 }, systemClock),
    });
    const from = (address: string) =>
      guard?.enter(
        { address, authorization: 'Bearer good', certificate: () => undefined },
        { path: '/v2', verb: 'get', control: false },
        new AbortController().signal,
      );
    await from('10.0.0.1');
    await expect(from('10.0.0.2')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['', ''],
  ])('the place of %s is %s', (address, place) => {
    expect(placeOf(address)).toBe(place);
  });
});
