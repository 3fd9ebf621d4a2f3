/** What a registry that follows the specification does not do, and others might. Real ones: stores.cluster.test.ts. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Certificate, selfSigned } from '../metricsources/testing/certificate.ts';
import { type Asked, type ScriptedServer, scriptedServer } from '../metricsources/testing/scripted-server.ts';
import { authorizationFor } from './oci-credentials.ts';
import { basic, secretIn } from './secret.ts';
import { digestOf, type Pod, startPod } from './testing/pod.ts';

const MODEL = Buffer.from('a model');
const BLOB = `sha256:${digestOf(MODEL)}`;
const manifest = (digest = BLOB) =>
  JSON.stringify({ schemaVersion: 2, layers: [{ mediaType: 'application/vnd.onnx', digest, size: 7 }] });
const MANIFEST = `sha256:${createHash('sha256').update(manifest()).digest('hex')}`;

let certificate: Certificate;
let registry: ScriptedServer;
let pod: Pod;

beforeAll(async () => {
  certificate = selfSigned();
  registry = await scriptedServer((response) => response.end(), certificate);
  pod = await startPod();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await pod[Symbol.asyncDispose]();
});

/** Text by path below the repository; anything else is not there. */
function answers(
  files: Readonly<Record<string, string>>,
  before?: (asked: Asked) => string | undefined,
): void {
  registry.answer((response, asked) => {
    const challenge = before?.(asked);
    if (challenge !== undefined) {
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    const text = files[asked.path.replace('/v2/models/loadcast/', '')];
    if (text === undefined) response.writeHead(404).end();
    else response.end(text);
  });
}

const uri = (reference: string): string => `oci://127.0.0.1:${registry.port}/models/loadcast${reference}`;
const keys = (more: Readonly<Record<string, string>> = {}) => ({ 'ca.crt': certificate.cert, ...more });
const blob = { [`blobs/${BLOB}`]: MODEL.toString() };

describe('an index', () => {
  const index = (...manifests: readonly object[]) => JSON.stringify({ schemaVersion: 2, manifests });
  const other = { digest: `sha256:${'0'.repeat(64)}`, platform: { os: 'linux', architecture: 'arm64' } };

  test.each([
    ['of one manifest', index({ digest: MANIFEST })],
    [
      'with one for this platform',
      index(other, { digest: MANIFEST, platform: { os: 'linux', architecture: 'amd64' } }),
    ],
  ])('%s', async (_, text) => {
    answers({ 'manifests/v7': text, [`manifests/${MANIFEST}`]: manifest(), ...blob });
    expect(await pod.fetch(uri(':v7'), MODEL, keys())).toMatchObject({ from: 'store' });
  });

  test('with nothing for this platform', async () => {
    answers({ 'manifests/v7': index(other, other) });
    expect(await pod.refused(uri(':v7'), MODEL, keys())).toMatchObject({ code: 'ARTIFACT_ANSWER_INVALID' });
  });

  test('of itself', async () => {
    const self = index({ digest: MANIFEST });
    answers({ 'manifests/v7': self, [`manifests/${MANIFEST}`]: self });
    expect(await pod.refused(uri(':v7'), MODEL, keys())).toMatchObject({ code: 'ARTIFACT_DIGEST_MISMATCH' });
  });
});

test.each([
  [
    'is not what its digest says',
    `@${MANIFEST}`,
    manifest(`sha256:${'1'.repeat(64)}`),
    'ARTIFACT_DIGEST_MISMATCH',
  ],
  ['is not JSON', ':v7', '<html>', 'ARTIFACT_ANSWER_INVALID'],
  ['is something else', ':v7', '{"layers":"none"}', 'ARTIFACT_ANSWER_INVALID'],
  ['is endless', ':v7', ' '.repeat(5 * 1024 * 1024), 'ARTIFACT_ANSWER_INVALID'],
])('a manifest that %s', async (_, reference, text, code) => {
  answers({ 'manifests/v7': text, [`manifests/${MANIFEST}`]: text });
  expect(await pod.refused(uri(reference), MODEL, keys())).toMatchObject({ code });
});

test('without a tag it is "latest"', async () => {
  answers({ 'manifests/latest': manifest(), ...blob });
  expect(await pod.fetch(uri(''), MODEL, keys())).toMatchObject({ bytes: MODEL.length });
});

describe('a registry that wants to know who we are', () => {
  test.each([
    ['at the metadata service', 'Bearer realm="https://169.254.169.254/token"', 'ADDRESS_NOT_ALLOWED'],
    ['without encryption', 'Bearer realm="http://127.0.0.1/token"', 'ARTIFACT_INSECURE'],
    ['nowhere', 'Bearer service="x"', 'ARTIFACT_ANSWER_INVALID'],
    ['in a way that is not known', 'Negotiate x', 'ARTIFACT_DENIED'],
  ])('%s', async (_, challenge, code) => {
    answers({}, () => challenge);
    const plain = keys({ username: 'u', password: 'geheim' });
    const told = await pod.refused(uri(':v7'), MODEL, plain);
    expect(told.code).toBe(code);
    expect(told.message).not.toContain('geheim');
  });

  test('is asked again with what the Secret says, and its blobs too', async () => {
    const own = basic('u', 'p');
    answers({ 'manifests/v7': manifest(), ...blob }, ({ headers }) =>
      headers.authorization === own ? undefined : 'Basic realm="x"',
    );
    await pod.fetch(uri(':v7'), MODEL, keys({ username: 'u', password: 'p' }));
    expect(await pod.refused(uri(':v7'), MODEL, keys())).toMatchObject({
      code: 'ARTIFACT_DENIED',
      message: expect.stringContaining('no credentials are given'),
    });
  });
});

describe('.dockerconfigjson', () => {
  const HOST = 'registry.example:5000';
  const auth = Buffer.from('u:p:with:colons').toString('base64');

  async function authorization(auths: object): Promise<string | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'foresail-docker-'));
    try {
      await writeFile(join(folder, '.dockerconfigjson'), JSON.stringify({ auths }));
      return await authorizationFor(HOST, secretIn(folder));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test.each([HOST, `https://${HOST}`, `https://${HOST}/v2/`, `${HOST}/models`])('%s', async (name) => {
    expect(await authorization({ [name]: { auth } })).toBe(basic('u', 'p:with:colons'));
  });

  test('says who we are in three ways', async () => {
    expect(await authorization({ [HOST]: { username: 'u', password: 'p' } })).toBe(basic('u', 'p'));
    expect(await authorization({ [HOST]: { registrytoken: 't' } })).toBe('Bearer t');
    expect(await authorization({ [HOST]: {} })).toBeUndefined();
    expect(await authorization({ 'registry.example': { auth } })).toBeUndefined();
  });

  test.each([
    [{ [HOST]: { auth: 'geheim' } }, /is not <user>:<password> in base64/],
    [{ [HOST]: { identitytoken: 'geheim' } }, /identitytoken of registry.example:5000 is not supported/],
    ['geheim', /no object "auths"/],
  ])('a mistake in it is told without what it holds', async (auths, why) => {
    const refused = authorization(auths as object);
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.not.toThrow('geheim');
  });
});
