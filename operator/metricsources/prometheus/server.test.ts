/** How one server is asked: with which credentials, over how many connections, and what a bad one costs the rest. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { selfSigned } from '../testing/certificate.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../testing/requests.ts';
import { freshThen, json, type Script, scriptedServer, vector } from '../testing/scripted-server.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-metricsources-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** As a mounted Secret does it: a new file takes the old one's name. */
async function place(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  return path;
}

const good: Script = (response, asked) => freshThen(vector(['5']))(response, asked);
const value = { kind: 'value', value: { milli: 5000 } };

describe('credentials', () => {
  test('are read again when their file is replaced', async () => {
    await using server = await scriptedServer(good);
    const bearerTokenFile = await place('token', 'first\n');
    await using sources = sourcesFor([serverEntry(server.url, { bearerTokenFile, freshnessProbe: false })]);
    await sources.read(prometheusRequest(), never());
    await place('token', 'second');
    await sources.read(prometheusRequest(), never());
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ]);
  });

  test('may be a name and a password, and headers out of files', async () => {
    await using server = await scriptedServer(good);
    const entry = serverEntry(server.url, {
      basicAuth: { username: 'op', passwordFile: await place('password', 'pass:word') },
      headers: { 'X-Plain': 'a' },
      headerFiles: { 'X-Api-Key': await place('key', 'k') },
    });
    await using sources = sourcesFor([entry]);
    await sources.read(prometheusRequest(), never());
    expect(server.asked[0]?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('op:pass:word').toString('base64')}`,
      'x-plain': 'a',
      'x-api-key': 'k',
    });
  });

  test.each([
    ['missing', undefined],
    ['empty', ' \n'],
    ['of two lines', 'secret-a\nsecret-b'],
  ])('in a file that is %s are told without their text, and nothing is asked', async (_, text) => {
    await using server = await scriptedServer(good);
    const bearerTokenFile = text === undefined ? join(folder, 'none') : await place('bad', text);
    await using sources = sourcesFor([serverEntry(server.url, { bearerTokenFile })]);
    const observation = await sources.read(prometheusRequest(), never());
    expect(observation).toMatchObject({
      reason: 'NotConfigured',
      message: expect.stringContaining('bearerTokenFile'),
    });
    expect(JSON.stringify(observation)).not.toContain('secret');
    expect(server.asked).toHaveLength(0);
  });

  test('do not follow a redirect', async () => {
    await using thief = await scriptedServer(good);
    await using server = await scriptedServer((response) => {
      response.writeHead(308, { location: `${thief.url}/api/v1/query` });
      response.end();
    });
    const bearerTokenFile = await place('token', 'secret');
    await using sources = sourcesFor([serverEntry(server.url, { bearerTokenFile })]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ reason: 'BadAnswer' });
    expect(thief.connections() + thief.asked.length).toBe(0);
  });
});

test('the tenant header is the namespace of the scaler, whatever the query says', async () => {
  await using server = await scriptedServer(good);
  const entry = serverEntry(server.url, { tenantHeader: 'X-Scope-OrgID', allowedNamespaces: undefined });
  await using sources = sourcesFor([entry]);
  await sources.read(prometheusRequest('x{namespace="other"}', 'default', 'shop'), never());
  await sources.read(prometheusRequest('x', 'default', 'bank'), never());
  const tenants = server.asked.map(({ headers }) => headers['x-scope-orgid']);
  expect(new Set(tenants)).toEqual(new Set(['shop', 'bank']));
});

test('an enforced label stands in the query and in the question after its age', async () => {
  await using server = await scriptedServer(good);
  const entry = serverEntry(server.url, { enforcedNamespaceLabel: 'ns', allowedNamespaces: undefined });
  await using sources = sourcesFor([entry]);
  expect(await sources.read(prometheusRequest('sum(rate(x[1m]))'), never())).toMatchObject(value);
  const queries = server.asked.map(({ params }) => params.get('query') ?? '');
  expect(queries).toHaveLength(2);
  for (const query of queries) expect(query).toContain('x{ns="shop"}');
});

test('a private authority is trusted, and its successor once the file is replaced', async () => {
  const [old, next] = [selfSigned(), selfSigned()];
  const caFile = await place('ca.pem', old.cert);
  await using first = await scriptedServer(good, old);
  await using second = await scriptedServer(good, next);
  await using sources = sourcesFor([
    serverEntry(first.url, { caFile, freshnessProbe: false }),
    serverEntry(second.url, { name: 'second', caFile, freshnessProbe: false }),
  ]);
  expect(await sources.read(prometheusRequest(), never())).toMatchObject(value);
  const early = await sources.read(prometheusRequest('x', 'second'), never());
  expect(early).toMatchObject({ reason: 'Unreachable', message: expect.stringContaining('certificate') });
  await place('ca.pem', next.cert);
  expect(await sources.read(prometheusRequest('x', 'second'), never())).toMatchObject(value);
});

describe('a certificate', () => {
  const read = async (more: object, tls: ServerOptions) => {
    await using server = await scriptedServer(good, tls);
    await using sources = sourcesFor([serverEntry(server.url, more)]);
    const observation = await sources.read(prometheusRequest(), never());
    return { observation, asked: server.asked.length };
  };

  test('that has run out is not accepted', async () => {
    const old = selfSigned(Date.now() - 3 * 86_400_000);
    const { observation, asked } = await read({ caFile: await place('old.pem', old.cert) }, old);
    expect(observation).toMatchObject({ message: expect.stringContaining('CERT_HAS_EXPIRED') });
    expect(asked).toBe(0);
  });

  test('for another name is not accepted', async () => {
    const other = selfSigned();
    const caFile = await place('other.pem', other.cert);
    const { observation, asked } = await read({ caFile, serverName: 'prometheus.example' }, other);
    expect(observation).toMatchObject({ message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') });
    expect(asked).toBe(0);
  });

  test('of our own is shown to a server that asks for one', async () => {
    const [server, client] = [selfSigned(), selfSigned()];
    const asking = { ...server, requestCert: true, rejectUnauthorized: true, ca: client.cert };
    const caFile = await place('server.pem', server.cert);
    expect((await read({ caFile }, asking)).observation).toMatchObject({ reason: 'Unreachable' });
    const certFile = await place('client.pem', client.cert);
    const keyFile = await place('client.key', client.key);
    expect((await read({ caFile, certFile, keyFile }, asking)).observation).toMatchObject(value);
  });
});

test('many reads share few connections', async () => {
  await using server = await scriptedServer(good);
  await using sources = sourcesFor([serverEntry(server.url, { maxConcurrent: 4 })]);
  let most = 0;
  const reads = Array.from({ length: 200 }, async (_, index) => {
    const observation = await sources.read(prometheusRequest(`x${index}`), never());
    most = Math.max(most, server.connections());
    return observation.kind;
  });
  expect(new Set(await Promise.all(reads))).toEqual(new Set(['value']));
  expect(most).toBeLessThanOrEqual(4);
});

describe('a bad source delays nobody else', () => {
  test('a server that hangs: another server’s reads go on', async () => {
    await using hanging = await scriptedServer(() => {});
    await using healthy = await scriptedServer(good);
    await using sources = sourcesFor([
      serverEntry(hanging.url, { timeout: '1m' }),
      serverEntry(healthy.url, { name: 'healthy' }),
    ]);
    const end = new AbortController();
    const stuck = Array.from({ length: 50 }, (_, index) =>
      sources.read(prometheusRequest(`x${index}`), end.signal),
    );
    const ended = Promise.allSettled(stuck);
    const answered = Array.from({ length: 50 }, (_, index) =>
      sources.read(prometheusRequest(`x${index}`, 'healthy'), never()),
    );
    // All of them are there while not one of the others has come to its end.
    const first = await Promise.race([Promise.all(answered), Promise.race(stuck)]);
    expect(first).toMatchObject(Array.from({ length: 50 }, () => value));
    end.abort(new Error('the end'));
    await ended;
  });

  test('a server that hangs: its own reads stop costing their deadline', async () => {
    await using hanging = await scriptedServer(() => {});
    const breaker = { threshold: 5, firstPauseMs: 60_000, longestPauseMs: 60_000 };
    await using sources = sourcesFor([serverEntry(hanging.url, { timeout: '100ms' })], { breaker });
    const stuck = Array.from({ length: 50 }, (_, index) =>
      sources.read(prometheusRequest(`x${index}`), never()),
    );
    const reasons = (await Promise.all(stuck)).map(
      (observation) => observation.kind === 'unknown' && observation.reason,
    );
    expect(reasons.filter((reason) => reason !== 'Timeout' && reason !== 'Overloaded')).toEqual([]);
    for (let i = 0; i < 5; i += 1) await sources.read(prometheusRequest('x'), never());
    const asked = hanging.asked.length;
    expect(await sources.read(prometheusRequest('once more'), never())).toMatchObject({ reason: 'Timeout' });
    expect(hanging.asked).toHaveLength(asked);
  });

  test('a tenant with slow queries: another tenant of the same server is answered first', async () => {
    const slow: Script = (response, asked) => {
      if ((asked.params.get('query') ?? '').includes('slow')) return;
      good(response, asked);
    };
    await using server = await scriptedServer(slow);
    const entry = serverEntry(server.url, { timeout: '1m', maxConcurrent: 4 });
    await using sources = sourcesFor([entry]);
    const bad = Array.from({ length: 100 }, (_, index) =>
      sources.read(prometheusRequest(`slow${index}`, 'default', 'noisy'), never()),
    );
    const others = Array.from({ length: 20 }, (_, index) =>
      sources.read(prometheusRequest(`x${index}`, 'default', 'quiet'), never()),
    );
    const first = await Promise.race([Promise.all(others), Promise.race(bad)]);
    expect(first).toMatchObject(Array.from({ length: 20 }, () => value));
    await sources.close();
    await Promise.all(bad);
  });

  test('a server that comes back is found again', async () => {
    await using server = await scriptedServer(json('', 500));
    const breaker = { threshold: 2, firstPauseMs: 500, longestPauseMs: 500 };
    await using sources = sourcesFor([serverEntry(server.url)], { breaker });
    for (let i = 0; i < 5; i += 1) await sources.read(prometheusRequest(), never());
    expect(server.asked.length).toBeLessThan(5);
    server.answer(good);
    let observation = await sources.read(prometheusRequest(), never());
    while (observation.kind === 'unknown') {
      await new Promise((resolve) => setTimeout(resolve, 20));
      observation = await sources.read(prometheusRequest(), never());
    }
    expect(observation).toMatchObject(value);
  });
});
