/** The client against a server that misbehaves; what a healthy API server does is in client.cluster.test.ts. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { type Fault, type FaultProxy, type ProxiedRequest, startFaultProxy } from '../testing/fault-proxy.ts';
import { type ClientOptions, KubeClient } from './client.ts';
import { type Connection, explicitConnection } from './connection.ts';
import { Transport, type TransportOptions } from './transport.ts';

const PODS = { group: '', version: 'v1', plural: 'pods', namespaced: true };
const key = { namespace: 'shop', name: 'web-1' };
const forever = new AbortController().signal;

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0)) await each();
});

async function serve(...script: (Fault | ((request: ProxiedRequest) => Fault))[]): Promise<FaultProxy> {
  const proxy = await startFaultProxy(undefined, (request) => {
    const step = script.length > 1 ? script.shift() : script[0];
    return typeof step === 'function' ? step(request) : step;
  });
  cleanup.push(async () => proxy[Symbol.asyncDispose]());
  return proxy;
}

function clientFor(
  proxy: FaultProxy,
  options: ClientOptions = {},
  transport: Partial<TransportOptions> & { connection?: Connection } = {},
): KubeClient {
  const connection = transport.connection ?? explicitConnection({ server: proxy.url });
  const made = new Transport(connection, { clock: systemClock, ...transport });
  cleanup.push(() => made.close());
  return new KubeClient(made, { random: () => 0, ...options });
}

const ok = (body: unknown = { metadata: { name: 'web-1' } }): Fault => ({
  kind: 'answer',
  status: 200,
  body: JSON.stringify(body),
});
const tooMany = (seconds: string): Fault => ({
  kind: 'answer',
  status: 429,
  headers: { 'retry-after': seconds },
  body: '{"kind":"Status","message":"too many requests","code":429}',
});

describe('Retry-After', () => {
  test.each(['GET', 'PATCH'])(
    'is honoured for %s: the same request comes again and succeeds',
    async (method) => {
      const proxy = await serve(tooMany('0'), { ...tooMany('0'), status: 503 } as Fault, ok());
      const client = clientFor(proxy);
      const call =
        method === 'GET'
          ? client.get(PODS, key, forever)
          : client.mergePatch(PODS, key, { spec: {} }, {}, forever);
      expect(await call).toEqual({ metadata: { name: 'web-1' } });
      expect(proxy.seen.map((each) => `${each.method} ${each.body}`)).toEqual(
        Array.from({ length: 3 }, () => (method === 'GET' ? 'GET ' : 'PATCH {"spec":{}}')),
      );
    },
  );

  test('that ends after the deadline is told to the caller at once, with the time', async () => {
    const proxy = await serve(tooMany('60'));
    const error = await clientFor(proxy, { deadlineMs: 5_000 })
      .get(PODS, key, forever)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'KUBE_TOO_MANY_REQUESTS', retry: 'transient', retryAfterMs: 60_000 });
    expect(proxy.seen).toHaveLength(1);
  });
});

describe('what is not repeated', () => {
  test('a 500 without Retry-After, and a write whose connection broke', async () => {
    const failing = await serve({ kind: 'answer', status: 500, body: '{}' }, ok());
    await expect(clientFor(failing).get(PODS, key, forever)).rejects.toMatchObject({ code: 'KUBE_INTERNAL' });
    const resetting = await serve({ kind: 'reset' }, ok());
    await expect(clientFor(resetting).mergePatch(PODS, key, {}, {}, forever)).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
      retry: 'transient',
    });
    expect([failing.seen.length, resetting.seen.length]).toEqual([1, 1]);
  });

  test('but a read whose connection broke is read once more', async () => {
    const proxy = await serve({ kind: 'reset' }, ok());
    await expect(clientFor(proxy).get(PODS, key, forever)).resolves.toMatchObject({
      metadata: { name: 'web-1' },
    });
  });
});

describe('deadline and abort', () => {
  test('a server that never answers costs the deadline and no more', async () => {
    const proxy = await serve({ kind: 'swallow' });
    await expect(clientFor(proxy, { deadlineMs: 50 }).get(PODS, key, forever)).rejects.toMatchObject({
      code: 'KUBE_TIMEOUT',
      message: 'get pods: no answer within 0.05 s',
    });
  });

  test('so does one that stops in the middle of the body', async () => {
    const proxy = await serve({ kind: 'answer', status: 200, body: '{"metadata":', after: 'silence' });
    await expect(clientFor(proxy, { deadlineMs: 50 }).get(PODS, key, forever)).rejects.toMatchObject({
      code: 'KUBE_TIMEOUT',
    });
  });

  test("the caller's abort comes back as its own reason", async () => {
    const proxy = await serve({ kind: 'swallow' });
    const abort = new AbortController();
    const call = clientFor(proxy).get(PODS, key, abort.signal);
    abort.abort(new Error('shutdown'));
    await expect(call).rejects.toThrow('shutdown');
  });

  test('a call that died with a silent connection does not poison the next one', async () => {
    const proxy = await serve({ kind: 'swallow' }, ok());
    const client = clientFor(proxy, { deadlineMs: 2_000 }, { maxConnections: 1 });
    await expect(client.get(PODS, key, forever)).rejects.toMatchObject({ code: 'KUBE_TIMEOUT' });
    await expect(client.get(PODS, key, forever)).resolves.toMatchObject({ metadata: { name: 'web-1' } });
  });
});

describe('bad answers', () => {
  test.each([
    ['HTML with 200', { kind: 'answer', status: 200, body: '<html>secret-cookie</html>' }, 'KUBE_BAD_ANSWER'],
    ['half a JSON', { kind: 'answer', status: 200, body: '{"metadata":' }, 'KUBE_BAD_ANSWER'],
    ['a cut body', { kind: 'answer', status: 200, body: '{"a":', after: 'reset' }, 'KUBE_UNREACHABLE'],
    ['HTML with 502', { kind: 'answer', status: 502, body: '<html>secret-cookie</html>' }, 'KUBE_INTERNAL'],
    [
      'a redirect',
      { kind: 'answer', status: 302, headers: { location: 'http://evil/' } },
      'KUBE_BAD_REQUEST',
    ],
  ] as const)('%s', async (_, fault, code) => {
    const proxy = await serve(fault);
    const error = (await clientFor(proxy)
      .get(PODS, key, forever)
      .catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ code });
    expect(`${error.message} ${String(error.cause)}`).not.toContain('secret-cookie');
  });
});

test('a raw answer is read up to 16 MiB, and what is larger is told as such', async () => {
  const answer = (megabytes: number): Fault => {
    const chunk = 'x'.repeat(1024 ** 2 - 2);
    return {
      kind: 'answer',
      status: 200,
      body: ['["', ...Array.from({ length: megabytes }, (_, i) => (i === 0 ? chunk : `xx${chunk}`)), '"]'],
    };
  };
  const proxy = await serve(answer(15), answer(64));
  const client = clientFor(proxy);
  await expect(client.getJson('/apis/custom.metrics.k8s.io/v1beta1', forever)).resolves.toHaveLength(1);
  await expect(client.getJson('/apis/custom.metrics.k8s.io/v1beta1?x=1', forever)).rejects.toMatchObject({
    code: 'KUBE_TOO_LARGE',
    message: 'get /apis/custom.metrics.k8s.io/v1beta1: the answer has more than 16 MiB',
  });
});

describe('credentials', () => {
  test('are read again after a 401, once', async () => {
    let reads = 0;
    const connection = (server: string): Connection => ({
      server,
      namespace: 'default',
      credentials: () => {
        reads += 1;
        return Promise.resolve({ headers: { authorization: `Bearer token-${reads}` }, tls: {} });
      },
    });
    const unauthorized: Fault = { kind: 'answer', status: 401, body: '{}' };
    const proxy = await serve(unauthorized, ok(), unauthorized);
    const client = clientFor(proxy, {}, { connection: connection(proxy.url) });
    await client.get(PODS, key, forever);
    expect(proxy.seen.map((each) => each.headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
    ]);
    await expect(client.get(PODS, key, forever)).rejects.toMatchObject({ code: 'KUBE_UNAUTHORIZED' });
    expect(proxy.seen).toHaveLength(4);
  });

  test('never travel in an error', async () => {
    const connection = explicitConnection({ server: 'http://127.0.0.1:1', token: 'very-secret' });
    const proxy = await serve(ok());
    const error = await clientFor(proxy, {}, { connection })
      .get(PODS, key, forever)
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'KUBE_UNREACHABLE' });
    expect(JSON.stringify([String(error), error, (error as Error).stack])).not.toContain('very-secret');
  });
});

describe('the write guard', () => {
  test('stops a write that waited for a connection while leadership was lost; reads go on', async () => {
    const gate = Promise.withResolvers<void>();
    const proxy = await serve((request) => {
      if (request.path.endsWith('/slow')) return { kind: 'hold', until: gate.promise };
      return ok();
    });
    const plain = clientFor(proxy, {}, { maxConnections: 1 });
    let leading = true;
    const fenced = plain.withWriteGuard(() => {
      if (!leading) throw new ForesailError('NOT_LEADING', 'terminal', 'not leading');
    });
    const slow = plain.get(PODS, { ...key, name: 'slow' }, forever).catch(() => undefined);
    const write = fenced.patchScale(PODS, key, 3, {}, forever).catch((error: unknown) => error);
    await systemClock.sleep(50); // the write is queued behind the slow read now
    leading = false;
    gate.resolve();
    await slow;
    expect(await write).toMatchObject({ code: 'NOT_LEADING' });
    expect(proxy.seen.map((each) => each.method)).toEqual(['GET']);
    await expect(fenced.get(PODS, key, forever)).resolves.toBeDefined();
  });

  test('stops every kind of write before anything is sent', async () => {
    const proxy = await serve(ok());
    const fenced = clientFor(proxy).withWriteGuard(() => {
      throw new Error('not leading');
    });
    const object = { metadata: { ...key, resourceVersion: '1' } };
    const writes = [
      () => fenced.create(PODS, object, forever),
      () => fenced.update(PODS, object, forever),
      () => fenced.mergePatch(PODS, key, {}, {}, forever),
      () => fenced.patchStatus(PODS, key, {}, {}, forever),
      () => fenced.applyStatus(PODS, object, 'foresail', forever),
      () => fenced.patchScale(PODS, key, 1, {}, forever),
      () => fenced.delete(PODS, key, {}, forever),
    ];
    for (const write of writes) await expect(write()).rejects.toThrow('not leading');
    expect(proxy.seen).toHaveLength(0);
  });
});

test('the server sees exactly what was asked for', async () => {
  const proxy = await serve(ok());
  const client = clientFor(proxy, { userAgent: 'foresail/test' });
  await client.patchScale(PODS, key, 3, { resourceVersion: '42' }, forever);
  await client.delete(PODS, key, { uid: 'u1' }, forever);
  await client.list(PODS, { namespace: 'shop', labelSelector: 'app in (a,b)', limit: 2 }, forever);
  expect(proxy.seen.map(({ method, path, query, body }) => [method, path, String(query), body])).toEqual([
    [
      'PATCH',
      '/api/v1/namespaces/shop/pods/web-1/scale',
      'fieldValidation=Strict',
      '{"spec":{"replicas":3},"metadata":{"resourceVersion":"42"}}',
    ],
    [
      'DELETE',
      '/api/v1/namespaces/shop/pods/web-1',
      '',
      '{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background","preconditions":{"uid":"u1"}}',
    ],
    ['GET', '/api/v1/namespaces/shop/pods', 'labelSelector=app+in+%28a%2Cb%29&limit=2', ''],
  ]);
  expect(proxy.seen[0]?.headers).toMatchObject({
    'content-type': 'application/merge-patch+json',
    'user-agent': 'foresail/test',
  });
});

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  'a scale of %d is refused here',
  async (replicas) => {
    const proxy = await serve(ok());
    await expect(async () =>
      clientFor(proxy).patchScale(PODS, key, replicas, {}, forever),
    ).rejects.toMatchObject({
      subject: 'spec.replicas',
    });
  },
);
