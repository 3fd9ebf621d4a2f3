/**
 * Every class of bad answer that a metric server can give, from a real server over a real socket: each must become
 * the stated reason, quote nothing of the answer, and leave another server's reads alone.
 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import type { MetricReading, Observation, UnknownReason } from '../../observation.ts';
import { selfSigned } from '../testing/certificate.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../testing/requests.ts';
import { freshThen, json, type Script, scriptedServer, vector } from '../testing/scripted-server.ts';

/** Stands in every body; must never come out. */
const SECRET = 'body-that-must-not-be-repeated';
const HOUR = 3_600_000;

const raw =
  (status: number, type: string, body: string | Buffer, headers: Record<string, string> = {}): Script =>
  (response) => {
    response.writeHead(status, { 'content-type': type, ...headers });
    response.end(body);
  };

const success = (data: unknown, more: object = {}) => ({ status: 'success', data, ...more });
const scalar = (value: unknown, atMs = Date.now()) =>
  success({ resultType: 'scalar', result: [atMs / 1000, value] });

const login = `<!doctype html><title>Sign in</title><form>${SECRET}</form>`;
const error = (errorType: string) => ({ status: 'error', errorType, error: SECRET });

/** Sends `text` one byte at a time. */
const drip =
  (text: string, everyMs: number): Script =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    let at = 0;
    const timer = setInterval(() => {
      response.write(text.charAt(at % text.length));
      at += 1;
    }, everyMs);
    response.on('close', () => clearInterval(timer));
  };

