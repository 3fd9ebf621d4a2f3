/** Files over real HTTP(S) servers and from real folders. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isForesailError } from '../errors.ts';
import { selfSigned } from '../metricsources/testing/certificate.ts';
import { scriptedServer } from '../metricsources/testing/scripted-server.ts';
import type { ResolveHost } from '../net/guarded-connector.ts';
import { type FetchOptions, fetchArtifact } from './fetch.ts';
import { landed } from './testing/pod.ts';
import { parseArtifactUri } from './uri.ts';

const CONTENT = Buffer.alloc(300_000, 'onnx');
const PINNED = { sha256: createHash('sha256').update(CONTENT).digest('hex'), maxBytes: 1_000_000 };

let folder: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-fetch-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers whatever it is asked with these bytes. */
async function rawServer(answer: Buffer) {
  const server = createNetServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

function options(change: Partial<FetchOptions> = {}): FetchOptions {
  return {
    guard: { allowed: new Set(['loopback']), apiServers: () => [] },
    allowHttp: true,
    allowFile: false,
    claims: join(folder, 'claims'),
    retries: { sleep: async () => {} },
    ...change,
  };
}

const place = (): string => join(folder, 'models', 'm', '1', 'model.onnx');

function bring(
  uri: string,
  change: Partial<FetchOptions> = {},
  pinned = PINNED,
  signal = AbortSignal.timeout(20_000),
) {
  return fetchArtifact(parseArtifactUri(uri), place(), pinned, options(change), signal);
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isForesailError(error)) throw new Error(`not refused: ${String(error)}`);
  // Whatever happened, there is no file and nothing half written.
  expect(await readdir(join(folder, 'models', 'm', '1')).catch(() => [])).toEqual([]);
  return error.code;
}

describe('over HTTP', () => {
  test('the pinned file is put in its place, and not fetched twice', async () => {
    let requests = 0;
    const origin = await serve((_, response) => {
      requests++;
      response.end(CONTENT);
    });
    expect(await bring(`${origin}/model.onnx`)).toEqual({ bytes: CONTENT.length, from: 'store' });
    expect(await readFile(place())).toEqual(CONTENT);
    expect(await bring(`${origin}/model.onnx`)).toEqual({ bytes: CONTENT.length, from: 'place' });
    expect(requests).toBe(1);
  });

  test('a file that is there and is another one is replaced', async () => {
    const origin = await serve((_, response) => response.end(CONTENT));
    await mkdir(join(folder, 'models', 'm', '1'), { recursive: true });
    await writeFile(place(), 'old');
    expect(await bring(`${origin}/model.onnx`)).toMatchObject({ from: 'store' });
    expect(await readFile(place())).toEqual(CONTENT);
  });

  test.each<[string, RequestListener, string]>([
    ['another file behind the address', (_, r) => r.end('other'), 'ARTIFACT_DIGEST_MISMATCH'],
    ['a file that never ends', (_, r) => r.end(Buffer.alloc(1_000_001)), 'ARTIFACT_TOO_LARGE'],
    ['404', (_, r) => r.writeHead(404).end(), 'ARTIFACT_NOT_FOUND'],
    ['403', (_, r) => r.writeHead(403).end(), 'ARTIFACT_DENIED'],
    ['500', (_, r) => r.writeHead(500).end(), 'ARTIFACT_UNREACHABLE'],
    ['a redirect in a circle', (_, r) => r.writeHead(302, { location: '/again' }).end(), 'ARTIFACT_REDIRECT'],
    [
      'a redirect to a file',
      (_, r) => r.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'ARTIFACT_REDIRECT',
    ],
    [
      'a redirect to the metadata service',
      (_, r) => r.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
      'ADDRESS_NOT_ALLOWED',
    ],
  ])('%s is refused, and nothing is left', async (_, listener, code) => {
    expect(await refusal(bring(`${await serve(listener)}/model.onnx`))).toBe(code);
  });

  test('a redirect to an address that is not allowed is refused at its name', async () => {
    const origin = await serve((_, response) => response.end(CONTENT));
    const guard = { allowed: new Set<never>(), apiServers: () => [] };
    expect(await refusal(bring(`${origin}/model.onnx`, { guard }))).toBe('ADDRESS_NOT_ALLOWED');
    expect(await refusal(bring(`${origin.replace('127.0.0.1', 'localhost')}/m`, { guard }))).toBe(
      'ADDRESS_NOT_ALLOWED',
    );
  });

  test('credentials go to the host that was named, not to one that it redirects to', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(CONTENT);
    });
    const origin = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(307, { location: `${other}/there` }).end();
    });
    await writeFile(join(folder, 'token'), 'abc\n');
    await bring(`${origin}/model.onnx`, { credentials: folder });
    expect(seen).toEqual(['Bearer abc', undefined]);
  });

  test('nobody there: it may be tried again', async () => {
    const origin = await serve((_, response) => response.end());
    servers.pop()?.close();
    expect(await refusal(bring(`${origin}/model.onnx`))).toBe('ARTIFACT_UNREACHABLE');
  });

  test('an answer that breaks off leaves nothing', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'content-length': String(CONTENT.length) });
      response.write(CONTENT.subarray(0, 1000), () => response.destroy());
    });
    expect(await refusal(bring(`${origin}/model.onnx`))).toBe('ARTIFACT_UNREACHABLE');
  });

  test.each(['http://[', 'https://user:secret@host/file'])(
    'a redirect to %s is refused',
    async (location) => {
      const origin = await serve((_, response) => response.writeHead(302, { location }).end());
      expect(await refusal(bring(`${origin}/model.onnx`))).toBe('ARTIFACT_REDIRECT');
    },
  );

  test('what a killed fetch left half written is no obstacle, and goes', async () => {
    const origin = await serve((_, response) => response.end(CONTENT));
    await mkdir(join(folder, 'models', 'm', '1'), { recursive: true });
    // Kubelet starts the container again on the same volume, and the process gets the same number.
    for (const number of [process.pid, 1]) await writeFile(`${place()}.${number}.part`, 'half');
    expect(await bring(`${origin}/model.onnx`)).toMatchObject({ from: 'store' });
    expect(await readdir(join(folder, 'models', 'm', '1'))).toEqual(['model.onnx']);
  });

  test('http is refused where only https is allowed', async () => {
    const origin = await serve((_, response) => response.end(CONTENT));
    expect(await refusal(bring(`${origin}/model.onnx`, { allowHttp: false }))).toBe('ARTIFACT_INSECURE');
  });
});

