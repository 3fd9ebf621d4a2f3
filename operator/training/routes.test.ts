import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { MemoryHistory } from '../history/memory-store.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { createAuthorizer } from '../observability/authorizer.ts';
import { createHttp } from '../observability/http.ts';
import { createMetrics } from '../observability/metrics.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createDataExport, type DataExport, type ScalerSeries } from './data-export.ts';
import { createRunReports } from './reports.ts';
import { trainingRoutes } from './routes.ts';
import { newToken } from './tokens.ts';
import type { AttemptFacts, RunKey } from './types.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 10, 22, 3);
const { token, sha256 } = newToken();
const PROGRESS = { step: 120, total: 500, rank: 0, workers: 2, loss: 0.31, device: 'cpu' };
const DIGEST = 'ab'.repeat(32);
const LINEAGE = {
  schema: 1,
  name: 'loadcast',
  family: 'linear',
  sha256: DIGEST,
  data: { trainEnd: '2026-11-20T00:00:00Z', validateEnd: '2026-11-21T00:00:00Z' },
};

let server: FastifyInstance | undefined;
afterEach(() => server?.close());

const scaler = (namespace: string, name: string, team: string): ScalerSeries => ({
  namespace,
  name,
  labels: { team },
  series: [{ key: `${namespace}/${name}/rps`, metric: 'rps' }],
});
const SCALERS = [
  scaler('shop', 'web', 'shop'),
  scaler('shop', 'api', 'shop'),
  scaler('shop', 'batch', 'other'),
  scaler('bank', 'web', 'shop'),
];

interface Setup {
  facts?: Partial<AttemptFacts>;
  data?: Partial<NonNullable<AttemptFacts['data']>> | undefined;
  answering?: boolean;
  maxSeries?: number;
  log?: Logger;
  /** What the lookup gives, whatever it was asked for. */
  scalers?: readonly ScalerSeries[];
  /** Instead of what history gives. */
  export?: DataExport;
}