let sentBytes = 0;
/** 500 MB, as fast as the reader takes it. */
const flood: Script = (response) => {
  const chunk = Buffer.alloc(1_048_576, ' ');
  sentBytes = 0;
  response.writeHead(200, { 'content-type': 'application/json' });
  const more = () => {
    while (sentBytes < 500 * chunk.length && !response.destroyed) {
      sentBytes += chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
};

const gzipped = (body: Buffer): Script => raw(200, 'application/json', body, { 'content-encoding': 'gzip' });

const rows: readonly (readonly [string, Script, UnknownReason])[] = [
  ['never answers', () => {}, 'Timeout'],
  ['one byte at a time', drip(`{"status":"success","x":"${SECRET}`, 10), 'Timeout'],
  ['headers, then silence', (response) => response.writeHead(200).write('{'), 'Timeout'],
  ['HTML', raw(200, 'text/html', login), 'BadAnswer'],
  ['a login page that calls itself JSON', raw(200, 'application/json', login), 'BadAnswer'],
  ['a redirect to a login page', raw(302, 'text/html', login, { location: '/login' }), 'BadAnswer'],
  [
    'a redirect to another host',
    raw(307, 'text/plain', SECRET, { location: 'http://169.254.169.254/' }),
    'BadAnswer',
  ],
  ['401', raw(401, 'text/plain', SECRET), 'Unauthorized'],
  ['403', json(error('bad_data'), 403), 'Unauthorized'],
  ['404', raw(404, 'text/plain', SECRET), 'BadAnswer'],
  ['429', raw(429, 'text/plain', SECRET), 'Overloaded'],
  ['500', raw(500, 'text/plain', SECRET), 'Unreachable'],
  ['503 of a proxy', raw(503, 'text/html', login), 'Overloaded'],
  ['503 of Prometheus: the query took too long', json(error('timeout'), 503), 'Timeout'],
  ['504', raw(504, 'text/html', login), 'Timeout'],
  ['400 for a query that is wrong', json(error('bad_data'), 400), 'BadQuery'],
  ['422 for a query that cannot be executed', json(error('execution'), 422), 'BadQuery'],
  ['an error with 200', json(error('internal')), 'Unreachable'],
  ['an unknown error with 200', json(error(SECRET)), 'BadAnswer'],
  ['an error whose type is a prototype key', json(error('constructor')), 'BadAnswer'],
  ['warnings', json(vector(['5'], Date.now(), { warnings: [SECRET] })), 'Partial'],
  ['partial by the word of VictoriaMetrics', json(vector(['5'], Date.now(), { isPartial: true })), 'Partial'],
  ['an empty vector', json(vector([])), 'NoData'],
  ['NaN', json(vector(['NaN'])), 'NotANumber'],
  ['one NaN among numbers', json(vector(['1', 'NaN', '3'])), 'NotANumber'],
  ['+Inf', json(vector(['+Inf'])), 'NotANumber'],
  ['-Inf', json(vector(['-Inf'])), 'NotANumber'],
  ['a negative number', json(vector(['-1'])), 'NotANumber'],
  ['1e308', json(vector(['1e308'])), 'NotANumber'],
  ['1e400', json(vector(['1e400'])), 'NotANumber'],
  ['a sum beyond all numbers', json(vector(['9e15', '9e15'])), 'NotANumber'],
  ['text', json(vector([SECRET])), 'NotANumber'],
  ['an empty string', json(vector([''])), 'NotANumber'],
  ['a hexadecimal number', json(vector(['0x10'])), 'NotANumber'],
  ['a value that is a JSON number', json(scalar(5)), 'BadAnswer'],
  ['a value that is null', json(scalar(null)), 'BadAnswer'],
  ['a matrix', json(success({ resultType: 'matrix', result: [] })), 'BadQuery'],
  ['a string', json(success({ resultType: 'string', result: [1, SECRET] })), 'BadAnswer'],
  ['a type of its own', json(success({ resultType: '__proto__', result: [] })), 'BadAnswer'],
  [
    'a histogram',
    json(success({ resultType: 'vector', result: [{ metric: {}, histogram: [1, {}] }] })),
    'BadAnswer',
  ],
  ['a series that is a number', json(success({ resultType: 'vector', result: [1] })), 'BadAnswer'],
  [
    'a sample without a time',
    json(success({ resultType: 'vector', result: [{ metric: {}, value: [null, '5'] }] })),
    'BadAnswer',
  ],
  ['data that is null', json(success(null)), 'BadAnswer'],
  ['status only in a prototype', json('{"__proto__":{"status":"success"}}'), 'BadAnswer'],
  ['an array', json('[]'), 'BadAnswer'],
  ['nothing', json(''), 'BadAnswer'],
  ['truncated JSON', json(JSON.stringify(vector(['5'])).slice(0, -5)), 'BadAnswer'],
  [
    'a connection cut in the middle of the body',
    (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"status":', () => response.destroy());
    },
    'Unreachable',
  ],
  ['JSON nested very deep', json(`${'['.repeat(200_000)}${']'.repeat(200_000)}`), 'BadAnswer'],
  ['bytes that are not UTF-8', raw(200, 'application/json', Buffer.from([0x7b, 0xff, 0xfe])), 'BadAnswer'],
  ['a sample an hour old', json(vector(['5'], Date.now() - HOUR)), 'Stale'],
  ['a sample from the future', json(vector(['5'], Date.now() + HOUR)), 'FromTheFuture'],
  ['a value whose samples are old', freshThen(vector(['5']), HOUR), 'Stale'],
  ['a value whose samples are from the future', freshThen(vector(['5']), -HOUR), 'FromTheFuture'],
  ['a 500 MB stream', flood, 'TooLarge'],
  ['a gzip bomb', gzipped(gzipSync(Buffer.alloc(64 * 1_048_576, ' '))), 'TooLarge'],
  ['a gzip bomb of members without content', gzipped(Buffer.alloc(5_000_000, gzipSync(''))), 'TooLarge'],
  ['damaged gzip', gzipped(Buffer.from(SECRET)), 'BadAnswer'],
  ['headers without an end', raw(200, 'x', SECRET, { 'x-a': 'a'.repeat(60_000) }), 'TooLarge'],
  ['an encoding that was not asked for', raw(200, 'x', SECRET, { 'content-encoding': 'br' }), 'BadAnswer'],
];

function messageOf(observation: Observation<MetricReading>): string {
  return observation.kind === 'unknown' ? observation.message : 'a value';
}

describe('an answer of the kind', () => {
  test.each(rows)('%s', async (_, script, reason) => {
    await using server = await scriptedServer(script);
    await using healthy = await scriptedServer(freshThen(vector(['2', '3'])));
    await using sources = sourcesFor([
      // Only what must run into the deadline has a short one: a slow machine must not change another reason.
      serverEntry(server.url, { timeout: reason === 'Timeout' ? '500ms' : '30s' }),
      serverEntry(healthy.url, { name: 'healthy', timeout: '30s' }),
    ]);
    const before = process.memoryUsage().rss;
    const bad = sources.read(prometheusRequest(), never());
    const good = await sources.read(prometheusRequest('x', 'healthy'), never());
    expect(good).toMatchObject({ kind: 'value', value: { form: 'total', milli: 5000, series: 2 } });
    const observation = await bad;
    expect(observation).toMatchObject({ kind: 'unknown', reason });
    expect(messageOf(observation)).not.toContain(SECRET);
    expect(messageOf(observation).length).toBeLessThan(300);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1_048_576);
  });

  test('500 MB is left long before its end', async () => {
    await using server = await scriptedServer(flood);
    await using sources = sourcesFor([serverEntry(server.url)]);
    await sources.read(prometheusRequest(), never());
    expect(sentBytes).toBeLessThan(100 * 1_048_576);
  });
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a connection that', () => {
  test('is refused', async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    await using sources = sourcesFor([serverEntry(`http://127.0.0.1:${port}`)]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ reason: 'Unreachable' });
  });

  test('goes to a name that does not resolve', async () => {
    await using sources = sourcesFor([serverEntry('http://metrics.invalid')], {
      resolveHost: (_, callback) => callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []),
    });
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ reason: 'Unreachable' });
  });

  test('speaks something else than HTTP', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(`${SECRET}\r\n\r\n`);
    });
    const port = await listening(server);
    await using sources = sourcesFor([serverEntry(`http://127.0.0.1:${port}`)]);
    const observation = await sources.read(prometheusRequest(), never());
    server.close();
    expect(observation).toMatchObject({ reason: 'BadAnswer' });
    expect(messageOf(observation)).not.toContain(SECRET);
  });

  test('shows a certificate of another authority', async () => {
    await using server = await scriptedServer(json(vector(['5'])), selfSigned());
    await using sources = sourcesFor([serverEntry(server.url)]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ reason: 'Unreachable' });
    expect(server.asked).toHaveLength(0);
  });
});