describe('a store with faults', () => {
  /** Breaks off where the client has seen all that came: what waits in its socket would be lost. */
  function cut(response: ServerResponse): void {
    response.write(CONTENT.subarray(0, 100_000));
    void landed(dirname(place()), 100_000).then(() => response.destroy());
  }

  /** Cuts the first answer, then serves ranges as a store does. */
  function cutOnce(tags: readonly string[], asked: IncomingHttpHeaders[]): RequestListener {
    return (request, response) => {
      asked.push(request.headers);
      const etag = tags[Math.min(asked.length, tags.length) - 1] ?? '';
      if (asked.length === 1) {
        response.writeHead(200, { 'content-length': CONTENT.length, etag });
        cut(response);
        return;
      }
      const from = Number(/bytes=(\d+)-/.exec(String(request.headers.range))?.[1]);
      const range = `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}`;
      response.writeHead(206, { 'content-range': range, etag }).end(CONTENT.subarray(from));
    };
  }

  test('that breaks off is asked for the rest', async () => {
    const asked: IncomingHttpHeaders[] = [];
    const origin = await serve(cutOnce(['"1"'], asked));
    expect(await bring(`${origin}/model.onnx`)).toMatchObject({ bytes: CONTENT.length });
    expect(asked.map((headers) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      ['bytes=100000-', '"1"'],
    ]);
  });

  test('that has another file by then is not mixed with it', async () => {
    const origin = await serve(cutOnce(['"1"', '"2"'], []));
    expect(await refusal(bring(`${origin}/model.onnx`))).toBe('ARTIFACT_CHANGED');
  });

  test('that cannot begin in the middle sends the beginning again', async () => {
    let requests = 0;
    const origin = await serve((_, response) => {
      requests += 1;
      response.writeHead(200, { 'content-length': CONTENT.length });
      if (requests > 1) response.end(CONTENT);
      else cut(response);
    });
    expect(await bring(`${origin}/model.onnx`)).toMatchObject({ bytes: CONTENT.length });
  });

  test('that is overloaded is asked again after the time that it says', async () => {
    let requests = 0;
    const waits: number[] = [];
    const origin = await serve((_, response) => {
      requests += 1;
      if (requests === 3) response.end(CONTENT);
      else response.writeHead(503, requests === 1 ? {} : { 'retry-after': '20' }).end();
    });
    const retries = { random: () => 0, sleep: async (ms: number) => void waits.push(ms) };
    await bring(`${origin}/model.onnx`, { retries });
    expect(waits).toEqual([1_000, 20_000]);
  });

  test('that stays away is asked no more than so often', async () => {
    let requests = 0;
    const origin = await serve((_, response) => {
      requests += 1;
      response.writeHead(503).end();
    });
    expect(await refusal(bring(`${origin}/m`, { retries: { most: 2, sleep: async () => {} } }))).toBe(
      'ARTIFACT_UNREACHABLE',
    );
    expect(requests).toBe(3);
  });

  test('that sends more than it announced is not read further', async () => {
    const head = `HTTP/1.1 200 OK\r\ncontent-length: ${CONTENT.length}\r\n\r\n`;
    await using store = await rawServer(Buffer.concat([Buffer.from(head), CONTENT, Buffer.from('more')]));
    expect(await bring(`${store.origin}/m`, { retries: { most: 0 } })).toMatchObject({
      bytes: CONTENT.length,
    });
    expect(await readFile(place())).toEqual(CONTENT);
  });

  test('that says at once that the file is too large is not read', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 1e12 });
      response.flushHeaders();
    });
    expect(await refusal(bring(`${origin}/m`))).toBe('ARTIFACT_TOO_LARGE');
  });

  test('that says nothing for too long', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      response.write('o');
    });
    expect(await refusal(bring(`${origin}/m`, { idleMs: 200, retries: { most: 0 } }))).toBe(
      'ARTIFACT_UNREACHABLE',
    );
  });

  test('that sends byte after byte for ever', async () => {
    const timers: NodeJS.Timeout[] = [];
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length });
      timers.push(setInterval(() => response.write('o'), 20));
    });
    expect(await refusal(bring(`${origin}/m`, {}, PINNED, AbortSignal.timeout(300)))).toBe(
      'ARTIFACT_TIMEOUT',
    );
    for (const timer of timers) clearInterval(timer);
  });

  test('whose name turns to the metadata service between two requests', async () => {
    const origin = await serve((_, response) => response.writeHead(503, { connection: 'close' }).end());
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolve: ResolveHost = (_, callback) =>
      callback(null, [{ address: answers.shift() ?? '169.254.169.254', family: 4 }]);
    const uri = `${origin.replace('127.0.0.1', 'store.example')}/m`;
    expect(await refusal(bring(uri, { resolve }))).toBe('ADDRESS_NOT_ALLOWED');
    expect(answers).toEqual([]);
  });

  test('that redirects to the API server', async () => {
    const target = await serve((_, response) => response.end(CONTENT));
    const origin = await serve((_, r) => r.writeHead(302, { location: `${target}/m` }).end());
    const apiServers = () => [{ address: '127.0.0.1', port: Number(new URL(target).port) }];
    const guard = { allowed: new Set(['loopback'] as const), apiServers };
    expect(await refusal(bring(`${origin}/m`, { guard }))).toBe('ADDRESS_NOT_ALLOWED');
  });

  test('fails, and what lay in its place before is not served', async () => {
    const origin = await serve((_, response) => response.writeHead(404).end());
    await mkdir(join(folder, 'models', 'm', '1'), { recursive: true });
    await writeFile(place(), 'old');
    expect(await refusal(bring(`${origin}/m`))).toBe('ARTIFACT_NOT_FOUND');
  });
});

