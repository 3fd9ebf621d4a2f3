/** Arbitrary bytes on both ports, and arbitrary messages inside a proper call, leave the server as it was. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { fakeEngine } from './testing/fake-engine.ts';
import { servers } from './testing/servers.ts';
import { GRPC } from './wire/errors.ts';

const start = servers();
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
process.on('unhandledRejection', note);
afterEach(() => expect(unhandled).toEqual([]));

/** Sends, then closes its side; the server may answer what it likes but has to end. */
async function send(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  socket.end(bytes);
  if (!socket.destroyed) await once(socket, 'close');
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEAD = Buffer.from('POST /v2/models/echo/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 16\r\n\r\n');

test('bytes that are no protocol', async () => {
  const { httpUrl, grpcAddress } = await start(fakeEngine(), { grpcPort: 0 });
  const [http, grpc] = [Number(new URL(httpUrl).port), Number(grpcAddress?.split(':').at(-1))];
  const bytes = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(bytes, async (garbage) => {
      await send(http, garbage);
      await send(http, Buffer.concat([HEAD, garbage]));
      await send(grpc, Buffer.concat([PREFACE, garbage]));
    }),
    { numRuns: 40 },
  );
  expect((await fetch(`${httpUrl}/v2/health/ready`)).status).toBe(200);
});

test('messages that are no protobuf', async () => {
  const { grpcAddress } = await start(fakeEngine(), { grpcPort: 0 });
  const client = new Client(grpcAddress as string, credentials.createInsecure());
  const call = (method: string, message: Uint8Array) =>
    new Promise<number>((resolve) => {
      client.makeUnaryRequest(
        `/inference.GRPCInferenceService/${method}`,
        (value: Uint8Array) => Buffer.from(value),
        (answer: Buffer) => answer,
        message,
        (error: ServiceError | null) => resolve(error?.code ?? 0),
      );
    });
  // The start of a proper request, so that some of what follows is read as its fields.
  const model = Buffer.from('\x0a\x04echo\x2a');
  const answers = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (garbage) => {
      answers.add(await call('ModelInfer', garbage));
      answers.add(await call('ModelInfer', Buffer.concat([model, garbage])));
      answers.add(await call('RepositoryIndex', garbage));
    }),
    { numRuns: 100 },
  );
  // Start groups without end: deeper than any stack.
  answers.add(await call('ModelInfer', Buffer.alloc(500_000, 0x0b)));
  expect([...answers].filter((code) => code === GRPC.unavailable || code === GRPC.canceled)).toEqual([]);
  expect(await call('ServerLive', new Uint8Array())).toBe(0);
  client.close();
});
