/** The payload log against a real HTTP listener on the loopback. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import type { AddressClass } from '../../net/address.ts';
import type { PayloadOutcome } from '../metrics.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { grpcClients } from '../testing/grpc-client.ts';
import { servers, until } from '../testing/servers.ts';
import { openPayloadLog, type PayloadLog, type PayloadLogOptions } from './payload-log.ts';

const start = servers();
const connect = grpcClients();
const ends: (() => unknown)[] = [];
afterEach(async () => {
  // oxlint-disable-next-line no-await-in-loop -- in order
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** @param hold answers only when the test lets it */
async function listener({ status = 200, hold }: { status?: number; hold?: Promise<unknown> } = {}) {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    received.push({ headers: request.headers, body: await json(request) });
    await hold;
    response.writeHead(status, { location: 'http://169.254.169.254/' }).end('thanks');
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/log?a=b`), received };
}

function opened(
  over: Partial<PayloadLogOptions> & { url: URL },
  { random = 0, allowed = ['loopback'] as AddressClass[] } = {},
) {
  const counts: Record<PayloadOutcome, number> = { sent: 0, failed: 0, dropped: 0, unfit: 0 };
  const warnings: unknown[] = [];
  const payloads = openPayloadLog(
    { sample: 1, kinds: ['request', 'response'], namespace: 'shop', ...over },
    {
      guard: { allowed: new Set(allowed), apiServers: () => [] },
      clock: systemClock,
      log: { ...silentLogger, warn: (_text: string, keys?: object) => void warnings.push(keys) },
      random: () => random,
      count: (outcome) => counts[outcome]++,
    },
  );
  ends.push(() => payloads.close(AbortSignal.abort()));
  return { payloads, counts, warnings };
}

const serve = (payloads: PayloadLog) => start(fakeEngine(), { grpcPort: 0 }, { around: { payloads } });
const X = { name: 'x', datatype: 'FP32', shape: [1, 2] };
const infer = async (url: string, over: { id?: string; headers?: Record<string, string>; x?: object } = {}) =>
  await fetch(`${url}/v2/models/echo/infer`, {
    method: 'POST',
    headers: over.headers ?? {},
    body: JSON.stringify({
      ...(over.id === undefined ? {} : { id: over.id }),
      inputs: [{ ...X, data: [1.5, null], ...over.x }],
    }),
  });

describe('a request and its answer', () => {
  test('come as two CloudEvents that KServe’s listeners understand', async () => {
    const { url, received } = await listener();
    const { payloads, counts } = opened({ url });
    const { httpUrl } = await serve(payloads);
    expect((await infer(httpUrl, { id: 'order-7' })).status).toBe(200);
    await until(() => counts.sent === 2);
    const [request, response] = [...received].sort((a, b) =>
      String(a.headers['ce-type']).localeCompare(String(b.headers['ce-type'])),
    );
    const common = {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': 'order-7',
      'ce-time': expect.stringMatching(/^\d{4}-.*Z$/),
      'ce-source': '/v2/models/echo/versions/2',
      'ce-inferenceservicename': 'echo',
      'ce-namespace': 'shop',
      'ce-component': 'predictor',
      'ce-endpoint': 'default',
      'ce-modelversion': '2',
    };
    expect(request?.headers).toMatchObject({
      ...common,
      'ce-type': 'org.kubeflow.serving.inference.request',
    });
    expect(response?.headers).toMatchObject({
      ...common,
      'ce-type': 'org.kubeflow.serving.inference.response',
    });
    expect(request?.body).toEqual({ id: 'order-7', inputs: [{ ...X, data: [1.5, null] }] });
    expect(response?.body).toEqual({
      model_name: 'echo',
      model_version: '2',
      id: 'order-7',
      outputs: [{ ...X, data: [1.5, null] }],
    });
  });

  test('of gRPC come in the same form, and the ce-id of a caller goes before other names', async () => {
    const { url, received } = await listener();
    const { payloads, counts } = opened({ url, kinds: ['request'] });
    const { httpUrl, grpcAddress } = await serve(payloads);
    const raw = Buffer.from(Float32Array.of(3, 4).buffer);
    await connect(grpcAddress as string)('ModelInfer', {
      model_name: 'echo',
      id: 'g',
      inputs: [X],
      raw_input_contents: [raw],
    });
    await until(() => counts.sent === 1);
    expect(received[0]?.body).toEqual({ id: 'g', inputs: [{ ...X, data: [3, 4] }] });
    await infer(httpUrl, { id: 'body', headers: { 'ce-id': 'event', 'x-request-id': 'proxy' } });
    await until(() => counts.sent === 2);
    expect(received[1]?.headers['ce-id']).toBe('event');
  });

  test('with a name that does not belong into a header get another', async () => {
    const { url, received } = await listener();
    const { payloads, counts } = opened({ url });
    const { httpUrl } = await serve(payloads);
    await infer(httpUrl, { id: 'a\r\nb' });
    await until(() => counts.sent === 2);
    const ids = received.map(({ headers }) => headers['ce-id']);
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(ids[1]).toBe(ids[0]);
  });

  test('outside of the sample, or that failed, do not come', async () => {
    const { url, received } = await listener();
    const { payloads, counts } = opened({ url, sample: 0.5 }, { random: 0.5 });
    const { httpUrl } = await serve(payloads);
    await infer(httpUrl);
    await payloads.close(new AbortController().signal);
    expect([received.length, counts.dropped]).toEqual([0, 0]);
  });

  test('that JSON cannot say, or that are too large, are counted', async () => {
    const { url, received } = await listener();
    const { payloads, counts } = opened({ url, kinds: ['request'] });
    const { httpUrl } = await serve(payloads);
    const many = 300_000;
    await infer(httpUrl, { x: { shape: [many], data: Array(many).fill(1) } });
    await until(() => counts.unfit === 1);
    const next = payloads.around(async () => ({ model: 'm', version: '1', outputs: [] }));
    const half = { name: 'h', datatype: 'FP16' as const, shape: [1], data: Uint16Array.of(1) };
    await next({ model: 'm', inputs: [half] }, {}, new AbortController().signal);
    await until(() => counts.unfit === 2);
    expect(received).toHaveLength(0);
  });
});

describe('a listener', () => {
  test('that is slow holds no request up, and what does not fit is dropped', async () => {
    let release = () => {};
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { url } = await listener({ hold });
    const { payloads, counts } = opened({ url, kinds: ['request'], maxEvents: 3 });
    const { httpUrl } = await serve(payloads);
    for (let i = 0; i < 20; i++)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await infer(httpUrl)).status).toBe(200);
    expect(counts.sent).toBe(0);
    expect(counts.dropped).toBeGreaterThanOrEqual(20 - 3 - 4);
    release();
    await until(() => counts.sent + counts.failed + counts.dropped === 20);
  });

  test('that refuses, redirects or is not there costs a count and one line', async () => {
    const { url } = await listener({ status: 307 });
    const redirecting = opened({ url });
    const { httpUrl } = await serve(redirecting.payloads);
    expect((await infer(httpUrl)).status).toBe(200);
    await until(() => redirecting.counts.failed === 2);
    expect(redirecting.warnings).toEqual([{ origin: url.origin, error: 'it answers 307' }]);
  });

  test('at an address that is not allowed is never connected', async () => {
    const { url, received } = await listener();
    const { payloads, counts, warnings } = opened({ url }, { allowed: [] });
    const { httpUrl } = await serve(payloads);
    expect((await infer(httpUrl)).status).toBe(200);
    await until(() => counts.failed === 2);
    expect(received).toHaveLength(0);
    expect(JSON.stringify(warnings)).toContain('loopback');
  });

  test('gets what waits when the server ends, for as long as there is time', async () => {
    const { url, received } = await listener();
    const { payloads } = opened({ url });
    const { httpUrl } = await serve(payloads);
    await Promise.all(Array.from({ length: 10 }, () => infer(httpUrl)));
    await payloads.close(new AbortController().signal);
    expect(received).toHaveLength(20);
  });

  test('that hangs does not keep the server from ending', async () => {
    const { url } = await listener({ hold: new Promise(() => {}) });
    const { payloads, counts } = opened({ url });
    const { httpUrl } = await serve(payloads);
    await Promise.all(Array.from({ length: 10 }, () => infer(httpUrl)));
    await payloads.close(AbortSignal.timeout(50));
    expect(counts.sent).toBe(0);
    expect(counts.failed + counts.dropped).toBe(20);
  });
});
