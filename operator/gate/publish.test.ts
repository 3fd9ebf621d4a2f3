/** A store that is half down: what is waited for, and what lies there when it was not worth it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ScriptedServer, scriptedServer } from '../metricsources/testing/scripted-server.ts';
import { publishVersion } from './publish.ts';

const { signal } = new AbortController();
const MINUTE = 60_000;
const FILES = {
  model: Buffer.from('onnx'),
  lineage: Buffer.from('{}'),
  scores: Buffer.from('{}'),
  golden: undefined,
  card: undefined,
};
let store: ScriptedServer;
let credentials = '';

beforeEach(async () => {
  store = await scriptedServer((response) => response.end());
  credentials = await mkdtemp(join(tmpdir(), 'foresail-publish-'));
  const keys = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'key', AWS_ENDPOINT_URL: store.url };
  await Promise.all(Object.entries(keys).map(([name, value]) => writeFile(join(credentials, name), value)));
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(credentials, { recursive: true });
});

/** @param awayMs for how long the store answers 503 from its second file on, by the clock of who waits */
async function published(awayMs: number) {
  let nowMs = 0;
  const written: string[] = [];
  store.answer((response, { path }) => {
    if (written.length === 1 && nowMs < awayMs) return void response.writeHead(503).end();
    written.push(path.replace(/^.*\/([^/?]+)(\?.*)?$/, '$1'));
    return void response.end();
  });
  const options = {
    guard: { allowed: new Set(['loopback'] as const), apiServers: () => [] },
    allowHttp: true,
    allowFile: false,
    claims: '/none',
    credentials,
    retries: { sleep: async (ms: number) => void (nowMs += ms), random: () => 0.5 },
  };
  const done = publishVersion('s3://models/loadcast', FILES, options, signal);
  return done.then(
    ({ storageUri }) => ({ storageUri, written, waitedMs: nowMs }),
    (error: Error & { code?: string }) => ({ code: error.code, written, waitedMs: nowMs }),
  );
}

test('one that is away for a while is waited for, and the model comes last', async () => {
  const { written, waitedMs, ...end } = await published(20 * MINUTE);
  expect(end).toMatchObject({ storageUri: expect.stringMatching(/^s3:.*\/model.onnx$/) });
  expect(written).toEqual(['scores.json', 'lineage.json', 'model.onnx']);
  expect(waitedMs).toBeGreaterThanOrEqual(20 * MINUTE);
});

test('one that does not come back is given up in time, and no model lies there', async () => {
  const { written, waitedMs, ...end } = await published(Number.POSITIVE_INFINITY);
  expect(end).toEqual({ code: 'ARTIFACT_UNREACHABLE' });
  expect(written).toEqual(['scores.json']);
  expect(waitedMs).toBeLessThan(60 * MINUTE);
});