async function start(setup: Setup = {}) {
  const clock = new FakeClock(NOW);
  const history = new MemoryHistory({ now: () => clock.now() });
  for (const { series } of SCALERS)
    for (const { key } of series) {
      history.declare(key, { stepMs: MINUTE });
      for (let i = 10; i > 0; i--)
        if (i !== 5) history.append(key, NOW - i * MINUTE, i + (key.startsWith('bank') ? 1000 : 0));
    }
  const log = setup.log ?? silentLogger;
  const reports = createRunReports({ clock, log });
  const heard: RunKey[] = [];
  reports.onReport((key) => heard.push(key));
  const facts: AttemptFacts = {
    uid: 'uid-1',
    tokenSha256: sha256,
    stage: 'train',
    live: true,
    data: { selector: {}, allNamespaces: false, windowMs: 60 * MINUTE, ...setup.data },
    ...setup.facts,
  };
  const maxPoints = 100;
  server = createHttp({
    registry: createMetrics().registry,
    authorizer: createAuthorizer(
      {
        reviewToken: () => Promise.reject(new Error('not asked')),
        reviewAccess: () => Promise.resolve(false),
      },
      clock,
    ),
    unhealthy: () => undefined,
    notReady: () => undefined,
    more: trainingRoutes({
      answering: () => setup.answering ?? true,
      attemptOf: (namespace, name, attempt) =>
        (namespace === 'shop' || namespace === 'foresail') && name === 'loadcast' && attempt === 3
          ? { ...facts, uid: namespace === 'shop' ? facts.uid : 'uid-2' }
          : undefined,
      reports,
      data:
        setup.export ??
        createDataExport({
          history,
          scalers: (namespace) =>
            setup.scalers ??
            SCALERS.filter((each) => namespace === undefined || each.namespace === namespace),
          operatorNamespace: 'foresail',
          now: () => clock.now(),
          maxSeries: setup.maxSeries ?? 10,
          maxPoints,
        }),
      maxPoints,
      clock,
      log,
    }),
    log,
    clock,
  });
  await server.ready();
  const ask = (
    path: string,
    {
      body,
      bearer = token,
      run = 'namespaces/shop/trainingjobs/loadcast/attempts/3',
      headers = {},
    }: { body?: unknown; bearer?: string | null; run?: string; headers?: Record<string, string> } = {},
  ) =>
    (server as FastifyInstance).inject({
      method: body === undefined ? 'GET' : 'POST',
      url: `/training/v1/${run}/${path}`,
      headers: { ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
  return { ask, reports, heard, clock };
}

describe('who may speak', () => {
  test('a pod with the token of its attempt', async () => {
    const { ask, reports, heard } = await start();
    expect((await ask('progress', { body: PROGRESS })).statusCode).toBe(204);
    expect(reports.latest('uid-1', 3)?.progress).toMatchObject({ step: 120, loss: 0.31, score: null });
    expect(heard).toEqual([{ namespace: 'shop', name: 'loadcast', uid: 'uid-1', attempt: 3 }]);
  });

  test.each([
    ['no token', null, 401],
    ['another token', newToken().token, 401],
    ['the digest in place of the token', sha256, 401],
    ['a longer one', `${token}A`, 401],
    ['no text that a token has', 'a b', 401],
  ])('%s gets %i', async (_, bearer, status) => {
    const { ask, reports } = await start();
    const answer = await ask('progress', { body: PROGRESS, bearer });
    expect(answer.statusCode).toBe(status);
    expect(answer.body).not.toContain(sha256);
    expect(reports.latest('uid-1', 3)).toBeUndefined();
  });

  test('no token fits an attempt whose digest is not known', async () => {
    const { ask } = await start({ facts: { tokenSha256: '' } });
    expect((await ask('progress', { body: PROGRESS })).statusCode).toBe(401);
    expect((await ask('progress', { body: PROGRESS, bearer: '' })).statusCode).toBe(401);
  });

  test.each([
    'namespaces/shop/trainingjobs/loadcast/attempts/2',
    'namespaces/shop/trainingjobs/other/attempts/3',
    'namespaces/bank/trainingjobs/loadcast/attempts/3',
    'namespaces/shop/trainingjobs/loadcast/attempts/3e0',
    'namespaces/shop/trainingjobs/loadcast/attempts/-3',
    'namespaces/%2f/trainingjobs/loadcast/attempts/3',
  ])('%s, which is not there, answers as one whose token is not known', async (run) => {
    const { ask } = await start();
    const there = await ask('progress', { body: PROGRESS, bearer: newToken().token });
    const answer = await ask('progress', { body: PROGRESS, run });
    expect([answer.statusCode, answer.body]).toEqual([401, there.body]);
    expect(Object.keys(answer.headers)).toEqual(Object.keys(there.headers));
    const nobodys = await ask('progress', { body: PROGRESS, run, bearer: null });
    expect([nobodys.statusCode, nobodys.body]).toEqual([401, there.body]);
  });

  test('an attempt that is over is told so, with nothing taken', async () => {
    const { ask, reports } = await start({ facts: { live: false } });
    expect((await ask('progress', { body: PROGRESS })).statusCode).toBe(409);
    expect((await ask('data')).statusCode).toBe(409);
    expect(reports.latest('uid-1', 3)).toBeUndefined();
  });

  test('a replica that does not lead sends to the next moment', async () => {
    const { ask } = await start({ answering: false });
    const answer = await ask('progress', { body: PROGRESS });
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
  });

  test('what trains may not say that it passed, and a gate brings no model', async () => {
    const gate = { verdict: 'Pass', failed: [], scores: {}, published: null };
    const result = { sha256: DIGEST, sizeBytes: 1, lineage: LINEAGE };
    const training = await start();
    expect((await training.ask('gate', { body: gate })).statusCode).toBe(403);
    expect((await training.ask('result', { body: result })).statusCode).toBe(204);
    await server?.close();
    const gating = await start({ facts: { stage: 'gate' } });
    expect((await gating.ask('gate', { body: gate })).statusCode).toBe(204);
    expect((await gating.ask('result', { body: result })).statusCode).toBe(403);
    expect(gating.reports.latest('uid-1', 3)?.gate).toEqual(gate);
  });

  test('only a search tells of trials, and brings no model', async () => {
    const best = { trial: 2, params: { clip: 1.5 }, score: 0.9 };
    const trials = { finished: 2, pruned: 1, failed: 0, best };
    const training = await start();
    expect((await training.ask('trials', { body: trials })).statusCode).toBe(403);
    await server?.close();
    const searching = await start({ facts: { stage: 'search' } });
    expect((await searching.ask('trials', { body: { ...trials, best: null } })).statusCode).toBe(204);
    expect((await searching.ask('trials', { body: trials })).statusCode).toBe(204);
    expect(searching.reports.latest('uid-1', 3)?.trials).toEqual(trials);
    const result = { sha256: DIGEST, sizeBytes: 1, lineage: LINEAGE };
    expect((await searching.ask('result', { body: result })).statusCode).toBe(403);
    const wrong = await searching.ask('trials', {
      body: { ...trials, best: { ...best, params: { clip: '1' } } },
    });
    expect([wrong.statusCode, wrong.json<{ error: string }>().error.split(':')[0]]).toEqual([
      422,
      'best.params.clip',
    ]);
  });

  test('too often is too often, and passes', async () => {
    const { ask, clock } = await start();
    const statuses = await Promise.all(
      Array.from({ length: 80 }, async () => (await ask('progress', { body: PROGRESS })).statusCode),
    );
    expect(statuses.filter((status) => status === 204)).toHaveLength(60);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    await clock.advance(1000);
    expect((await ask('progress', { body: PROGRESS })).statusCode).toBe(204);
  });

  test('no log line holds the token', async () => {
    const lines: string[] = [];
    const keep = (message: string, values?: object) => void lines.push(message + JSON.stringify(values));
    const log = { ...silentLogger, debug: keep, info: keep, warn: keep, error: keep } as Logger;
    const { ask } = await start({
      log,
      scalers: [{ ...scaler('shop', 'web', 'shop'), series: undefined as never }],
    });
    expect((await ask('data')).statusCode).toBe(500);
    expect(lines.join('\n')).toContain('failed');
    expect(lines.join('\n')).not.toContain(token);
  });
});

describe('a bad body is refused with the field', () => {
  test.each([
    ['progress', { ...PROGRESS, step: -1 }, 422, 'step'],
    ['progress', { ...PROGRESS, step: 501 }, 422, 'step'],
    ['progress', { ...PROGRESS, step: '1' }, 422, 'step'],
    ['progress', { ...PROGRESS, workers: 0 }, 422, 'workers'],
    ['progress', '{"step":1,"total":2,"workers":1,"loss":1e400}', 422, 'loss'],
    ['progress', { ...PROGRESS, device: 'x'.repeat(65) }, 422, 'device'],
    ['progress', [], 422, 'body'],
    ['progress', '{"step": NaN}', 400, ''],
    ['progress', '{"__proto__": {"a": 1}}', 400, ''],
    ['progress', { ...PROGRESS, note: 'x'.repeat(5000) }, 413, ''],
    ['error', { code: 'lower', message: 'x' }, 422, 'code'],
    ['error', { code: 'CONFIG_INVALID', message: '' }, 422, 'message'],
    ['error', { code: 'CONFIG_INVALID', message: 'x'.repeat(1025) }, 422, 'message'],
    ['result', { sha256: 'AB', sizeBytes: 1, lineage: LINEAGE }, 422, 'sha256'],
    ['result', { sha256: DIGEST, sizeBytes: 1, lineage: { ...LINEAGE, schema: 2 } }, 422, 'lineage.schema'],
    [
      'result',
      { sha256: DIGEST, sizeBytes: 1, lineage: { ...LINEAGE, data: {}, family: '' } },
      422,
      'lineage.family',
    ],
  ] as const)('%s %#', async (path, body, status, field) => {
    const { ask, reports } = await start();
    const answer = await ask(path, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.statusCode).toBe(status);
    if (field !== '') expect(answer.json<{ error: string }>().error).toMatch(new RegExp(`^${field}: `));
    expect(answer.body.length).toBeLessThan(500);
    expect(reports.latest('uid-1', 3)).toBeUndefined();
  });

  test.each([
    ['gate', { verdict: 'Pass', failed: ['Data'] }, 'failed'],
    ['gate', { verdict: 'Fail', failed: [] }, 'failed'],
    ['gate', { verdict: 'Maybe' }, 'verdict'],
    ['gate', { verdict: 'Pass', scores: { a: '1' } }, 'scores.a'],
  ])('%s %#', async (path, body, field) => {
    const { ask } = await start({ facts: { stage: 'gate' } });
    const answer = await ask(path, { body });
    expect([answer.statusCode, answer.json<{ error: string }>().error.split(':')[0]]).toEqual([422, field]);
  });

  test('an error of many lines becomes one line', async () => {
    const { ask, reports } = await start();
    await ask('error', { body: { code: 'DATA_INVALID', message: 'a\nb\u0000\u001b[31mc' } });
    expect(reports.latest('uid-1', 3)?.error).toEqual({ code: 'DATA_INVALID', message: 'a b [31mc' });
  });
});

describe('data', () => {
  const names = (body: string) =>
    (JSON.parse(body) as { series: { namespace: string; scaler: string }[] }).series.map(
      (each) => `${each.namespace}/${each.scaler}`,
    );

  test('are those of the namespace, and what is unknown is null', async () => {
    const { ask } = await start();
    const list = await ask('data');
    expect(list.json()).toEqual({
      series: ['api', 'batch', 'web'].map((name) => ({
        key: `shop/${name}/rps`,
        namespace: 'shop',
        scaler: name,
        metric: 'rps',
        stepSeconds: 60,
        firstTime: NOW / 1000 - 600,
        lastTime: NOW / 1000 - 60,
        known: 9,
      })),
      limits: { maxPoints: 100 },
    });
    const part = await ask(`data/2?from=${NOW / 1000 - 600}&to=${NOW / 1000}`);
    expect(part.json()).toEqual({
      key: 'shop/web/rps',
      t0: NOW / 1000 - 600,
      stepSeconds: 60,
      values: [10, 9, 8, 7, 6, null, 4, 3, 2, 1],
    });
  });

  test('are narrowed by the selector', async () => {
    const { ask } = await start({ data: { selector: { matchLabels: { team: 'shop' } } } });
    expect(names((await ask('data')).body)).toEqual(['shop/api', 'shop/web']);
  });

  test('never are another namespace’s, even if the lookup gives them', async () => {
    const { ask } = await start({ scalers: SCALERS });
    expect(names((await ask('data')).body)).toEqual(['shop/api', 'shop/batch', 'shop/web']);
    for (const index of [0, 1, 2]) expect((await ask(`data/${index}`)).body).not.toMatch(/bank|100\d/);
    expect((await ask('data/3')).statusCode).toBe(422);
  });

  test('of all namespaces are for a run in the operator’s alone', async () => {
    const tenant = await start({ data: { allNamespaces: true } });
    for (const path of ['data', 'data/0']) {
      const answer = await tenant.ask(path);
      expect(answer.statusCode).toBe(403);
      expect(answer.body).toContain('allNamespaces');
      expect(answer.body).not.toContain('bank');
    }
    const run = 'namespaces/foresail/trainingjobs/loadcast/attempts/3';
    const all = await tenant.ask('data', { run });
    expect(names(all.body)).toEqual(['bank/web', 'shop/api', 'shop/batch', 'shop/web']);
  });

  test('of a run in the operator’s namespace that does not ask for all are its own', async () => {
    const { ask } = await start();
    const run = 'namespaces/foresail/trainingjobs/loadcast/attempts/3';
    expect(names((await ask('data', { run })).body)).toEqual([]);
  });

  test('begin with the window, and end with the last step that is over', async () => {
    const { ask } = await start({ data: { windowMs: 3 * MINUTE } });
    const { t0, values } = (await ask('data/0?from=0&to=99999999999')).json<{
      t0: number;
      values: number[];
    }>();
    expect([t0, values]).toEqual([NOW / 1000 - 180, [3, 2, 1]]);
  });

  test('from a store are none of ours', async () => {
    const { ask } = await start({ facts: { data: undefined } as never });
    expect((await ask('data')).statusCode).toBe(422);
  });

  test.each([
    ['data/x', 'index'],
    ['data/0?from=abc', 'from'],
    ['data/0?to=-1', 'to'],
    ['data/0?to=1&to=2', 'to'],
    ['data/9', 'index'],
  ])('%s is refused by name', async (path, field) => {
    const { ask } = await start();
    const answer = await ask(path);
    expect([answer.statusCode, answer.json<{ error: string }>().error.split(':')[0]]).toEqual([422, field]);
  });

  test('more series than allowed are refused, and the selector is named', async () => {
    const { ask } = await start({ maxSeries: 2 });
    const answer = await ask('data');
    expect([answer.statusCode, answer.body]).toEqual([
      413,
      expect.stringContaining('selector: it selects 3'),
    ]);
  });

  test('are packed for those who can unpack, once it is worth it', async () => {
    const { ask } = await start();
    const headers = { 'accept-encoding': 'gzip' };
    expect((await ask('data/0', { headers })).headers['content-encoding']).toBeUndefined();
    const many = await start({
      scalers: Array.from({ length: 10 }, (_, i) => ({
        ...scaler('shop', `web${i}`, 'shop'),
        series: SCALERS[0]?.series ?? [],
      })),
    });
    const packed = await many.ask('data', { headers });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(names(gunzipSync(packed.rawPayload).toString())).toHaveLength(10);
    expect(names((await many.ask('data')).body)).toHaveLength(10);
  });

  test('that nobody takes off the wire hold no room for others, and none for ever', async () => {
    const values = new Float64Array(1_000_000).fill(Math.PI);
    const large: DataExport = {
      list: () => Promise.resolve([]),
      read: () => Promise.resolve({ key: 'a', t0: 0, stepSeconds: 60, values }),
    };
    const { ask, clock } = await start({ export: large });
    const own = server as FastifyInstance;
    await own.listen({ port: 0, host: '127.0.0.1' });
    const { port } = own.server.address() as AddressInfo;
    const run = 'namespaces/shop/trainingjobs/loadcast/attempts/3';
    const stuck = await Promise.all(
      [1, 2].map(async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(
          `GET /training/v1/${run}/data/0 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n\r\n`,
        );
        await once(socket, 'data');
        socket.pause();
        return socket;
      }),
    );
    const statusOf = async (of: string) => (await ask('data', { run: of })).statusCode;
    expect(await statusOf(run)).toBe(429);
    expect(await statusOf('namespaces/foresail/trainingjobs/loadcast/attempts/3')).toBe(200);
    await clock.advance(30_000);
    const ended = stuck.map((socket) => once(socket.resume(), 'close'));
    await Promise.all(ended);
    expect(await statusOf(run)).toBe(200);
  });
});
