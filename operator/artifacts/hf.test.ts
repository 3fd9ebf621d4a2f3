/** Against a stub of the hub: the real one cannot be had on a machine of ours. It knows its paths and its redirect. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ScriptedServer, scriptedServer } from '../metricsources/testing/scripted-server.ts';
import { type Pod, startPod } from './testing/pod.ts';

const MODEL = Buffer.from('a model');
let hub: ScriptedServer;
let storage: ScriptedServer;
let pod: Pod;

beforeAll(async () => {
  pod = await startPod();
  storage = await scriptedServer((response) => response.end(MODEL));
  hub = await scriptedServer((response, { path, headers }) => {
    if (headers.authorization !== 'Bearer hf_good') response.writeHead(401).end();
    else if (path === '/shop/loadcast/resolve/main/onnx/model.onnx')
      response.writeHead(302, { location: `${storage.url}/blob?signature=x` }).end();
    else if (path === '/shop/loadcast/resolve/v1.0/a%20b.onnx') response.end(MODEL);
    else response.writeHead(404).end();
  });
});
afterAll(async () => {
  await pod[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
  await storage[Symbol.asyncDispose]();
});

const keys = (token = 'hf_good') => ({ HF_TOKEN: token, HF_ENDPOINT: hub.url });
const http = { allowHttp: true };

test.each([
  'hf://shop/loadcast/onnx/model.onnx',
  'hf://shop/loadcast@v1.0/a b.onnx',
  'hf://shop/loadcast:v1.0/a b.onnx',
])('%s', async (uri) => {
  expect(await pod.fetch(uri, MODEL, keys(), http)).toMatchObject({ from: 'store' });
});

test('the token stays with the hub', async () => {
  await pod.fetch('hf://shop/loadcast/onnx/model.onnx', MODEL, keys(), http);
  expect(storage.asked.at(-1)?.headers).not.toHaveProperty('authorization');
});

test('what is refused is told by the key of the Secret', async () => {
  expect(await pod.refused('hf://shop/loadcast/onnx/model.onnx', MODEL, keys('geheim'), http)).toEqual({
    code: 'ARTIFACT_DENIED',
    message: `${hub.url} denies the file (401): look at HF_TOKEN of the Secret`,
  });
  expect(await pod.refused('hf://shop/loadcast/no.onnx', MODEL, keys(), http)).toMatchObject({
    code: 'ARTIFACT_NOT_FOUND',
  });
  expect(await pod.refused('hf://shop/loadcast/no.onnx', MODEL, { HF_ENDPOINT: 'hub' }, http)).toMatchObject({
    code: 'ARTIFACT_CREDENTIALS',
    message: expect.stringContaining('HF_ENDPOINT'),
  });
});
