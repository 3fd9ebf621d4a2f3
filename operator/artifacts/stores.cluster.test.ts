/** Fetching from stores that nobody here wrote, with what can go wrong at them. */
import { sign } from 'node:crypto';
import { Agent as HttpsAgent } from 'node:https';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { type Stores, startStores } from '../../e2e/stores.ts';
import { type Certificate, selfSigned } from '../metricsources/testing/certificate.ts';
import { type ScriptedServer, scriptedServer } from '../metricsources/testing/scripted-server.ts';
import { basic } from './secret.ts';
import { breakingProxy } from './testing/breaking-proxy.ts';
import { digestOf, type Pod, startPod } from './testing/pod.ts';

const MODEL = Buffer.alloc(3_000_000, 'a model of some size ');
const OTHER = Buffer.from('another model');

let certificate: Certificate;
let stores: Stores;
let realm: ScriptedServer;
let pod: Pod;

beforeAll(async () => {
  certificate = selfSigned();
  realm = await scriptedServer((response, { path, headers }) => {
    const wanted = new URL(path, 'https://realm').searchParams;
    const known = headers.authorization === basic('reader', 'correct');
    const { issuer, service } = stores.tokenRegistry;
    const access = { type: 'repository', name: 'models/loadcast', actions: ['pull', 'push'] };
    response.end(
      JSON.stringify({
        // Anybody gets a token; only who is known gets one that opens something.
        token: jwt({ iss: issuer, sub: 'x', aud: service, access: known ? [access] : [] }),
        scope: wanted.get('scope'),
      }),
    );
  }, certificate);
  stores = await startStores({
    certificate,
    realm: `${realm.url}/token`,
    objects: { 'public-models/loadcast/7 (a).onnx': MODEL, 'public-models/moved.onnx': OTHER },
  });
}, 1_800_000); // the first time on a machine it builds them

afterAll(async () => {
  await stores?.[Symbol.asyncDispose]();
  await realm?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  pod = await startPod();
});
afterEach(async () => pod[Symbol.asyncDispose]());

