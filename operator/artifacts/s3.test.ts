/** What a real store does not do on request: the official client against a stub. Real ones: stores.cluster.test.ts. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  type Script,
  type ScriptedServer,
  scriptedServer,
} from '../metricsources/testing/scripted-server.ts';
import { type Pod, startPod } from './testing/pod.ts';

const MODEL = Buffer.alloc(300_000, 'onnx');
const error = (code: string): string => `<Error><Code>${code}</Code><Message>geheim</Message></Error>`;
let store: ScriptedServer;
let pod: Pod;

beforeEach(async () => {
  store = await scriptedServer((response) => response.end(MODEL));
  pod = await startPod();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await pod[Symbol.asyncDispose]();
});

const URI = 's3://models/7.onnx';
const http = { allowHttp: true };
const keys = () => ({
  AWS_ACCESS_KEY_ID: 'AKIATEST',
  AWS_SECRET_ACCESS_KEY: 'geheim',
  AWS_ENDPOINT_URL: store.url,
});

test.each<[string, number, string, string]>([
  ['an old token', 400, 'ExpiredToken', 'ARTIFACT_DENIED'],
  ['a foreign account', 403, 'AccessDenied', 'ARTIFACT_DENIED'],
  ['a wrong request', 400, 'InvalidRequest', 'ARTIFACT_UNREACHABLE'],
])('%s is told by the store’s word, not by its message', async (_, status, word, code) => {
  store.answer((response) => response.writeHead(status, { 'content-type': 'text/xml' }).end(error(word)));
  const told = await pod.refused(URI, MODEL, keys(), http);
  expect(told).toMatchObject({ code, message: expect.stringContaining(word) });
  expect(told.message).not.toContain('geheim');
});

test('a store that asks to slow down is asked again, by us and not by the client too', async () => {
  store.answer((response) => response.writeHead(503).end(error('SlowDown')));
  const retries = { most: 2, sleep: async () => {} };
  const told = await pod.refused(URI, MODEL, keys(), { ...http, retries });
  expect(told.code).toBe('ARTIFACT_UNREACHABLE');
  expect(store.asked).toHaveLength(3);
});

test('a redirect is not followed, wherever it leads', async () => {
  const other = await scriptedServer((response) => response.end(MODEL));
  store.answer((response) => response.writeHead(307, { location: `${other.url}/models/7.onnx` }).end());
  expect(await pod.refused(URI, MODEL, keys(), http)).toMatchObject({ code: 'ARTIFACT_UNREACHABLE' });
  expect(other.asked).toEqual([]);
  await other[Symbol.asyncDispose]();
});

/** Cuts the first answer, then gives the rest under another tag. */
const cutThen =
  (tag: string): Script =>
  (response, { headers }) => {
    const from = Number(/bytes=(\d+)-/.exec(String(headers.range))?.[1] ?? 0);
    if (from === 0) {
      response.writeHead(200, { 'content-length': MODEL.length, etag: '"1"' });
      response.write(MODEL.subarray(0, 100_000));
      void pod.landed(100_000).then(() => response.destroy());
      return;
    }
    const range = `bytes ${from}-${MODEL.length - 1}/${MODEL.length}`;
    response.writeHead(206, { 'content-range': range, etag: tag }).end(MODEL.subarray(from));
  };

test('what breaks off is asked for the rest', async () => {
  store.answer(cutThen('"1"'));
  expect(await pod.fetch(URI, MODEL, keys(), http)).toMatchObject({ bytes: MODEL.length });
  expect(store.asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-']);
});

test('another file by then is not mixed with it', async () => {
  store.answer(cutThen('"2"'));
  expect(await pod.refused(URI, MODEL, keys(), http)).toMatchObject({ code: 'ARTIFACT_CHANGED' });
});

test('a name that turns to the metadata service is caught by the client’s next connection', async () => {
  store.answer((response) => response.writeHead(503, { connection: 'close' }).end());
  const answers = ['127.0.0.1', '169.254.169.254'];
  const told = await pod.refused(
    URI,
    MODEL,
    { ...keys(), AWS_ENDPOINT_URL: `http://store.example:${store.port}` },
    {
      ...http,
      resolve: (_, callback) =>
        callback(null, [{ address: answers.shift() ?? '169.254.169.254', family: 4 }]),
    },
  );
  expect(told.code).toBe('ADDRESS_NOT_ALLOWED');
  expect(store.asked).toHaveLength(1);
});

test('buckets with names of their own', async () => {
  const change = {
    ...keys(),
    S3_USE_VIRTUAL_BUCKET: 'true',
    AWS_ENDPOINT_URL: `http://store.example:${store.port}`,
  };
  const hosts: string[] = [];
  await pod.fetch(URI, MODEL, change, {
    ...http,
    resolve: (host, callback) => {
      hosts.push(host);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    },
  });
  expect(hosts).toEqual(['models.store.example']);
  expect(store.asked.map(({ path }) => path.split('?')[0])).toEqual(['/7.onnx']);
});