describe('a good answer', () => {
  const rowsOfValues: readonly (readonly [string, unknown, number, number])[] = [
    ['a scalar', scalar('12.5'), 12_500, 1],
    ['one series', vector(['7']), 7000, 1],
    ['many series, summed', vector(['1', '2', '3e2']), 303_000, 3],
    ['zero', vector(['0']), 0, 1],
    ['a load too small for a thousandth', vector(['0.0000001']), 1, 1],
    ['infos, which are no warnings', vector(['7'], Date.now(), { infos: ['x'] }), 7000, 1],
    ['an empty list of warnings', vector(['7'], Date.now(), { warnings: [] }), 7000, 1],
  ];
  test.each(rowsOfValues)('%s', async (_, body, milli, series) => {
    await using server = await scriptedServer(freshThen(body));
    await using sources = sourcesFor([serverEntry(server.url)]);
    const observation = await sources.read(prometheusRequest(), never());
    expect(observation).toMatchObject({ kind: 'value', value: { form: 'total', milli, series } });
  });

  test('may be packed with gzip', async () => {
    const body = gzipSync(JSON.stringify(vector(['7'])));
    await using server = await scriptedServer(gzipped(body));
    await using sources = sourcesFor([serverEntry(server.url, { freshnessProbe: false })]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ value: { milli: 7000 } });
    expect(server.asked[0]?.headers['accept-encoding']).toBe('gzip');
  });
});
