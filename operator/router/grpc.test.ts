/** gRPC through the router, between the clients and servers of grpc-js: real HTTP/2 on both sides. */
import { constants, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logger.ts';
import { GrpcProxy } from './grpc-proxy.ts';
import { createRouterMetrics } from './metrics.ts';
import { PROXY_LIMITS, Proxy } from './proxy.ts';
import { RouteTable, type VersionRoute } from './routes.ts';
import { type RouterServer, startRouter } from './server.ts';

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const LOAD = '/inference.GRPCInferenceService/RepositoryModelLoad';
const AUTHORITY = 'loadcast.shop:8081';
const raw = (bytes: Buffer) => bytes;

type Handler = (
  call: ServerUnaryCall<Buffer, Buffer>,
  answer: (error: Partial<ServiceError> | null, value?: Buffer, trailer?: Metadata) => void,
) => void;

interface Pod {
  readonly origin: string;
  readonly seen: string[];
  stop(): void;
}

const LIMITS = { ...PROXY_LIMITS, maxBodyBytes: 1 << 20, connectMs: 20_000, maxPerPod: 4 };

const pods: Pod[] = [];
let table: RouteTable;
let metrics: ReturnType<typeof createRouterMetrics>;
let router: RouterServer;
let client: Client;

async function pod(name: string, handle?: Handler): Promise<Pod> {
  const server = new Server();
  const seen: string[] = [];
  const method = (path: string) => ({
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  });
  const answer: Handler = (call, reply) => {
    seen.push(call.request.toString());
    if (handle !== undefined) return handle(call, reply);
    reply(null, Buffer.from(name));
  };
  server.addService({ infer: method(INFER), load: method(LOAD) }, { infer: answer, load: answer });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const made = { origin: `http://127.0.0.1:${port}`, seen, stop: () => server.forceShutdown() };
  pods.push(made);
  return made;
}

function route(...versions: readonly (Partial<VersionRoute> & Pick<VersionRoute, 'version'>)[]): void {
  table.replace([
    {
      namespace: 'shop',
      name: 'loadcast',
      stable: 1,
      stickyHeader: 'x-user',
      versions: versions.map((version) => ({
        weight: 0,
        mirrorPercent: 0,
        endpoints: version.grpcEndpoints ?? [],
        ...version,
      })),
    },
  ]);
}

function clientOf(authority: string): Client {
  const address = new URL(router.grpcUrl ?? '').host;
  return new Client(address, credentials.createInsecure(), { 'grpc.default_authority': authority });
}

interface Told {
  readonly code: number;
  readonly text: string;
  readonly initial?: Metadata;
  readonly trailer?: Metadata;
}

function ask(
  path = INFER,
  body = Buffer.from('tensors'),
  of = client,
  metadata = new Metadata(),
): Promise<Told> {
  return new Promise((resolve) => {
    let initial: Metadata | undefined;
    let told: Told | undefined;
    const call = of.makeUnaryRequest(
      path,
      raw,
      raw,
      body,
      metadata,
      { deadline: Date.now() + 30_000 },
      (error, value) => {
        told = error === null ? { code: 0, text: String(value) } : { code: error.code, text: error.details };
      },
    );
    call.on('metadata', (metadata) => {
      initial = metadata;
    });
    call.on('status', ({ metadata: trailer }) =>
      setImmediate(() =>
        resolve({ code: -1, text: '', ...told, ...(initial === undefined ? {} : { initial }), trailer }),
      ),
    );
  });
}

async function metric(name: string, labels: string): Promise<number> {
  const text = await metrics.registry.metrics();
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(labels));
  return Number(line?.split(' ').at(-1) ?? 0);
}

