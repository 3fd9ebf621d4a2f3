import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get as httpsGet } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { silentLogger } from '../logger.ts';
import { selfSigned } from '../metricsources/testing/certificate.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createAuthorizer } from './authorizer.ts';
import { createHttp, type HttpContent, startHttp } from './http.ts';
import { createMetrics } from './metrics.ts';

/** Stands in for the API server's reviews, which a test can make fail; the real ones have a cluster test. */
function reviews() {
  const asked: string[] = [];
  let down = false;
  return {
    asked,
    fail: () => {
      down = true;
    },
    async reviewToken(token: string) {
      asked.push(token);
      if (down) throw new Error('connection refused');
      return token === 'good' || token === 'weak'
        ? { authenticated: true, user: { username: token, groups: ['g'] } }
        : { authenticated: false };
    },
    reviewAccess: async (spec: { user: string }) => spec.user === 'good',
  };
}

let server: FastifyInstance | undefined;
afterEach(() => server?.close());

function start(overrides: Partial<HttpContent> = {}) {
  const api = reviews();
  const clock = new FakeClock();
  server = createHttp({
    registry: createMetrics().registry,
    authorizer: createAuthorizer(api, clock),
    unhealthy: () => undefined,
    notReady: () => undefined,
    explain: (namespace, name) => (name === 'web' ? { namespace, name, result: 4 } : undefined),
    log: silentLogger,
    clock,
    ...overrides,
  });
  const get = (url: string, token?: string) =>
    (server as FastifyInstance).inject({
      url,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  return { api, clock, get };
}

describe('metrics', () => {
  test.each([
    [undefined, 401],
    ['stranger', 401],
    ['weak', 403],
    ['good', 200],
  ])('token %s gets %i', async (token, code) => {
    const { get } = start();
    expect((await get('/metrics', token)).statusCode).toBe(code);
  });

  test('are refused, not opened, while the API server cannot be asked', async () => {
    const { api, get } = start();
    api.fail();
    expect((await get('/metrics', 'good')).statusCode).toBe(503);
  });

  test('ask the API server once in a while, not at each scrape', async () => {
    const { api, clock, get } = start();
    await get('/metrics', 'good');
    await get('/metrics', 'good');
    expect(api.asked).toHaveLength(1);
    await clock.advance(31_000);
    await get('/metrics', 'good');
    expect(api.asked).toHaveLength(2);
  });
});

test('probes are open and say why', async () => {
  const { get } = start({ notReady: () => 'caches are not synced' });
  expect((await get('/healthz')).statusCode).toBe(200);
  const ready = await get('/readyz');
  expect([ready.statusCode, ready.body]).toEqual([503, 'caches are not synced']);
});

test('an explanation needs the right to read that scaler', async () => {
  const { get } = start();
  const path = '/explain/v1/namespaces/shop/predictivescalers/web';
  expect((await get(path)).statusCode).toBe(401);
  expect((await get(path, 'good')).json()).toEqual({ namespace: 'shop', name: 'web', result: 4 });
  expect((await get(path.replace('web', 'other'), 'good')).statusCode).toBe(404);
});

test('why a forecast is what it is, is computed only when it is asked for', async () => {
  const asked: string[] = [];
  const { get } = start({
    whyForecast: async (namespace, name) => {
      asked.push(`${namespace}/${name}`);
      return [{ metric: 'rps' }];
    },
  });
  const path = '/explain/v1/namespaces/shop/predictivescalers/web';
  expect((await get(path, 'good')).json()).not.toHaveProperty('forecast');
  expect(asked).toEqual([]);
  expect((await get(`${path}?attribution=true`)).statusCode).toBe(401);
  expect((await get(`${path}?attribution=true`, 'good')).json()).toMatchObject({
    result: 4,
    forecast: { attribution: [{ metric: 'rps' }] },
  });
  expect(asked).toEqual(['shop/web']);
});

test('a forecast that cannot be explained now may be asked about again', async () => {
  const { get } = start({ whyForecast: () => Promise.reject(new Error('2 forecasts are being explained')) });
  const answer = await get('/explain/v1/namespaces/shop/predictivescalers/web?attribution=true', 'good');
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.json().error).toContain('2 forecasts are being explained');
});

test('an object may have the longest name that Kubernetes takes', async () => {
  const { get } = start({ explain: (_namespace, name) => ({ length: name.length }) });
  const answer = await get(`/explain/v1/namespaces/shop/predictivescalers/${'a'.repeat(253)}`, 'good');
  expect(answer.json()).toEqual({ length: 253 });
});

test('an IPv6 address is listened on', async () => {
  const api = reviews();
  const { url, close } = await startHttp(
    { address: '[::1]:0' },
    {
      registry: createMetrics().registry,
      authorizer: createAuthorizer(api, new FakeClock()),
      unhealthy: () => undefined,
      notReady: () => undefined,
      explain: () => undefined,
      log: silentLogger,
      clock: new FakeClock(),
    },
  );
  expect(url).toContain('[::1]:');
  await close();
});

describe('the certificate', () => {
  /** Asks over a new connection that believes one certificate alone. */
  const ask = (url: string, ca: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      httpsGet(`${url}/healthz`, { ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });

  test('is replaced when its files change, and half a pair replaces nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'foresail-certificate-'));
    const tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
    const [first, second] = [selfSigned(), selfSigned()];
    const warnings: unknown[] = [];
    const log = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
    await writeFile(tls.certFile, first.cert);
    await writeFile(tls.keyFile, first.key);
    const clock = new FakeClock();
    /** Reading files takes its own time, so the next look is waited for. */
    const until = async (done: () => boolean | Promise<boolean>) => {
      const giveUpAt = performance.now() + 45_000;
      while (!(await done()) && performance.now() < giveUpAt) {
        await clock.advance(5_000);
        await sleep(5);
      }
    };
    const http = await startHttp(
      { address: '127.0.0.1:0', tls },
      {
        registry: createMetrics().registry,
        authorizer: createAuthorizer(reviews(), clock),
        unhealthy: () => undefined,
        notReady: () => undefined,
        explain: () => undefined,
        log,
        clock,
      },
    );
    try {
      expect(await ask(http.url, first.cert)).toBe(200);
      await writeFile(tls.certFile, second.cert);
      await until(() => warnings.length > 0);
      expect(warnings).toEqual(['certificate could not be replaced, the old one serves']);
      expect(await ask(http.url, first.cert)).toBe(200);
      await writeFile(tls.keyFile, second.key);
      await until(() =>
        ask(http.url, second.cert).then(
          () => true,
          () => false,
        ),
      );
      expect(await ask(http.url, second.cert)).toBe(200);
      await expect(ask(http.url, first.cert)).rejects.toThrow();
    } finally {
      await http.close();
      await rm(folder, { recursive: true });
    }
  });
});
