import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { servers, until } from '../testing/servers.ts';

const start = servers();

const X = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1.5, 2.5] };

async function json(
  url: string,
  body?: unknown,
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

/** Sends bytes as they are and reads until the server closes. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('what the protocol tells', () => {
  test.each([
    ['/v2/health/live', 200, { live: true }],
    ['/v2/health/ready', 200, { live: true, ready: true }],
    ['/v2/models/echo/ready', 200, { name: 'echo', ready: true }],
    ['/v2/models/echo/versions/1/ready', 200, { name: 'echo', ready: true }],
    ['/v2/models/warming/ready', 503, { name: 'warming', ready: false }],
    ['/v2/models/nobody/ready', 404, { error: 'there is no model "nobody"' }],
    ['/v2/models/echo/versions/9', 404, { error: 'model "echo" has no version "9"' }],
  ])('GET %s: %i', async (path, status, body) => {
    const { httpUrl } = await start(fakeEngine());
    expect(await json(httpUrl + path)).toMatchObject({ status, body });
  });

  test('the server and a model describe themselves', async () => {
    const { httpUrl } = await start(fakeEngine());
    expect((await json(`${httpUrl}/v2`)).body).toMatchObject({
      name: 'foresail',
      extensions: expect.arrayContaining(['binary_tensor_data', 'model_repository', 'statistics']),
    });
    expect((await json(`${httpUrl}/v2/models/echo`)).body).toMatchObject({
      name: 'echo',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
    });
  });

  test('statistics come for all models and for one', async () => {
    const { httpUrl } = await start(fakeEngine());
    for (const path of ['/v2/models/stats', '/v2/models/echo/stats', '/v2/models/echo/versions/2/stats'])
      expect((await json(httpUrl + path)).body).toMatchObject({
        model_stats: expect.arrayContaining([
          expect.objectContaining({ inference_count: 8, execution_count: 3 }),
        ]),
      });
  });

  test('a server that is not ready says so with 503', async () => {
    const engine = fakeEngine();
    engine.setReady(false);
    const { httpUrl } = await start(engine);
    expect(await json(`${httpUrl}/v2/health/ready`)).toMatchObject({ status: 503, body: { ready: false } });
  });
});

describe('inference', () => {
  test('echoes the id and always names the version', async () => {
    const { httpUrl } = await start(fakeEngine());
    const { body } = await json(`${httpUrl}/v2/models/echo/infer`, { id: 'a"1', inputs: [X] });
    expect(body).toEqual({
      model_name: 'echo',
      model_version: '2',
      id: 'a"1',
      outputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1.5, 2.5] }],
    });
    expect((await json(`${httpUrl}/v2/models/echo/versions/1/infer`, { inputs: [X] })).body).toMatchObject({
      model_version: '1',
    });
  });

  test('hands priority, time-out and the asked outputs to the engine', async () => {
    const engine = fakeEngine();
    const { httpUrl } = await start(engine);
    const parameters = { priority: 1, timeout: 250_000 };
    const { body } = await json(`${httpUrl}/v2/models/echo/infer`, {
      parameters,
      inputs: [X, { ...X, name: 'y' }],
      outputs: [{ name: 'y' }],
    });
    expect(body).toMatchObject({ outputs: [{ name: 'y' }] });
    expect(engine.requests[0]).toMatchObject({ priority: 1, timeoutMs: 250, outputs: ['y'] });
  });

  test('takes and gives binary data, mixed with JSON', async () => {
    const { httpUrl } = await start(fakeEngine());
    const head = JSON.stringify({
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
        { name: 'n', datatype: 'INT64', shape: [1], data: [7] },
        { name: 's', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: 11 } },
      ],
      outputs: [{ name: 'x', parameters: { binary_data: true } }, { name: 'n' }, { name: 's' }],
    });
    const floats = Buffer.from(Float32Array.of(0.25, Number.NaN).buffer);
    const strings = Buffer.from('\x01\0\0\0a\x02\0\0\0bc', 'latin1');
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: {
        'inference-header-content-length': String(head.length),
        'content-type': 'application/octet-stream',
      },
      body: Buffer.concat([Buffer.from(head), floats, strings]),
    });
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    const length = Number(response.headers.get('inference-header-content-length'));
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(JSON.parse(bytes.subarray(0, length).toString())).toMatchObject({
      outputs: [
        { name: 'x', parameters: { binary_data_size: 8 } },
        { name: 'n', data: [7] },
        { name: 's', data: ['a', 'bc'] },
      ],
    });
    expect(bytes.subarray(length)).toEqual(floats);
  });

  test('takes a bare body for a model with one input and answers in bytes', async () => {
    const engine = fakeEngine();
    const { httpUrl } = await start(engine);
    const body = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: { 'inference-header-content-length': '0' },
      body,
    });
    expect(engine.requests[0]?.inputs[0]).toMatchObject({ name: 'x', shape: [2, 2] });
    const length = Number(response.headers.get('inference-header-content-length'));
    expect(Buffer.from(await response.arrayBuffer()).subarray(length)).toEqual(body);
  });

  test('takes a gzipped body', async () => {
    const { httpUrl } = await start(fakeEngine());
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify({ inputs: [X] })),
    });
    expect(response.status).toBe(200);
  });
});

describe('faults of the engine', () => {
  test.each([
    ['nobody', 404, 'there is no model "nobody"'],
    ['warming', 503, 'model "warming" is not ready: warm-up'],
    ['busy', 503, 'the queue is full'],
    ['late', 504, 'no answer within 5 ms'],
    ['broken', 500, 'the model process ended'],
    ['bug', 500, 'the server failed; its log says why'],
  ])('%s: %i', async (model, status, error) => {
    const { httpUrl } = await start(fakeEngine());
    expect(await json(`${httpUrl}/v2/models/${model}/infer`, { inputs: [X] })).toMatchObject({
      status,
      body: { error },
    });
  });

  test('an overload says when to come again', async () => {
    const { httpUrl } = await start(fakeEngine());
    const { headers } = await json(`${httpUrl}/v2/models/busy/infer`, { inputs: [X] });
    expect(headers.get('retry-after')).toBe('2');
  });

  test('a crowd is refused before its tensors are read, unless one asks for a priority or a time-out', async () => {
    const { httpUrl } = await start(fakeEngine());
    const ask = (body: string) => fetch(`${httpUrl}/v2/models/crowded/infer`, { method: 'POST', body });
    const refused = await ask('{"inputs": what nobody reads');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    expect((await ask('{"parameters": {"priority": 1}, what is read')).status).toBe(400);
    expect((await ask('{"parameters": {"timeout": 1}, what is read')).status).toBe(400);
  });

  test('of a flood everybody is told, and who is let in meanwhile is answered', async () => {
    const { httpUrl } = await start(fakeEngine());
    const body = JSON.stringify({ inputs: [X] });
    const ask = (model: string) => fetch(`${httpUrl}/v2/models/${model}/infer`, { method: 'POST', body });
    const flood = Array.from({ length: 200 }, () => ask('crowded'));
    expect((await ask('echo')).status).toBe(200);
    const told = await Promise.all(flood);
    expect(new Set(told.map(({ status }) => status))).toEqual(new Set([503]));
    expect(told.every(({ headers }) => headers.get('retry-after') === '2')).toBe(true);
  });

  test('whoever leaves while its refusal waits is counted as gone', async () => {
    const waiting: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after: (_ms: number, fn: () => void) => (waiting.push(fn), () => undefined),
    };
    const { httpUrl, metrics } = await start(fakeEngine(), {}, { clock });
    const ask = (signal?: AbortSignal) =>
      fetch(`${httpUrl}/v2/models/crowded/infer`, { method: 'POST', body: '{}', signal: signal ?? null });
    expect((await ask()).status).toBe(503);
    const gone = new AbortController();
    const second = ask(gone.signal);
    await until(() => waiting.length > 0);
    const count = () => metrics.registry.getSingleMetricAsString('foresail_server_calls_total');
    await systemClock.sleep(50);
    gone.abort();
    await expect(second).rejects.toThrow();
    let text = '';
    while (!text.includes('outcome="canceled"} 1')) {
      // oxlint-disable-next-line no-await-in-loop -- a poll
      await systemClock.sleep(5);
      // oxlint-disable-next-line no-await-in-loop -- as above
      text = await count();
    }
    for (const fn of waiting.splice(0)) fn();
    expect((await fetch(`${httpUrl}/v2/health/live`)).status).toBe(200);
  });

  test('where answers are kept, one of them may still do for a crowd', async () => {
    const { httpUrl } = await start(fakeEngine(), {}, { around: { cacheBytes: 1024 } });
    const { status } = await json(`${httpUrl}/v2/models/crowded/infer`, 'what is read');
    expect(status).toBe(400);
  });

  test('a caller that goes away aborts its request', async () => {
    const engine = fakeEngine();
    const { httpUrl, metrics } = await start(engine);
    const gone = new AbortController();
    const answer = fetch(`${httpUrl}/v2/models/hanging/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [X] }),
      signal: gone.signal,
    });
    await until(() => engine.requests.length > 0);
    gone.abort();
    await expect(answer).rejects.toThrow();
    await until(() => engine.aborted > 0);
    const calls = await metrics.registry.getSingleMetricAsString('foresail_server_calls_total');
    expect(calls).toContain('{protocol="http",outcome="canceled"} 1');
  });
});

describe('bad input gets a small JSON error that names the field', () => {
  const bad: [string, string | object, number, RegExp][] = [
    ['nothing', '', 400, /not JSON/],
    ['no JSON', '{"inputs": [', 400, /not JSON/],
    ['a list', '[]', 400, /the body is not an object/],
    ['no inputs', {}, 400, /inputs/],
    ['inputs that are no list', { inputs: {} }, 400, /inputs is not a list/],
    ['NaN', '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[NaN]}]}', 400, /not JSON/],
    ['1e400', '{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1e400]}]}', 400, /data\[0\]/],
    ['a float beyond 32 bits', { inputs: [{ ...X, shape: [1], data: [1e39] }] }, 400, /data\[0\]/],
    ['too few elements', { inputs: [{ ...X, data: [1] }] }, 400, /1 elements; its shape needs 2/],
    ['a ragged list', { inputs: [{ ...X, shape: [2, 2], data: [[1], [2, 3, 4]] }] }, 400, /nested unlike/],
    ['a negative dimension', { inputs: [{ ...X, shape: [-1] }] }, 400, /inputs\[0\].shape/],
    ['a fraction of a dimension', { inputs: [{ ...X, shape: [1.5] }] }, 400, /inputs\[0\].shape/],
    ['a product beyond 2^53', { inputs: [{ ...X, shape: Array(30).fill(65536) }] }, 400, /more than/],
    ['a rank of 100', { inputs: [{ ...X, shape: Array(100).fill(1) }] }, 400, /dimensions/],
    ['an unknown datatype', { inputs: [{ ...X, datatype: 'toString' }] }, 400, /inputs\[0\].datatype/],
    ['a wrong element', { inputs: [{ ...X, data: [1, 'two'] }] }, 400, /inputs\[0\].data\[1\]/],
    ['a number as a name', { inputs: [{ ...X, name: 7 }] }, 400, /inputs\[0\].name/],
    ['an object as a parameter', { parameters: { a: {} }, inputs: [X] }, 400, /parameters.a/],
    ['a prototype key', '{"__proto__":{"inputs":[]},"inputs":[]}', 400, /__proto__/],
    [
      'a size without bytes',
      { inputs: [{ ...X, data: undefined, parameters: { binary_data_size: 8 } }] },
      400,
      /announces/,
    ],
    [
      'shared memory',
      { inputs: [{ ...X, parameters: { shared_memory_region: 'r' } }] },
      501,
      /shared memory/,
    ],
    [
      'classification',
      { inputs: [X], outputs: [{ name: 'x', parameters: { classification: 3 } }] },
      501,
      /class/,
    ],
    ['the same output twice', { inputs: [X], outputs: [{ name: 'x' }, { name: 'x' }] }, 400, /twice/],
    ['a deep text', `{"inputs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 400, /nested deeper/],
  ];
  test.each(bad)('%s', async (_name, body, status, message) => {
    const { httpUrl } = await start(fakeEngine());
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    expect([response.status, JSON.parse(text)]).toEqual([status, { error: expect.stringMatching(message) }]);
    expect(text.length).toBeLessThan(600);
  });

  test.each([
    ['12x', 400],
    ['-1', 400],
    ['99999', 400],
  ])('a JSON length of %s', async (length, status) => {
    const { httpUrl } = await start(fakeEngine());
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: { 'inference-header-content-length': length },
      body: JSON.stringify({ inputs: [X] }),
    });
    expect([response.status, await response.json()]).toEqual([
      status,
      { error: expect.stringContaining('Inference-Header-Content-Length') },
    ]);
  });

  test.each([
    ['an encoded parent folder', '/v2/models/..%2f..%2fetc%2fpasswd/infer', 400],
    ['encoded dots', '/v2/models/%2e%2e/infer', 400],
    ['an encoded zero', '/v2/models/echo%00/infer', 400],
    ['a path as the version', '/v2/models/echo/versions/..%2f1/infer', 400],
    ['a broken escape', '/v2/models/%zz/infer', 400],
    ['an endless name', `/v2/models/${'a'.repeat(300)}/infer`, 400],
    ['no call', '/v2/nothing', 404],
    ['nothing', '/', 404],
  ])('a path with %s', async (_what, path, status) => {
    const { httpUrl } = await start(fakeEngine());
    const { port } = new URL(httpUrl);
    const answer = await raw(
      httpUrl,
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\n\r\n\{"error":"[^{}]*"\}$/);
  });
});

describe('limits', () => {
  test.each([
    ['announced', { 'content-length': String(1024 * 1024 + 1) }],
    ['in chunks', {}],
  ])('a body that is too large, %s, is refused', async (_how, headers) => {
    const { httpUrl } = await start(fakeEngine());
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers,
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(1024 * 1024 + 1));
          controller.close();
        },
      }),
      duplex: 'half',
    });
    expect([response.status, await response.json()]).toEqual([
      413,
      { error: 'the request is larger than 1048576 bytes' },
    ]);
  });

  test('a bomb is not unpacked', async () => {
    const { httpUrl } = await start(fakeEngine());
    const body = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(body.length).toBeLessThan(100_000);
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: { 'content-encoding': 'gzip' },
      body,
    });
    expect(response.status).toBe(413);
  });

  test.each([
    ['gzip', 400],
    ['br', 415],
    ['constructor', 415],
  ])('a body that is not %s', async (encoding, status) => {
    const { httpUrl } = await start(fakeEngine());
    const response = await fetch(`${httpUrl}/v2/models/echo/infer`, {
      method: 'POST',
      headers: { 'content-encoding': encoding },
      body: '{"inputs":[]}',
    });
    expect([response.status, await response.json()]).toEqual([status, { error: expect.any(String) }]);
  });

  test('calls beyond the limit are refused at once and the others are answered', async () => {
    const engine = fakeEngine();
    const { httpUrl } = await start(engine, { maxConcurrent: 2 });
    const gone = new AbortController();
    const hanging = [1, 2].map(() =>
      fetch(`${httpUrl}/v2/models/hanging/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [X] }),
        signal: gone.signal,
      }).catch(() => undefined),
    );
    await until(() => engine.requests.length === 2);
    const { status, headers } = await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X] });
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect((await json(`${httpUrl}/v2/health/live`)).status).toBe(200);
    gone.abort();
    await Promise.all(hanging);
    await until(() => engine.aborted === 2);
    expect((await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X] })).status).toBe(200);
  });

  test('memory of bodies under way is bounded', async () => {
    const { httpUrl } = await start(fakeEngine(), { maxBytesInFlight: 100 });
    const { status, body } = await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X, X, X] });
    expect([status, body]).toEqual([503, { error: expect.stringContaining('memory') }]);
    expect((await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X] })).status).toBe(200);
  });

  test('a caller that breaks off in the middle of its body gives its place back', async () => {
    const { httpUrl } = await start(fakeEngine(), { maxConcurrent: 1 });
    const infer = async () => (await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X] })).status;
    const socket = connect(Number(new URL(httpUrl).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /v2/models/echo/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{');
    const seen = new Set<number>();
    while (!seen.has(503)) seen.add(await infer());
    socket.destroy();
    while ((await infer()) !== 200);
  });

  test('its idle connections outlive those of gateways, and it says for how long', async () => {
    const { httpUrl } = await start(fakeEngine());
    const { hostname, port } = new URL(httpUrl);
    const socket = connect(Number(port), hostname);
    socket.write('GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    // Go's clients keep theirs for 90 s.
    expect(Number(/^keep-alive: timeout=(\d+)/im.exec(chunk.toString())?.[1])).toBeGreaterThan(90);
  });

  const timeouts = { headersMs: 200, requestMs: 400, keepAliveMs: 1_000 };
  test.each([
    ['headers', 'POST /v2/models/echo/infer HTTP/1.1\r\nhost: a\r\n'],
    ['body', 'POST /v2/models/echo/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{'],
  ])('a %s that never ends is given up', async (_part, text) => {
    const { httpUrl } = await start(fakeEngine(), { timeouts });
    expect(await raw(httpUrl, text)).toContain('408');
  });

  test.each([
    ['what is not HTTP', 'HELO there\r\n\r\n', '400'],
    [
      'both lengths',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
    ['a negative length', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n', '400'],
    ['headers of 100 KB', `GET /v2 HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, '431'],
  ])('%s is answered and closed', async (_what, text, status) => {
    const { httpUrl } = await start(fakeEngine());
    const answer = await raw(httpUrl, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
    expect(answer).toMatch(/\{"error":"[^"]+"\}$/);
  });
});

describe('the repository', () => {
  test('is listed', async () => {
    const { httpUrl } = await start(fakeEngine());
    const index = `${httpUrl}/v2/repository/index`;
    expect((await json(index, {})).body).toHaveLength(3);
    expect((await json(index, { ready: true })).body).toHaveLength(2);
    expect((await fetch(index, { method: 'POST' })).status).toBe(200);
  });

  test('is not controlled by callers unless that was allowed', async () => {
    const engine = fakeEngine();
    const { httpUrl } = await start(engine);
    expect((await json(`${httpUrl}/v2/repository/models/echo/load`, {})).status).toBe(403);
    expect(engine.control).toEqual([]);
  });

  test('is controlled where it is allowed, without files or configuration from callers', async () => {
    const engine = fakeEngine();
    const { httpUrl } = await start(engine, { repositoryControl: true });
    const models = `${httpUrl}/v2/repository/models`;
    expect((await json(`${models}/echo/load`, {})).status).toBe(200);
    expect((await json(`${models}/echo/unload`, { parameters: { unload_dependents: true } })).status).toBe(
      200,
    );
    expect((await json(`${models}/echo/load`, { parameters: { config: '{}' } })).status).toBe(501);
    expect((await json(`${models}/..%2fetc/load`, {})).status).toBe(400);
    expect(engine.control).toEqual(['load echo', 'unload echo']);
  });
});

test('metrics have no series that a caller made up', async () => {
  const { httpUrl } = await start(fakeEngine());
  await json(`${httpUrl}/v2/models/invented/infer`, { inputs: [X] });
  await json(`${httpUrl}/v2/models/echo/infer`, { inputs: [X] });
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  expect(text).toContain('foresail_server_calls_total{protocol="http",outcome="success"} 1');
  expect(text).toContain('foresail_server_calls_total{protocol="http",outcome="not_found"} 1');
  expect(text).not.toContain('invented');
});

test('a server that drains is not ready, answers, and asks its callers to leave', async () => {
  const server = await start(fakeEngine());
  const enough = new AbortController();
  const stopped = server.stop(60_000, enough.signal);
  expect((await json(`${server.httpUrl}/v2/health/ready`)).status).toBe(503);
  const { status, headers } = await json(`${server.httpUrl}/v2/models/echo/infer`, { inputs: [X] });
  expect([status, headers.get('connection')]).toEqual([200, 'close']);
  enough.abort();
  await stopped;
  await expect(fetch(`${server.httpUrl}/v2`)).rejects.toThrow();
});
