/** The router between real HTTP servers: what Gateway API's HTTPRouteWeight and RequestMirror ask, and pods that go. */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logger.ts';
import { createRouterMetrics } from './metrics.ts';
import { PROXY_LIMITS, Proxy, type ProxyLimits } from './proxy.ts';
import { RouteTable, type VersionRoute } from './routes.ts';
import { type RouterServer, startRouter } from './server.ts';

const HOST = 'loadcast.shop.svc';
const INFER = '/v2/models/loadcast/infer';

interface Pod {
  readonly origin: string;
  readonly seen: {
    readonly path: string;
    readonly body: string;
    readonly headers: IncomingMessage['headers'];
  }[];
  stop(): Promise<void>;
}

type Handler = (response: ServerResponse, body: string, incoming: IncomingMessage) => void;

const pods: Pod[] = [];
let table: RouteTable;
let metrics: ReturnType<typeof createRouterMetrics>;
let router: RouterServer;
let agent: Agent;

async function pod(name: string, handle: Handler = (response) => response.end(name)): Promise<Pod> {
  const seen: Pod['seen'] = [];
  const server: Server = createServer((incoming, response) => {
    let body = '';
    incoming.on('data', (part) => {
      body += part;
    });
    incoming.on('end', () => {
      seen.push({ path: incoming.url ?? '', body, headers: incoming.headers });
      handle(response, body, incoming);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const made = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  pods.push(made);
  return made;
}

function route(...versions: readonly (Partial<VersionRoute> & Pick<VersionRoute, 'version'>)[]): void {
  table.replace([
    {
      namespace: 'shop',
      name: 'loadcast',
      stable: 1,
      versions: versions.map((version) => ({ weight: 0, mirrorPercent: 0, endpoints: [], ...version })),
      stickyHeader: 'x-session',
    },
  ]);
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, string | string[] | undefined>;
}

async function ask(
  path = INFER,
  options: {
    method?: 'GET' | 'POST';
    body?: string | Buffer;
    host?: string;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const { method = 'POST', body = '{"inputs":[]}', host = HOST, headers = {} } = options;
  const {
    statusCode,
    body: answer,
    headers: told,
  } = await request(router.url + path, {
    method,
    headers: { host, ...headers },
    body: method === 'GET' ? null : body,
    dispatcher: agent,
  });
  return { status: statusCode, text: await answer.text(), headers: told };
}

async function metric(name: string, labels: string): Promise<number> {
  const text = await metrics.registry.metrics();
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(labels));
  return Number(line?.split(' ').at(-1) ?? 0);
}

async function begin(limits: Partial<ProxyLimits> = {}): Promise<void> {
  table = new RouteTable();
  metrics = createRouterMetrics();
  agent = new Agent();
  router = await startRouter({
    host: '127.0.0.1',
    port: 0,
    adminPort: 0,
    proxy: new Proxy(table, metrics.observer, {
      ...PROXY_LIMITS,
      maxBodyBytes: 1 << 20,
      answerMs: 20_000,
      connectMs: 20_000,
      maxMirrors: 4,
      maxPerPod: 64,
      maxHeldBytes: 4 << 20,
      maxMirrorBytes: 1 << 20,
      ...limits,
    }),
    registry: metrics.registry,
    notReady: () => (table.size === 0 ? 'no routes' : undefined),
    log: silentLogger,
    clock: systemClock,
  });
}

async function end(): Promise<void> {
  await agent.close();
  await router.close(1_000);
}

beforeEach(() => begin());

afterEach(async () => {
  await end();
  await Promise.all(pods.splice(0).map((each) => each.stop()));
});

test('idle connections outlive those of gateways before it, so that nobody asks on one that closes', async () => {
  const one = await pod('1');
  route({ version: 1, weight: 100, endpoints: [one.origin] });
  // Go's clients keep theirs for 90 s.
  expect(Number(/timeout=(\d+)/.exec(String((await ask()).headers['keep-alive']))?.[1])).toBeGreaterThan(90);
});

describe('weights', () => {
  test('requests are split by weight, none goes to a weight of 0', async () => {
    const [one, two, three] = [await pod('1'), await pod('2'), await pod('3')];
    route(
      { version: 1, weight: 70, endpoints: [one.origin] },
      { version: 2, weight: 30, endpoints: [two.origin] },
      { version: 3, weight: 0, endpoints: [three.origin] },
    );
    const count = 600;
    await Promise.all(Array.from({ length: count }, () => ask()));
    // Five standard deviations of a binomial count: wrong once in millions of runs.
    const slack = 5 * Math.sqrt(count * 0.7 * 0.3);
    expect(Math.abs(one.seen.length - 0.7 * count)).toBeLessThan(slack);
    expect(one.seen.length + two.seen.length).toBe(count);
    expect(three.seen).toEqual([]);
  });

  test('not a request fails while weights move', async () => {
    const [one, two] = [await pod('1'), await pod('2')];
    const statuses: number[] = [];
    for (const weight of [0, 10, 50, 90, 100]) {
      route(
        { version: 1, weight: 100 - weight, endpoints: [one.origin] },
        { version: 2, weight, endpoints: [two.origin] },
      );
      const answers = await Promise.all(Array.from({ length: 40 }, () => ask()));
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses).toEqual(Array.from({ length: 200 }, () => 200));
    expect(two.seen.length).toBeGreaterThan(0);
  });

  test('a caller with a sticky header stays with a version', async () => {
    const [one, two] = [await pod('1'), await pod('2')];
    route(
      { version: 1, weight: 50, endpoints: [one.origin] },
      { version: 2, weight: 50, endpoints: [two.origin] },
    );
    const sides = new Set<string>();
    for (const session of ['ada', 'bob', 'cem', 'dia', 'eva', 'fay', 'gus', 'hal']) {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => ask(INFER, { headers: { 'x-session': session } })),
      );
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      sides.add(answers[0]?.text ?? '');
    }
    expect([...sides].sort()).toEqual(['1', '2']);
  });
});

test('a caller that names a variant gets it, and no other is split by that', async () => {
  const [one, two] = [await pod('1'), await pod('2')];
  table.replace([
    {
      namespace: 'shop',
      name: 'loadcast',
      stable: 1,
      nameHeader: 'X-Variant',
      versions: [
        { version: 1, weight: 99, mirrorPercent: 0, endpoints: [one.origin] },
        { version: 2, name: 'wide', weight: 1, mirrorPercent: 0, endpoints: [two.origin] },
      ],
    },
  ]);
  const named = (name: string) =>
    Promise.all(
      Array.from({ length: 10 }, async () => (await ask(INFER, { headers: { 'x-variant': name } })).text),
    );
  expect(new Set(await named('wide'))).toEqual(new Set(['2']));
  expect(new Set(await named('stable'))).toEqual(new Set(['1']));
});

describe('a request goes through whole', () => {
  test('method, path, query, headers and body there, status, headers and body back', async () => {
    const one = await pod('1', (response) => {
      response.writeHead(418, {
        'content-type': 'application/x-tensors',
        'inference-header-content-length': '7',
      });
      response.end(Buffer.from([0, 255, 128]));
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    // Node's own client: undici's keeps `connection` to itself.
    const [answer] = (await once(
      httpRequest(`${router.url}${INFER}?a=b%20c`, {
        method: 'POST',
        headers: { host: HOST, 'x-trace': 'abc', connection: 'close, x-private', 'x-private': 'no' },
      }).end('tensors'),
      'response',
    )) as [IncomingMessage];
    expect(answer.statusCode).toBe(418);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-tensors',
      'inference-header-content-length': '7',
      'foresail-model-version': '1',
    });
    expect(Buffer.concat(await answer.toArray())).toEqual(Buffer.from([0, 255, 128]));
    expect(one.seen).toMatchObject([
      { path: `${INFER}?a=b%20c`, body: 'tensors', headers: { 'x-trace': 'abc', host: HOST } },
    ]);
    expect(one.seen[0]?.headers).not.toHaveProperty('x-private');
  });

  test('an answer that is streamed', async () => {
    const part = 'x'.repeat(100_000);
    const one = await pod('1', (response) => {
      for (let i = 0; i < 20; i++) response.write(part);
      response.end();
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    expect((await ask()).text).toHaveLength(2_000_000);
  });

  test('what a model says of a bad request is passed on', async () => {
    const one = await pod('1', (response) => response.writeHead(400).end('{"error":"wrong shape"}'));
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    expect(await ask()).toMatchObject({ status: 400, text: '{"error":"wrong shape"}' });
  });
});

describe('a request in a rare form', () => {
  test('that names the model in its path reaches the pod without that', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const path = `/namespaces/shop/modeldeployments/loadcast${INFER}?a=b`;
    expect(await ask(path, { host: '10.0.0.7:8080' })).toMatchObject({ status: 200, text: '1' });
    expect(one.seen).toMatchObject([{ path: `${INFER}?a=b` }]);
  });

  test('to an absolute URL goes where that says, and reaches the pod as a path', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    expect(await raw(`GET http://${HOST}/v2?a=b HTTP/1.1\r\nHost: other.shop\r\n\r\n`)).toMatch(/ 200 /);
    expect(one.seen).toMatchObject([{ path: '/v2?a=b', headers: { host: HOST } }]);
  });

  test('to * is refused', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    expect(await raw(`OPTIONS * HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)).toMatch(/ 400 /);
    expect(one.seen).toEqual([]);
  });

  test('that asks first whether it may send its body is told at once when it may not', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const asking = (bytes: number): string =>
      `POST ${INFER} HTTP/1.1\r\nHost: ${HOST}\r\nExpect: 100-continue\r\nContent-Length: ${bytes}\r\n\r\n`;
    expect(await raw(asking((1 << 20) + 1))).toMatch(/^HTTP\/1.1 413 .*connection: close/is);
    expect(await raw(asking(3), 'abc')).toMatch(/^HTTP\/1.1 100 .*HTTP\/1.1 200 /s);
    expect(one.seen).toMatchObject([{ body: 'abc' }]);
  });

  test('with a body of two lengths is refused', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const answer = await raw(
      `POST ${INFER} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /`,
    );
    expect(answer).toMatch(/ 400 /);
    expect(one.seen).toEqual([]);
  });

  test.each(['HEAD', 'GET'] as const)(
    '%s: an answer without a body keeps its length header',
    async (method) => {
      const one = await pod('1', (response) =>
        response
          .writeHead(method === 'HEAD' ? 200 : 304, { 'content-length': '7', 'set-cookie': ['a=1', 'b=2'] })
          .end(),
      );
      route({ version: 1, weight: 100, endpoints: [one.origin] });
      const answer = await request(router.url + INFER, {
        method,
        headers: { host: HOST },
        dispatcher: agent,
      });
      expect(answer.headers).toMatchObject({ 'content-length': '7', 'set-cookie': ['a=1', 'b=2'] });
      await answer.body.dump();
    },
  );
});

describe('what cannot be routed', () => {
  test.each([
    ['an unknown host', { host: 'other.shop' }, 404, /host <name>/],
    ['a body beyond the limit', { body: Buffer.alloc((1 << 20) + 1) }, 413, /larger than/],
    ['a body far beyond it', { body: Buffer.alloc(30 << 20) }, 413, /larger than/],
  ])('%s', async (_, options, status, text) => {
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const answer = await ask(INFER, options);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text).error).toMatch(text);
    expect(one.seen).toEqual([]);
  });

  test('bodies that do not fit beside those that are held: 503, and room again once they are answered', async () => {
    const held: ServerResponse[] = [];
    const one = await pod('1', (response, body) =>
      body.length > 10 ? held.push(response) : response.end('1'),
    );
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const body = Buffer.alloc((1 << 20) - 10_000, 'a');
    const waiting = Array.from({ length: 4 }, () => ask(INFER, { body }));
    await until(() => held.length === 4);
    expect(await ask(INFER, { body })).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    const chunked = await raw(
      `POST ${INFER} HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n${'a'.repeat(1_000_000)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/ 503 /);
    expect(await ask(INFER, { body: 'small' })).toMatchObject({ status: 200 });
    for (const response of held) response.end();
    await Promise.all(waiting);
    const again = ask(INFER, { body });
    await until(() => held.length === 5);
    held[4]?.end();
    expect(await again).toMatchObject({ status: 200 });
  });

  test('a pod that takes too long: 504', async () => {
    const one = await pod('1', () => undefined);
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const impatient = new Proxy(table, metrics.observer, { ...PROXY_LIMITS, answerMs: 100 });
    const front = createServer((incoming, response) => void impatient.handle(incoming, response));
    await new Promise<void>((resolve) => {
      front.listen(0, '127.0.0.1', resolve);
    });
    const { port } = front.address() as AddressInfo;
    const { statusCode, body } = await request(`http://127.0.0.1:${port}${INFER}`, {
      headers: { host: HOST },
    });
    await body.dump();
    front.close();
    front.closeAllConnections();
    await impatient.close();
    expect(statusCode).toBe(504);
  });

  test('a model without a ready pod: 503, and when to come again', async () => {
    route({ version: 1, weight: 100 });
    const answer = await ask();
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });
});

describe('what is bounded', () => {
  test('requests at one pod: 503 beyond, and room again once they are answered', async () => {
    const waiting: ServerResponse[] = [];
    const one = await pod('1', (response) => void waiting.push(response));
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const answers = Array.from({ length: 64 }, () => ask());
    await until(() => waiting.length === 64);
    const refused = await ask();
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(refused.text).toMatch(/busy/);
    expect(one.seen).toHaveLength(64);
    for (const response of waiting) response.end('late');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(
      Array.from({ length: 64 }, () => 200),
    );
    const again = ask();
    await until(() => waiting.length === 65);
    waiting[64]?.end();
    expect((await again).status).toBe(200);
    expect(await metric('foresail_router_requests_total', 'outcome="busy"')).toBe(1);
  });

  test('how long a caller may leave its answer unread: then the pod is free again', async () => {
    await end();
    await begin({ readMs: 300 });
    let closed = false;
    const one = await pod('1', (response) => {
      response.once('close', () => {
        closed = true;
      });
      response.end(Buffer.alloc(64 << 20));
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    const { hostname, port } = new URL(router.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(`GET /v2 HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`);
    await until(() => closed);
    await until(async () => (await metric('foresail_router_requests_total', 'outcome="canceled"')) === 1);
    socket.destroy();
  });
});

describe('pods that go', () => {
  test('a request to one that is gone goes to the next, and is counted as a retry', async () => {
    const [one, gone] = [await pod('1'), await pod('gone')];
    await gone.stop();
    route({ version: 1, weight: 100, endpoints: [gone.origin, one.origin] });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(await metric('foresail_router_retries_total', 'version="1"')).toBeGreaterThan(0);
  });

  test('the only one closes a connection as it is used again: nobody notices', async () => {
    const used = new Set<unknown>();
    const one = await pod('1', (response, _, { socket }) => {
      if (used.has(socket)) socket.destroy();
      else response.end('1');
      used.add(socket);
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    for (let i = 0; i < 6; i++) expect(await ask()).toMatchObject({ status: 200 });
  });

  test('all of a canary gone, though they are still listed: stable answers, and it counts against the canary', async () => {
    const [one, gone] = [await pod('1'), await pod('gone')];
    await gone.stop();
    route(
      { version: 1, weight: 0, endpoints: [one.origin] },
      { version: 2, weight: 100, endpoints: [gone.origin] },
    );
    const answer = await ask();
    expect(answer).toMatchObject({ status: 200, text: '1', headers: { 'foresail-model-version': '1' } });
    expect(await metric('foresail_router_requests_total', 'version="2",outcome="unreachable"')).toBe(1);
    expect(await metric('foresail_router_requests_total', 'version="1",outcome="answered"')).toBe(1);
  });

  test('all of them gone: 502', async () => {
    const gone = await pod('gone');
    await gone.stop();
    route({ version: 1, weight: 100, endpoints: [gone.origin] });
    expect(await ask()).toMatchObject({ status: 502 });
  });

  test('an inference that was cut off is sent again, another POST is not', async () => {
    let cuts = 0;
    const bad = await pod('bad', (response) => {
      cuts++;
      response.destroy();
    });
    const one = await pod('1');
    route({ version: 1, weight: 100, endpoints: [bad.origin, one.origin] });
    for (let i = 0; i < 4; i++) expect((await ask()).status).toBe(200);
    expect(cuts).toBe(2);
    const before = one.seen.length;
    const answers = [await ask('/v2/repository/index'), await ask('/v2/repository/index')];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 502]));
    expect(one.seen.length - before).toBe(1);
  });

  test('an answer that breaks off breaks off for the caller too', async () => {
    const one = await pod('1', (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    await expect(ask()).rejects.toThrow();
  });
});

describe('a shadow', () => {
  test('gets copies, and its answers go nowhere', async () => {
    const one = await pod('1');
    const two = await pod('2', (response) => response.writeHead(500).end('shadow'));
    route(
      { version: 1, weight: 100, endpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [two.origin] },
    );
    for (let i = 0; i < 10; i++)
      expect(await ask(INFER, { body: `n${i}` })).toMatchObject({ status: 200, text: '1' });
    await until(() => two.seen.length === 10);
    expect(two.seen.map(({ body }) => body).sort()).toEqual(one.seen.map(({ body }) => body).sort());
  });

  test('does not make pods take turns unevenly', async () => {
    const [one, other, two] = [await pod('1'), await pod('1'), await pod('2')];
    route(
      { version: 1, weight: 100, endpoints: [one.origin, other.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [two.origin] },
    );
    for (let i = 0; i < 10; i++) expect((await ask()).status).toBe(200);
    expect([one.seen.length, other.seen.length]).toEqual([5, 5]);
  });

  test('that does not answer holds no more bytes than it may', async () => {
    const one = await pod('1');
    const stuck: ServerResponse[] = [];
    const two = await pod('2', (response) => stuck.push(response));
    route(
      { version: 1, weight: 100, endpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [two.origin] },
    );
    const body = Buffer.alloc(400_000, 'a');
    for (let i = 0; i < 4; i++) expect((await ask(INFER, { body })).status).toBe(200);
    await until(() => two.seen.length === 2);
    expect(await metric('foresail_router_mirrored_total', 'outcome="leftOut"')).toBe(2);
    for (const response of stuck) response.end();
  });

  test('that does not answer does not hold up the end either', async () => {
    const one = await pod('1');
    const two = await pod('2', () => undefined);
    route(
      { version: 1, weight: 100, endpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [two.origin] },
    );
    expect((await ask()).status).toBe(200);
    await until(() => two.seen.length === 1);
    await agent.close();
    agent = new Agent();
    await router.close(1_000);
    expect(await metric('foresail_router_mirrored_total', 'outcome="failed"')).toBe(1);
  });

  test('that does not answer holds nobody up, and what it is sent is bounded', async () => {
    const one = await pod('1');
    const stuck: ServerResponse[] = [];
    const two = await pod('2', (response) => stuck.push(response));
    route(
      { version: 1, weight: 100, endpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [two.origin] },
    );
    for (let i = 0; i < 30; i++) expect((await ask()).status).toBe(200);
    await until(() => two.seen.length === 4);
    expect(await metric('foresail_router_mirrored_total', 'outcome="leftOut"')).toBe(26);
    for (const response of stuck) response.end();
  });

  test('that is gone is only counted', async () => {
    const [one, gone] = [await pod('1'), await pod('gone')];
    await gone.stop();
    route(
      { version: 1, weight: 100, endpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, endpoints: [gone.origin] },
    );
    expect((await ask()).status).toBe(200);
    await until(async () => (await metric('foresail_router_mirrored_total', 'outcome="failed"')) === 1);
  });
});

describe('metrics', () => {
  test('are for those alone whom the API server knows and lets', async () => {
    const { registry } = metrics;
    const guarded = await startRouter({
      host: '127.0.0.1',
      port: 0,
      adminPort: 0,
      proxy: new Proxy(table, metrics.observer),
      registry,
      authorizer: { check: async (token) => (token === 'Bearer good' ? 'allowed' : 'unauthenticated') },
      notReady: () => undefined,
      log: silentLogger,
      clock: systemClock,
    });
    const status = async (path: string, headers = {}) =>
      (await request(guarded.adminUrl + path, { headers })).statusCode;
    expect(await status('/metrics')).toBe(401);
    expect(await status('/metrics', { authorization: 'Bearer good' })).toBe(200);
    expect(await status('/readyz')).toBe(200);
    await guarded.close(1_000);
  });
});

describe('its end', () => {
  test('it is not ready before its routes and while it stops, and answers what is under way', async () => {
    const ready = async (): Promise<number> => (await request(`${router.adminUrl}/readyz`)).statusCode;
    expect(await ready()).toBe(503);
    let release: (() => void) | undefined;
    const one = await pod('1', (response) => {
      release = () => response.end('late');
    });
    route({ version: 1, weight: 100, endpoints: [one.origin] });
    expect(await ready()).toBe(200);
    const answer = ask();
    await until(() => one.seen.length === 1);
    router.drain();
    expect(await ready()).toBe(503);
    const closed = router.close(30_000);
    release?.();
    expect(await answer).toMatchObject({ status: 200, text: 'late' });
    await closed;
  });
});

/** What a client without manners gets; it sends `body` once it may, and hangs up when the answer is there. */
async function raw(head: string, body?: string): Promise<string> {
  const { hostname, port } = new URL(router.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
    if (body !== undefined && answer.startsWith('HTTP/1.1 100') && !answer.includes(' 200 '))
      socket.write(body);
    if (/^HTTP\/1.1 [2-5].*\r\n\r\n/ms.test(answer)) socket.end();
  });
  socket.write(head);
  await Promise.race([once(socket, 'close'), sleep(30_000, undefined, { ref: false })]);
  socket.destroy();
  return answer;
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 45_000;
  // oxlint-disable-next-line no-await-in-loop -- a poll
  while (!(await check())) {
    if (performance.now() > giveUpAt) throw new Error('it never came to it');
    // oxlint-disable-next-line no-await-in-loop -- as above
    await sleep(10);
  }
}
