/** What holds for connections rather than for single requests, over both protocols. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { silentLogger } from '../logger.ts';
import { fakeEngine } from './testing/fake-engine.ts';
import { grpcClients } from './testing/grpc-client.ts';
import { servers } from './testing/servers.ts';
import { GRPC } from './wire/errors.ts';

const start = servers();
const grpc = grpcClients();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // Closed from the other side while it is being opened is what some of these tests wait for.
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

const ready = (url: string) =>
  fetch(`${url}/v2/health/ready`).then(
    ({ status }) => status,
    () => 'closed',
  );

test('one connection too many is closed, and there is room again when another one goes', async () => {
  const { httpUrl } = await start(fakeEngine(), { maxConnections: 2 });
  const [first] = [await open(httpUrl), await open(httpUrl)];
  expect(await ready(httpUrl)).toBe('closed');
  first?.destroy();
  while ((await ready(httpUrl)) !== 200);
});

test('so it is over gRPC', async () => {
  const { grpcAddress } = await start(fakeEngine(), { grpcPort: 0, maxConnections: 1 });
  const socket = await open(`http://${grpcAddress}`);
  const call = grpc(grpcAddress as string);
  await expect(call('ServerLive', {}, { deadline: Date.now() + 30_000 })).rejects.toMatchObject({
    code: GRPC.unavailable,
  });
  socket.destroy();
  const live = () => grpc(grpcAddress as string)('ServerLive', {}).catch(() => undefined);
  while ((await live()) === undefined);
});

test('an idle connection is closed', async () => {
  const timeouts = { headersMs: 10_000, requestMs: 20_000, keepAliveMs: 50 };
  const { httpUrl } = await start(fakeEngine(), { timeouts });
  const socket = await open(httpUrl);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.write('GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n');
  await once(socket, 'close');
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

test('a connection that never says anything is closed', async () => {
  const timeouts = { headersMs: 100, requestMs: 200, keepAliveMs: 50 };
  const { httpUrl } = await start(fakeEngine(), { timeouts });
  const socket = await open(httpUrl);
  socket.resume();
  await once(socket, 'close');
});

test('the name of a request is echoed when it is a plain word, and stands beside its error in the log', async () => {
  const lines: unknown[] = [];
  const log = { ...silentLogger, error: (_text: string, keys?: object) => void lines.push(keys) };
  const { httpUrl } = await start(fakeEngine(), {}, { log });
  const ask = async (id: string, model: string) => {
    const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }] });
    const headers = { 'x-request-id': id };
    return await fetch(`${httpUrl}/v2/models/${model}/infer`, { method: 'POST', headers, body });
  };
  expect((await ask('0190-af:7', 'echo')).headers.get('x-request-id')).toBe('0190-af:7');
  expect((await ask('a b', 'echo')).headers.get('x-request-id')).toBeNull();
  expect((await ask('y'.repeat(200), 'echo')).headers.get('x-request-id')).toBeNull();
  const failed = await ask('0190-af:8', 'bug');
  expect(failed.headers.get('x-request-id')).toBe('0190-af:8');
  expect(lines).toEqual([expect.objectContaining({ requestId: '0190-af:8', error: expect.any(String) })]);
});

test('what went wrong inside stays inside: no path, no stack', async () => {
  const { httpUrl, grpcAddress } = await start(fakeEngine(), { grpcPort: 0 });
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }];
  const answer = await fetch(`${httpUrl}/v2/models/bug/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs }),
  });
  expect([answer.status, await answer.json()]).toEqual([
    500,
    { error: 'the server failed; its log says why' },
  ]);
  const call = grpc(grpcAddress as string)('ModelInfer', {
    model_name: 'bug',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1], contents: { fp32_contents: [1] } }],
  });
  await expect(call).rejects.toMatchObject({
    code: GRPC.internal,
    details: 'the server failed; its log says why',
  });
});