function jwt(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const der = certificate.cert.replace(/-----[A-Z ]+-----|\n/g, '');
  const now = Math.floor(Date.now() / 1000);
  const text = [
    part({ alg: 'ES256', typ: 'JWT', x5c: [der] }),
    part({ ...claims, nbf: now - 10, iat: now, exp: now + 300, jti: '1' }),
  ].join('.');
  const signature = sign('sha256', Buffer.from(text), { key: certificate.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

describe('S3', () => {
  const keys = () => ({
    AWS_ACCESS_KEY_ID: stores.s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: stores.s3.secretAccessKey,
    AWS_ENDPOINT_URL: stores.s3.origin,
    'ca.crt': certificate.cert,
  });
  let client: S3Client;
  const put = (key: string, content: Buffer) =>
    client.send(new PutObjectCommand({ Bucket: 'models', Key: key, Body: content }));

  beforeAll(async () => {
    client = new S3Client({
      endpoint: stores.s3.origin,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: stores.s3,
      requestHandler: { httpsAgent: new HttpsAgent({ ca: certificate.cert }) },
    });
    await client.send(new CreateBucketCommand({ Bucket: 'models' }));
    await put("loadcast/7 (it's new).onnx", MODEL);
  });
  afterAll(() => client.destroy());

  test('a file whose name has every sign in it', async () => {
    expect(await pod.fetch("s3://models/loadcast/7 (it's new).onnx", MODEL, keys())).toEqual({
      bytes: MODEL.length,
      from: 'store',
    });
  });

  test('goes on where a connection broke', async () => {
    await using wire = await breakingProxy(stores.s3.origin, 1_000_000);
    await pod.fetch("s3://models/loadcast/7 (it's new).onnx", MODEL, {
      ...keys(),
      AWS_ENDPOINT_URL: wire.origin,
    });
    expect(wire.connections()).toBeGreaterThan(1);
  });

  test('another file under the same name is refused, and both digests are told', async () => {
    await put('moved.onnx', OTHER);
    await pod.fetch('s3://models/moved.onnx', OTHER, keys());
    await put('moved.onnx', MODEL);
    const { code, message } = await pod.refused('s3://models/moved.onnx', OTHER, keys());
    expect(code).toBe('ARTIFACT_DIGEST_MISMATCH');
    expect(message).toContain(digestOf(MODEL));
    expect(message).toContain(digestOf(OTHER));
  });

  test.each<[string, Record<string, string>, string, string]>([
    ['a wrong key', { AWS_SECRET_ACCESS_KEY: 'geheim' }, 'ARTIFACT_DENIED', 'AWS_SECRET_ACCESS_KEY'],
    ['an unknown key', { AWS_ACCESS_KEY_ID: 'geheim' }, 'ARTIFACT_DENIED', 'AWS_ACCESS_KEY_ID'],
    ['half a key', { AWS_SECRET_ACCESS_KEY: '' }, 'ARTIFACT_CREDENTIALS', 'AWS_SECRET_ACCESS_KEY'],
    [
      'no key',
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
      'ARTIFACT_DENIED',
      'no credentials are given',
    ],
    ['an unknown CA', { 'ca.crt': '' }, 'ARTIFACT_TLS', 'ca.crt'],
    ['a bad endpoint', { AWS_ENDPOINT_URL: 'geheim' }, 'ARTIFACT_CREDENTIALS', 'AWS_ENDPOINT_URL'],
    ['plain http', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 'ARTIFACT_INSECURE', 'only https'],
    [
      'the metadata service',
      { AWS_ENDPOINT_URL: 'https://169.254.169.254' },
      'ADDRESS_NOT_ALLOWED',
      'metadata',
    ],
  ])('%s is told by the key of the Secret, never its value', async (_, change, code, names) => {
    const told = await pod.refused('s3://models/moved.onnx', MODEL, { ...keys(), ...change });
    expect(told.code).toBe(code);
    expect(told.message).toContain(names);
    expect(told.message).not.toContain('geheim');
  });

  test('the client connects to no address that is refused', async () => {
    const guard = { allowed: new Set<never>(), apiServers: () => [] };
    const told = await pod.refused('s3://models/moved.onnx', MODEL, keys(), { guard });
    expect(told.code).toBe('ADDRESS_NOT_ALLOWED');
  });

  test('takes a file once: the same again is well, another is refused', async () => {
    const uri = "s3://models/put/7 (it's new).onnx";
    expect(await pod.put(uri, MODEL, keys())).toBe('written');
    expect(await pod.put(uri, MODEL, keys())).toBe('there');
    await expect(pod.put(uri, OTHER, keys())).rejects.toMatchObject({ code: 'ARTIFACT_EXISTS' });
    expect(await pod.fetch(uri, MODEL, keys())).toMatchObject({ bytes: MODEL.length });
  });

  test('of two that write at once one wins', async () => {
    const uri = 's3://models/put/race.onnx';
    const ends = await Promise.allSettled([pod.put(uri, MODEL, keys()), pod.put(uri, OTHER, keys())]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test.each([
    ['a wrong key', { AWS_SECRET_ACCESS_KEY: 'geheim' }, 'ARTIFACT_DENIED'],
    ['no key', { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, 'ARTIFACT_DENIED'],
    ['plain http', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 'ARTIFACT_INSECURE'],
  ])('nothing is written with %s', async (_, change, code) => {
    await expect(
      pod.put('s3://models/put/denied.onnx', MODEL, { ...keys(), ...change }),
    ).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('geheim'),
    });
    expect((await pod.refused('s3://models/put/denied.onnx', MODEL, keys())).code).toBe('ARTIFACT_NOT_FOUND');
  });

  test('a file that is not there', async () => {
    expect((await pod.refused('s3://models/no.onnx', MODEL, keys())).code).toBe('ARTIFACT_NOT_FOUND');
    expect((await pod.refused('s3://nobucket/no.onnx', MODEL, keys())).code).toBe('ARTIFACT_NOT_FOUND');
  });
});

describe('Google Cloud Storage', () => {
  const keys = () => ({ STORAGE_EMULATOR_HOST: stores.gcs.origin });

  test('a public file, over http only where that is allowed', async () => {
    const uri = 'gs://public-models/loadcast/7 (a).onnx';
    expect(await pod.fetch(uri, MODEL, keys(), { allowHttp: true })).toMatchObject({ bytes: MODEL.length });
    expect((await pod.refused(uri, MODEL, keys())).code).toBe('ARTIFACT_INSECURE');
  });

  test('goes on where a connection broke', async () => {
    await using wire = await breakingProxy(stores.gcs.origin, 1_000_000);
    const at = { STORAGE_EMULATOR_HOST: wire.origin };
    await pod.fetch('gs://public-models/loadcast/7 (a).onnx', MODEL, at, { allowHttp: true });
    expect(wire.connections()).toBeGreaterThan(1);
  });

  test('takes a file once: the same again is well, another is refused', async () => {
    const uri = 'gs://public-models/put/7 (a).onnx';
    const http = { allowHttp: true };
    expect(await pod.put(uri, MODEL, keys(), http)).toBe('written');
    expect(await pod.put(uri, MODEL, keys(), http)).toBe('there');
    await expect(pod.put(uri, OTHER, keys(), http)).rejects.toMatchObject({ code: 'ARTIFACT_EXISTS' });
    expect(await pod.fetch(uri, MODEL, keys(), http)).toMatchObject({ bytes: MODEL.length });
    await expect(pod.put('gs://nobucket/a.onnx', MODEL, keys(), http)).rejects.toMatchObject({
      code: 'ARTIFACT_NOT_FOUND',
    });
  });

  test.each([
    ['gs://public-models/no.onnx', 'ARTIFACT_NOT_FOUND'],
    ['gs://public-models/moved.onnx', 'ARTIFACT_DIGEST_MISMATCH'],
  ])('%s is refused: %s', async (uri, code) => {
    expect((await pod.refused(uri, MODEL, keys(), { allowHttp: true })).code).toBe(code);
  });
});

describe('an OCI registry', () => {
  let agent: Agent;
  const manifests = new Map<string, string>();
  const dockerconfig = (host: string, password = 'correct') =>
    JSON.stringify({
      auths: { [`https://${host}/v2/`]: { auth: Buffer.from(`reader:${password}`).toString('base64') } },
    });
  const keys = (host: string, password?: string) => ({
    '.dockerconfigjson': dockerconfig(host, password),
    'ca.crt': certificate.cert,
  });

  /** Pushes as the specification says, with a client of its own. */
  async function push(
    host: string,
    authorization: string,
    tag: string,
    layers: readonly (readonly [Buffer, string, string])[],
  ): Promise<void> {
    const send = async (
      method: 'POST' | 'PUT',
      url: string,
      body: string | Buffer | null,
      type = 'application/octet-stream',
    ) => {
      const answer = await request(url, {
        dispatcher: agent,
        method,
        body,
        headers: { authorization, 'content-type': type },
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${text}`);
      return answer.headers;
    };
    const blob = async (content: Buffer, mediaType: string, title?: string) => {
      const begun = await send('POST', `https://${host}/v2/models/loadcast/blobs/uploads/`, null);
      const digest = `sha256:${digestOf(content)}`;
      const url = new URL(String(begun['location']), `https://${host}`);
      url.searchParams.set('digest', digest);
      await send('PUT', url.href, content);
      const annotations = title === undefined ? {} : { 'org.opencontainers.image.title': title };
      return { mediaType, digest, size: content.length, annotations };
    };
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const config = await blob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const pushed = [];
    for (const [content, mediaType, title] of layers) pushed.push(await blob(content, mediaType, title));
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: pushed });
    await send('PUT', `https://${host}/v2/models/loadcast/manifests/${tag}`, manifest, type);
    manifests.set(`${host} ${tag}`, `sha256:${digestOf(Buffer.from(manifest))}`);
  }

  const ONNX = 'application/vnd.onnx';
  beforeAll(async () => {
    agent = new Agent({ connect: { ca: certificate.cert } });
    const { basicRegistry, tokenRegistry } = stores;
    const own = basic('reader', 'correct');
    await push(basicRegistry.host, own, 'v7', [
      [Buffer.from('read me'), 'text/plain', 'README.md'],
      [MODEL, ONNX, 'model.onnx'],
    ]);
    await push(basicRegistry.host, own, 'moved', [[OTHER, ONNX, 'model.onnx']]);
    await push(basicRegistry.host, own, 'packed', [[OTHER, 'application/x.layer.v1.tar+gzip', 'models']]);
    const { issuer, service } = tokenRegistry;
    const access = [{ type: 'repository', name: 'models/loadcast', actions: ['pull', 'push'] }];
    const token = `Bearer ${jwt({ iss: issuer, sub: 'x', aud: service, access })}`;
    await push(tokenRegistry.host, token, 'v7', [[MODEL, ONNX, 'model.onnx']]);
  });
  afterAll(async () => agent?.destroy());

  test('the layer of the pinned digest, by tag and by the digest of the manifest', async () => {
    const { host } = stores.basicRegistry;
    await pod.fetch(`oci://${host}/models/loadcast:v7`, MODEL, keys(host));
    await pod.fetch(`oci://${host}/models/loadcast:gone@${manifests.get(`${host} v7`)}`, MODEL, keys(host));
  });

  test('with user and password as plain keys', async () => {
    const { host } = stores.basicRegistry;
    const plain = { username: 'reader', password: 'correct', 'ca.crt': certificate.cert };
    expect(await pod.fetch(`oci://${host}/models/loadcast:v7`, MODEL, plain)).toMatchObject({
      from: 'store',
    });
  });

  test('with a token that the registry sends us for', async () => {
    const { host } = stores.tokenRegistry;
    expect(await pod.fetch(`oci://${host}/models/loadcast:v7`, MODEL, keys(host))).toMatchObject({
      from: 'store',
    });
    expect(realm.asked.at(-1)?.path).toContain('scope=repository%3Amodels%2Floadcast%3Apull');
  });

  test('a tag that was moved is told by both digests, before anything is transferred', async () => {
    const { host } = stores.basicRegistry;
    const told = await pod.refused(`oci://${host}/models/loadcast:moved`, MODEL, keys(host));
    expect(told.code).toBe('ARTIFACT_DIGEST_MISMATCH');
    expect(told.message).toContain(digestOf(OTHER));
    expect(told.message).toContain(digestOf(MODEL));
  });

  test('an archive is not looked into, and the message says what to do', async () => {
    const { host } = stores.basicRegistry;
    const told = await pod.refused(`oci://${host}/models/loadcast:packed`, MODEL, keys(host));
    expect(told).toMatchObject({ code: 'ARTIFACT_NOT_FOUND', message: expect.stringContaining('oras push') });
  });

  test.each([
    ['a wrong password', 'basicRegistry', 'geheim'],
    ['a token that opens nothing', 'tokenRegistry', 'geheim'],
  ] as const)('%s is told by the key of the Secret, never its value', async (_, at, password) => {
    const { host } = stores[at];
    const told = await pod.refused(`oci://${host}/models/loadcast:v7`, MODEL, keys(host, password));
    expect(told).toMatchObject({
      code: 'ARTIFACT_DENIED',
      message: expect.stringContaining('.dockerconfigjson'),
    });
    expect(told.message).not.toContain(password);
    expect(told.message).not.toContain(Buffer.from(`reader:${password}`).toString('base64'));
  });

  test.each([
    ['no such tag', ':none', {}, 'ARTIFACT_NOT_FOUND'],
    ['another manifest', `@sha256:${'0'.repeat(64)}`, {}, 'ARTIFACT_NOT_FOUND'],
    ['not JSON', ':v7', { '.dockerconfigjson': 'geheim' }, 'ARTIFACT_CREDENTIALS'],
    ['an unknown CA', ':v7', { 'ca.crt': '' }, 'ARTIFACT_TLS'],
  ])('%s', async (_, reference, change, code) => {
    const { host } = stores.basicRegistry;
    const told = await pod.refused(`oci://${host}/models/loadcast${reference}`, MODEL, {
      ...keys(host),
      ...change,
    });
    expect(told.code).toBe(code);
    expect(told.message).not.toContain('geheim');
  });
});
