/**
 * Keys and tokens of clouds. The clouds themselves cannot be had here: stubs on loopback speak as their documents say,
 * and the real clients talk to them.
 */
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type Script,
  type ScriptedServer,
  scriptedServer,
} from '../metricsources/testing/scripted-server.ts';
import { gsRemote } from './gs.ts';
import { type Http, openHttp } from './http.ts';
import { secretIn } from './secret.ts';
import { type Pod, startPod } from './testing/pod.ts';

const MODEL = Buffer.from('a model');
let pod: Pod;
let folder: string;
let cloud: ScriptedServer;

beforeEach(async () => {
  pod = await startPod();
  folder = await mkdtemp(join(tmpdir(), 'foresail-identity-'));
  cloud = await scriptedServer((response) => response.writeHead(404).end());
});
afterEach(async () => {
  await pod[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('AWS', () => {
  const keys = () => ({ AWS_ENDPOINT_URL: cloud.url });
  const signedBy = (id: string): Script => {
    return (response, { path, headers }) => {
      const ours = headers.authorization?.includes(`Credential=${id}/`) === true;
      const good = path.startsWith('/models/m.onnx') && ours && headers['x-amz-security-token'] === 'session';
      if (good) response.end(MODEL);
      else response.writeHead(403).end();
    };
  };
  const fetchAs = (identity: Record<string, string>) =>
    pod.fetch('s3://models/m.onnx', MODEL, keys(), { allowHttp: true, identity });

  test('a token of a projected volume becomes the keys of a role', async () => {
    await writeFile(join(folder, 'token'), 'projected');
    cloud.answer((response, asked) => {
      if (asked.params.get('Action') !== 'AssumeRoleWithWebIdentity')
        return signedBy('ASIAROLE')(response, asked);
      const { params } = asked;
      if (params.get('WebIdentityToken') !== 'projected' || params.get('RoleArn') !== 'arn:aws:iam::1:role/r')
        return void response.writeHead(403).end();
      response.setHeader('content-type', 'text/xml');
      response.end(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
        <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>session</SessionToken>
        <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`);
    });
    const env = {
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/r',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
      AWS_ENDPOINT_URL_STS: cloud.url,
      AWS_REGION: 'eu-central-1',
    };
    expect(await fetchAs(env)).toMatchObject({ from: 'store' });
    expect(cloud.asked.at(-1)?.headers.authorization).toContain('/eu-central-1/s3/');
  });

  test('the agent of the node gives keys for the token that the webhook mounted', async () => {
    await writeFile(join(folder, 'token'), 'projected\n');
    cloud.answer((response, asked) => {
      if (asked.path !== '/v1/credentials') return signedBy('ASIAAGENT')(response, asked);
      if (asked.headers.authorization !== 'projected') return void response.writeHead(403).end();
      response.end(JSON.stringify({ AccessKeyId: 'ASIAAGENT', SecretAccessKey: 's', Token: 'session' }));
    });
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${cloud.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(folder, 'token'),
    };
    expect(await fetchAs(env)).toMatchObject({ from: 'store' });
  });

  test('a pod that is nobody is told so', async () => {
    const change = { allowHttp: true, identity: {} };
    expect(await pod.refused('s3://models/m.onnx', MODEL, keys(), change)).toMatchObject({
      code: 'ARTIFACT_CREDENTIALS',
      message: expect.stringContaining('spec.serviceAccountName'),
    });
  });

  test('the environment is not looked at where the pod has no identity', async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIAENVIRONMENT';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'geheim';
    try {
      await pod.refused('s3://models/m.onnx', MODEL, keys(), { allowHttp: true });
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID'];
      delete process.env['AWS_SECRET_ACCESS_KEY'];
    }
    expect(cloud.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe('Google', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    type: 'service_account',
    client_email: 'reader@project.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };

  /** Google's token service is at one address that cannot be changed; here it is the stub's. */
  function redirected(http: Http): Http {
    return {
      ...http,
      send: (request, signal) =>
        http.send(
          request.origin === 'https://oauth2.googleapis.com' ? { ...request, origin: cloud.url } : request,
          signal,
        ),
    };
  }

  async function open(keys: Record<string, string>): Promise<string> {
    for (const [name, value] of Object.entries(keys)) await writeFile(join(folder, name), value);
    await writeFile(join(folder, 'STORAGE_EMULATOR_HOST'), cloud.url);
    const guard = { allowed: new Set(['loopback'] as const), apiServers: () => [] };
    const http = openHttp({ guard, allowHttp: true });
    try {
      const access = { http: redirected(http), secret: secretIn(folder) };
      const remote = gsRemote({ bucket: 'models', key: 'a/b.onnx' }, access);
      const { pieces } = await remote.open(0, AbortSignal.timeout(20_000));
      let text = '';
      for await (const piece of pieces) text += Buffer.from(piece).toString();
      return text;
    } finally {
      await http.close();
    }
  }

  const tokens =
    (give: (params: URLSearchParams) => boolean): Script =>
    (response, { path, params, headers }) => {
      if (path === '/token') {
        if (give(params))
          response.setHeader('content-type', 'application/json').end('{"access_token":"good"}');
        else response.writeHead(400).end('{"error":"invalid_grant"}');
      } else if (
        headers.authorization === 'Bearer good' &&
        path === '/storage/v1/b/models/o/a%2Fb.onnx?alt=media'
      )
        response.end(MODEL);
      else response.writeHead(403).end();
    };

  test('the key of a service account is changed into a token that may only read', async () => {
    cloud.answer(
      tokens((params) => {
        const [head = '', claims = '', signature = ''] = (params.get('assertion') ?? '').split('.');
        const { iss, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<
          string,
          string
        >;
        const verified = createVerify('sha256').update(`${head}.${claims}`);
        return (
          verified.verify(publicKey, Buffer.from(signature, 'base64url')) &&
          iss === key.client_email &&
          scope?.endsWith('/devstorage.read_only') === true
        );
      }),
    );
    expect(await open({ 'gcloud-application-credentials.json': JSON.stringify(key) })).toBe('a model');
    await rm(join(folder, 'gcloud-application-credentials.json'));
    expect(await open({ GOOGLE_APPLICATION_CREDENTIALS: JSON.stringify(key) })).toBe('a model');
  });

  test('the refresh token of a user is changed into one', async () => {
    const user = { type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' };
    cloud.answer(tokens((params) => params.get('refresh_token') === 'r'));
    expect(await open({ 'gcloud-application-credentials.json': JSON.stringify(user) })).toBe('a model');
  });

  test.each<[string, string, RegExp]>([
    ['not JSON', 'geheim', /it is not JSON/],
    ['a kind that runs a program', '{"type":"external_account"}', /service_account or an authorized_user/],
    ['no key', '{"type":"service_account","client_email":"a"}', /look at its private_key/],
    ['a broken key', JSON.stringify({ ...key, private_key: 'geheim' }), /no token can be signed/],
    ['a key that is not known any more', JSON.stringify(key), /gets no token \(400\)/],
  ])('%s is told without a word of it', async (_, text, why) => {
    cloud.answer(tokens(() => false));
    const refused = open({ 'gcloud-application-credentials.json': text });
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.toMatchObject({ code: 'ARTIFACT_CREDENTIALS' });
    await expect(refused).rejects.not.toThrow('geheim');
  });

  test('the pod’s own token comes from the metadata service, which no address reaches otherwise', async () => {
    cloud.answer((response, asked) => {
      if (asked.path !== '/computeMetadata/v1/instance/service-accounts/default/token')
        return tokens(() => false)(response, asked);
      if (asked.headers['metadata-flavor'] !== 'Google') return void response.writeHead(403).end();
      response.end('{"access_token":"good","expires_in":3599}');
    });
    const keys = { STORAGE_EMULATOR_HOST: cloud.url };
    const identity = { GCE_METADATA_HOST: new URL(cloud.url).host };
    await pod.fetch('gs://models/a/b.onnx', MODEL, keys, { allowHttp: true, identity });
    const told = await pod.refused('gs://models/a/b.onnx', MODEL, keys, { allowHttp: true });
    expect(told).toMatchObject({ code: 'ARTIFACT_DENIED' });
    const asked = 'https://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token';
    expect(await pod.refused(asked, MODEL, {}, { identity })).toMatchObject({ code: 'ADDRESS_NOT_ALLOWED' });
  });
});
