/** TLS and client certificates on the real servers, with certificates made on the spot. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLogger } from '../../logger.ts';
import { type Certificate, selfSigned } from '../../metricsources/testing/certificate.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { grpcClients } from '../testing/grpc-client.ts';
import { servers, until } from '../testing/servers.ts';
import { GRPC } from '../wire/errors.ts';
import { certificateAuthentication, namesOf } from './authentication.ts';
import { createGuard } from './guard.ts';
import { openTls } from './tls.ts';

const start = servers();
const connect = grpcClients();
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

/** Status of a GET over a new connection that believes one server alone. */
function get(url: string, server: Certificate, client?: Certificate): Promise<number> {
  const options: RequestOptions = {
    ca: server.cert,
    agent: false,
    ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
  };
  return new Promise((resolve, reject) => {
    request(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

function channel(server: Certificate, client?: Certificate) {
  const own = client === undefined ? [] : [Buffer.from(client.key), Buffer.from(client.cert)];
  return credentials.createSsl(Buffer.from(server.cert), ...own);
}

/** @param headersMs how long a handshake may take too */
async function served(client?: Certificate, allowed: readonly string[] = [], headersMs = 20_000) {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-tls-'));
  folders.push(folder);
  const files = {
    certFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
    ...(client === undefined ? {} : { caFile: join(folder, 'ca.crt') }),
  };
  const write = async (server: Certificate, authority?: Certificate) => {
    await writeFile(files.certFile, server.cert);
    await writeFile(files.keyFile, server.key);
    if (authority !== undefined) await writeFile(join(folder, 'ca.crt'), authority.cert);
  };
  const own = selfSigned();
  await write(own, client);
  const clock = new FakeClock();
  const tls = openTls(files, clock, silentLogger);
  const guard = createGuard(
    client === undefined ? {} : { authentication: certificateAuthentication(allowed) },
  );
  const server = await start(
    fakeEngine(),
    { grpcPort: 0, timeouts: { headersMs, requestMs: 20_000, keepAliveMs: 5_000 } },
    { tls, ...(guard === undefined ? {} : { guard }) },
  );
  /** Files are read in their own time; the clock goes on until the server has the new ones. */
  const renewed = async (done: () => Promise<boolean>) => {
    let seen = false;
    const look = async () => {
      while (!seen) {
        // oxlint-disable-next-line no-await-in-loop -- again and again
        await clock.advance(5_000);
        // oxlint-disable-next-line no-await-in-loop -- as above
        seen = await done();
      }
    };
    void look();
    await until(() => seen);
  };
  return { server, own, write, renewed };
}

const works = (answer: Promise<unknown>): Promise<boolean> =>
  answer.then(
    () => true,
    () => false,
  );

describe('TLS', () => {
  test('covers both protocols, and plain text is refused', async () => {
    const { server, own } = await served();
    expect(server.httpUrl).toMatch(/^https:/);
    expect(await get(`${server.httpUrl}/v2/health/ready`, own)).toBe(200);
    expect(await connect(server.grpcAddress as string, channel(own))('ServerLive', {})).toEqual({
      live: true,
    });
    expect(await works(get(`${server.httpUrl}/v2`, selfSigned()))).toBe(false);
    await expect(
      connect(server.grpcAddress as string)('ServerLive', {}, { deadline: Date.now() + 2_000 }),
    ).rejects.toBeDefined();
  });

  test('a renewed certificate serves new connections of both protocols without a restart', async () => {
    const { server, own, write, renewed } = await served();
    const next = selfSigned();
    await write(next);
    await renewed(() => works(get(`${server.httpUrl}/v2`, next)));
    expect(await works(get(`${server.httpUrl}/v2`, own))).toBe(false);
    expect(await connect(server.grpcAddress as string, channel(next))('ServerLive', {})).toEqual({
      live: true,
    });
  });

  test('a connection that never shakes hands is closed', async () => {
    const { server } = await served(undefined, [], 500);
    const socket = createConnection(Number(new URL(server.httpUrl).port), '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
  });

  test('plain HTTP on its port is closed', async () => {
    const { server } = await served(undefined, [], 500);
    const socket = createConnection(Number(new URL(server.httpUrl).port), '127.0.0.1');
    socket.resume();
    socket.write('GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(socket, 'close');
  });

  test('files that are no certificate end the start with the flag to look at', () => {
    expect(() =>
      openTls({ certFile: '/dev/null', keyFile: '/dev/null' }, new FakeClock(), silentLogger),
    ).toThrow(expect.objectContaining({ code: 'TLS_FILES_INVALID', subject: '--tls-cert-file' }));
  });
});

describe('a client certificate', () => {
  const client = selfSigned(Date.now(), { commonName: 'shop', uri: 'spiffe://cluster/ns/shop/sa/web' });

  test('is needed for everything but health', async () => {
    const { server, own } = await served(client);
    const url = server.httpUrl;
    expect(await get(`${url}/v2/health/live`, own)).toBe(200);
    expect(await get(`${url}/v2`, own)).toBe(401);
    expect(await get(`${url}/metrics`, own)).toBe(401);
    expect(await get(`${url}/v2`, own, selfSigned())).toBe(401);
    expect(await get(`${url}/v2`, own, client)).toBe(200);
  });

  test('is needed for the connection of gRPC', async () => {
    const { server, own } = await served(client);
    const address = server.grpcAddress as string;
    const deadline = { deadline: Date.now() + 30_000 };
    await expect(connect(address, channel(own))('ServerMetadata', {}, deadline)).rejects.toMatchObject({
      code: GRPC.unavailable,
    });
    await expect(
      connect(address, channel(own, selfSigned()))('ServerMetadata', {}, deadline),
    ).rejects.toMatchObject({ code: GRPC.unavailable });
    expect(await connect(address, channel(own, client))('ServerMetadata', {})).toMatchObject({
      name: 'foresail',
    });
  });

  test.each([
    [['shop'], 200, true],
    [['spiffe://cluster/ns/shop/sa/web'], 200, true],
    [['other'], 403, false],
  ])('among the names %j: %i', async (allowed, status, admitted) => {
    const { server, own } = await served(client, allowed);
    expect(await get(`${server.httpUrl}/v2`, own, client)).toBe(status);
    const call = connect(server.grpcAddress as string, channel(own, client))('ServerMetadata', {});
    expect(await works(call)).toBe(admitted);
  });

  test('of an authority that was replaced is refused without a restart', async () => {
    const { server, own, write, renewed } = await served(client);
    const next = selfSigned(Date.now(), { commonName: 'next' });
    expect(await get(`${server.httpUrl}/v2`, own, client)).toBe(200);
    await write(own, next);
    await renewed(async () => (await get(`${server.httpUrl}/v2`, own, next)) === 200);
    expect(await get(`${server.httpUrl}/v2`, own, client)).toBe(401);
    expect(await works(connect(server.grpcAddress as string, channel(own, client))('ServerLive', {}))).toBe(
      false,
    );
  });

  test('a name with a comma in it is one name', () => {
    const names = namesOf({
      subject: { CN: 'shop' },
      subjectaltname: 'DNS:a.example, URI:"spiffe://x, DNS:admin", IP Address:127.0.0.1',
    } as Parameters<typeof namesOf>[0]);
    expect(names).toEqual(['shop', 'a.example', 'spiffe://x, DNS:admin']);
  });
});
