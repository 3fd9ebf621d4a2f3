import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { systemClock } from '../../clock.ts';
import { buildWindow } from '../../forecast/window.ts';
import { loadModel } from '../../inference/load.ts';
import { forecastWith } from '../../inference/runner.ts';
import { tinyModel } from '../../inference/testing/tiny-model.ts';
import { openEngine } from '../../server/core/engine.ts';
import type { Engine } from '../../server/core/types.ts';
import { servers, until } from '../../server/testing/servers.ts';
import { VersionClient } from './version-client.ts';

const signal = new AbortController().signal;
const MINUTE = 60_000;
const FILE = tinyModel({ offset: 7 });
const DIGEST = createHash('sha256').update(FILE).digest('hex');
const serve = servers();
const dispatcher = new Agent();

let root: string;
let engine: Engine;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'foresail-served-'));
  await mkdir(join(root, 'mine/3'), { recursive: true });
  await writeFile(join(root, 'mine/3/model.onnx'), FILE);
  engine = await openEngine({ repository: root, clock: systemClock }, signal);
  await until(() => engine.ready() && engine.modelReady('mine', '3'));
});

afterAll(async () => {
  await engine.close(signal);
  await dispatcher.close();
  await rm(root, { recursive: true });
});

const windowOf = (value: number) =>
  buildWindow('web', 600 * MINUTE, MINUTE, (_end, _step, count) =>
    Float64Array.from({ length: count }, (_, i) => (i % 7 === 0 ? Number.NaN : value + i)),
  );

function clientOf(baseUrl: string, more: { digest?: string; version?: number; timeoutMs?: number } = {}) {
  const { timeoutMs = 60_000, ...address } = more;
  return new VersionClient(
    { model: 'mine', version: 3, digest: DIGEST, baseUrl, ...address },
    { dispatcher, timeoutMs },
  );
}

describe('a version that is asked over HTTP', () => {
  test('forecasts as its file does here, also of unknown values and in many windows', async () => {
    const { httpUrl } = await serve(engine);
    const client = clientOf(httpUrl);
    const windows = Array.from({ length: 70 }, (_, i) => windowOf(10 * i));
    const { session, descriptor } = await loadModel(FILE);
    const here = await forecastWith(
      (context, seasonal, batch) => session.run(context, seasonal, batch),
      descriptor,
      windows,
      64,
      signal,
    );
    const there = await client.forecast(windows, signal);
    expect(there.map(({ values }) => values)).toEqual(here.map(({ values }) => values));
    expect(there[0]?.model).toEqual({ name: 'mine', version: '3', digest: `sha256:${DIGEST}` });
    expect(client.id).toBe('mine@3');
    await session.close();
  });

  test('another file than the pinned one is refused, whatever it forecasts', async () => {
    const { httpUrl } = await serve(engine);
    await expect(
      clientOf(httpUrl, { digest: 'b'.repeat(64) }).forecast([windowOf(1)], signal),
    ).rejects.toMatchObject({ code: 'MODEL_INVALID', message: expect.stringContaining(DIGEST) });
  });

  test('a version that is not there is not ready', async () => {
    const { httpUrl } = await serve(engine);
    await expect(clientOf(httpUrl, { version: 4 }).forecast([windowOf(1)], signal)).rejects.toMatchObject({
      code: 'MODEL_LOADING',
    });
  });

  test('a server that is away is a failed run', async () => {
    const { httpUrl, stop } = await serve(engine);
    await stop(0, signal);
    await expect(clientOf(httpUrl).forecast([windowOf(1)], signal)).rejects.toMatchObject({
      code: 'MODEL_RUN_FAILED',
    });
  });
});

/** A server that lies, which the real one cannot be made to do. */
describe('a server that answers what it should not', () => {
  let liar: Server;
  let url: string;
  let answer: (path: string) => { status?: number; headers?: Record<string, string>; body: Buffer | string };

  beforeAll(async () => {
    liar = createServer((request, response) => {
      const { status = 200, headers = {}, body } = answer(request.url ?? '');
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => void liar.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
  });
  afterAll(() => void liar.close());

  const metadata = (properties: object) => JSON.stringify({ name: 'mine', properties });
  const proper = {
    sha256: DIGEST,
    contract: 'forecast',
    'foresail.horizon': '2',
    'foresail.quantile_levels': '[0.1,0.5,0.9]',
    'foresail.context_length': '512',
    'foresail.season_window': '64',
    'foresail.season_lags_days': '[1,2,7,14]',
  };

  test.each([
    ['no JSON', 'hello', 'MODEL_RUN_FAILED'],
    ['no properties', '{}', 'MODEL_INVALID'],
    ['a generic model', metadata({ ...proper, contract: 'generic' }), 'MODEL_INVALID'],
    ['a horizon without end', metadata({ ...proper, 'foresail.horizon': '1e9' }), 'MODEL_INVALID'],
    ['levels that fall', metadata({ ...proper, 'foresail.quantile_levels': '[0.9,0.5]' }), 'MODEL_INVALID'],
  ])('%s as metadata', async (_what, body, code) => {
    answer = () => ({ body });
    await expect(clientOf(url).forecast([windowOf(1)], signal)).rejects.toMatchObject({ code });
  });

  test.each([
    ['too short', '{"model_version":"3"}', 4],
    ['of another version', '{"model_version":"2"}', 24],
    ['of no version', '{}', 24],
  ])('an answer that is %s', async (_what, head, bytes) => {
    answer = (path) =>
      path.endsWith('/infer')
        ? {
            headers: { 'inference-header-content-length': String(head.length) },
            body: Buffer.concat([Buffer.from(head), Buffer.alloc(bytes)]),
          }
        : { body: metadata(proper) };
    await expect(clientOf(url).forecast([windowOf(1)], signal)).rejects.toMatchObject({
      code: 'MODEL_RUN_FAILED',
    });
  });

  test('a redirect is not followed', async () => {
    answer = () => ({ status: 302, headers: { location: 'http://169.254.169.254/' }, body: '' });
    await expect(clientOf(url).forecast([windowOf(1)], signal)).rejects.toMatchObject({
      code: 'MODEL_RUN_FAILED',
      message: expect.stringContaining('302'),
    });
  });

  test('its words are cut before they reach a status', async () => {
    answer = () => ({ status: 500, body: `${'x'.repeat(5_000)}\u001b[31m` });
    const error = await clientOf(url)
      .forecast([windowOf(1)], signal)
      .catch((thrown: Error) => thrown);
    expect((error as Error).message.length).toBeLessThan(300);
  });

  test('one that never answers costs its time-out', async () => {
    const hung = createServer(() => undefined);
    await new Promise<void>((resolve) => void hung.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(hung.address() as AddressInfo).port}`;
    await expect(clientOf(address, { timeoutMs: 200 }).forecast([windowOf(1)], signal)).rejects.toMatchObject(
      { code: 'MODEL_TIMEOUT' },
    );
    hung.closeAllConnections();
    hung.close();
  });
});