async function begin(limits = LIMITS): Promise<void> {
  table = new RouteTable();
  metrics = createRouterMetrics();
  const { registry, observer } = metrics;
  router = await startRouter({
    host: '127.0.0.1',
    port: 0,
    adminPort: 0,
    proxy: new Proxy(table, observer),
    grpc: { port: 0, proxy: new GrpcProxy(table, observer, limits) },
    registry,
    notReady: () => undefined,
    log: silentLogger,
    clock: systemClock,
  });
  client = clientOf(AUTHORITY);
}

async function end(): Promise<void> {
  client.close();
  await router.close(500);
}

beforeEach(() => begin());

afterEach(async () => {
  await end();
  for (const { stop } of pods.splice(0)) stop();
});

describe('a call', () => {
  test('goes through whole: message, metadata and trailers, there and back', async () => {
    const one = await pod('1', (call, reply) => {
      const trailer = new Metadata();
      trailer.set('x-took', '3');
      reply(null, Buffer.from(`${call.getPath()} ${String(call.metadata.get('x-trace'))}`), trailer);
    });
    route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
    const metadata = new Metadata();
    metadata.set('x-trace', 'abc');
    const told = await ask(INFER, Buffer.from('tensors'), client, metadata);
    expect(told).toMatchObject({ code: status.OK, text: `${INFER} abc` });
    expect(told.initial?.get('foresail-model-version')).toEqual(['1']);
    expect(told.trailer?.get('x-took')).toEqual(['3']);
    expect(one.seen).toEqual(['tensors']);
  });

  test('that the model refuses is refused with the model’s word', async () => {
    const one = await pod('1', (_, reply) =>
      reply({ code: status.INVALID_ARGUMENT, details: 'no such input' }),
    );
    route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
    expect(await ask()).toMatchObject({ code: status.INVALID_ARGUMENT, text: 'no such input' });
  });

  test('of a megabyte each way', async () => {
    const big = Buffer.alloc(1_000_000, 7);
    const one = await pod('1', (call, reply) => reply(null, call.request));
    route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
    expect((await ask(INFER, big)).text).toHaveLength(1_000_000);
  });

  test('is split by weight, and one key stays with its version', async () => {
    const [one, two] = [await pod('1'), await pod('2')];
    route(
      { version: 1, weight: 50, grpcEndpoints: [one.origin] },
      { version: 2, weight: 50, grpcEndpoints: [two.origin] },
    );
    const metadata = new Metadata();
    metadata.set('x-user', 'ada');
    const same: string[] = [];
    for (let i = 0; i < 60; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await ask();
      // oxlint-disable-next-line no-await-in-loop -- as above
      same.push((await ask(INFER, Buffer.from('mine'), client, metadata)).text);
    }
    expect(new Set(same).size).toBe(1);
    for (const { seen } of [one, two])
      expect(seen.filter((text) => text === 'tensors').length).toBeGreaterThan(10);
  });

  test('is copied to a shadow, whose answer goes nowhere', async () => {
    const [one, two] = [await pod('1'), await pod('2', (_, reply) => reply({ code: status.INTERNAL }))];
    route(
      { version: 1, weight: 100, grpcEndpoints: [one.origin] },
      { version: 2, mirrorPercent: 100, grpcEndpoints: [two.origin] },
    );
    expect(await ask()).toMatchObject({ code: status.OK, text: '1' });
    await until(async () => (await metric('foresail_router_mirrored_total', 'outcome="sent"')) === 1);
    expect(two.seen).toEqual(['tensors']);
  });
});

test('a call that its caller gives up is given up at the pod, and another one is not touched', async () => {
  let canceled = false;
  let release: (() => void) | undefined;
  const one = await pod('1', (call, reply) => {
    if (call.request.toString() === 'stay') {
      release = () => reply(null, Buffer.from('late'));
      return;
    }
    call.on('cancelled', () => {
      canceled = true;
    });
  });
  route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
  const staying = ask(INFER, Buffer.from('stay'));
  const call = client.makeUnaryRequest(INFER, raw, raw, Buffer.from('go'), () => undefined);
  await until(() => one.seen.length === 2);
  call.cancel();
  await until(() => canceled);
  release?.();
  expect(await staying).toMatchObject({ code: status.OK, text: 'late' });
  await until(async () => (await metric('foresail_router_requests_total', 'outcome="canceled"')) === 1);
});