test('over HTTPS by an authority of one’s own', async () => {
  const certificate = selfSigned();
  await using store = await scriptedServer((response) => response.end(CONTENT), certificate);
  const secure = { allowHttp: false, retries: { most: 0 } };
  expect(await refusal(bring(`${store.url}/m`, secure))).toBe('ARTIFACT_TLS');
  await writeFile(join(folder, 'ca.crt'), certificate.cert);
  expect(await bring(`${store.url}/m`, { ...secure, credentials: folder })).toMatchObject({ from: 'store' });
});

describe('from a volume', () => {
  beforeEach(async () => {
    await mkdir(join(folder, 'claims', 'models', 'loadcast'), { recursive: true });
    await writeFile(join(folder, 'claims', 'models', 'loadcast', '7.onnx'), CONTENT);
    await writeFile(join(folder, 'secret.onnx'), CONTENT);
    await symlink(join(folder, 'secret.onnx'), join(folder, 'claims', 'models', 'link.onnx'));
  });

  test('a file of a claim', async () => {
    expect(await bring('pvc://models/loadcast/7.onnx')).toEqual({ bytes: CONTENT.length, from: 'store' });
  });

  test.each([
    ['pvc://models/loadcast/8.onnx', 'ARTIFACT_NOT_FOUND'],
    ['pvc://models/loadcast', 'ARTIFACT_NOT_FOUND'],
    ['pvc://models/link.onnx', 'ARTIFACT_DENIED'],
    ['pvc://other/loadcast/7.onnx', 'ARTIFACT_NOT_FOUND'],
    ['file:///etc/hostname', 'ARTIFACT_DENIED'],
  ])('%s is refused: %s', async (uri, code) => {
    expect(await refusal(bring(uri))).toBe(code);
  });

  test('file:// where it is allowed', async () => {
    expect(await bring(`file://${join(folder, 'secret.onnx')}`, { allowFile: true })).toMatchObject({
      from: 'store',
    });
  });
});