test('an answer that breaks off is an error for its caller', async () => {
  const broken = createServer();
  broken.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(Buffer.from([0, 0, 0, 0, 9, 1]), () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  });
  await new Promise<void>((resolve) => {
    broken.listen(0, '127.0.0.1', resolve);
  });
  const { port } = broken.address() as AddressInfo;
  route({ version: 1, weight: 100, grpcEndpoints: [`http://127.0.0.1:${port}`] });
  expect(await ask()).toMatchObject({ code: status.INTERNAL });
  broken.close();
});

describe('what cannot be routed', () => {
  test('another authority', async () => {
    const other = clientOf('other.shop');
    expect(await ask(INFER, Buffer.from(''), other)).toMatchObject({ code: status.NOT_FOUND });
    other.close();
  });

  test('a message beyond the limit', async () => {
    const one = await pod('1');
    route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
    expect(await ask(INFER, Buffer.alloc((1 << 20) + 1))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(one.seen).toEqual([]);
  });

  test('a model without a ready pod', async () => {
    route({ version: 1, weight: 100 });
    expect(await ask()).toMatchObject({ code: status.UNAVAILABLE });
  });

  test('a pod that takes too long', async () => {
    await end();
    await begin({ ...LIMITS, answerMs: 200 });
    const one = await pod('1', () => undefined);
    route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
    expect(await ask()).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      text: 'the pod did not answer in time',
    });
    expect(one.seen).toHaveLength(1);
  });
});

describe('pods that go', () => {
  test('a call to one that is gone goes to the next', async () => {
    const [gone, one] = [await pod('gone'), await pod('1')];
    gone.stop();
    route({ version: 1, weight: 100, grpcEndpoints: [gone.origin, one.origin] });
    for (let i = 0; i < 4; i += 1)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await ask()).toMatchObject({ code: status.OK, text: '1' });
  });

  test('a canary whose pods are gone: stable answers', async () => {
    const [gone, one] = [await pod('gone'), await pod('1')];
    gone.stop();
    route(
      { version: 1, weight: 0, grpcEndpoints: [one.origin] },
      { version: 2, weight: 100, grpcEndpoints: [gone.origin] },
    );
    expect(await ask()).toMatchObject({ code: status.OK, text: '1' });
  });

  test('one that dies in the middle: an inference is asked again, a change of the repository is not', async () => {
    const one = await pod('1');
    const dying = await pod('dying', () => dying.stop());
    route({ version: 1, weight: 100, grpcEndpoints: [dying.origin] });
    expect(await ask(LOAD)).toMatchObject({ code: status.UNAVAILABLE });
    const dying2 = await pod('dying', () => dying2.stop());
    route({ version: 1, weight: 100, grpcEndpoints: [dying2.origin, one.origin] });
    for (let i = 0; i < 2; i += 1)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await ask()).toMatchObject({ code: status.OK, text: '1' });
    expect(dying2.seen).toHaveLength(1);
  });
});

test('its end waits for a call that is under way', async () => {
  let release: (() => void) | undefined;
  const one = await pod('1', (_, reply) => {
    release = () => reply(null, Buffer.from('late'));
  });
  route({ version: 1, weight: 100, grpcEndpoints: [one.origin] });
  const answer = ask();
  await until(() => release !== undefined);
  const closed = router.close(30_000);
  release?.();
  expect(await answer).toMatchObject({ code: status.OK, text: 'late' });
  await closed;
});

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 45_000;
  // oxlint-disable-next-line no-await-in-loop -- a poll
  while (!(await check())) {
    if (performance.now() > giveUpAt) throw new Error('it never came to it');
    // oxlint-disable-next-line no-await-in-loop -- as above
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
