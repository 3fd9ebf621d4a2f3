/** Tokens of a real API server, over TLS: made by kubectl, known by TokenReview, allowed by RBAC. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../e2e/cluster.ts';
import { silentLogger } from '../logger.ts';
import { fakeEngine } from '../server/testing/fake-engine.ts';
import { grpcClients } from '../server/testing/grpc-client.ts';
import { servers } from '../server/testing/servers.ts';
import { GRPC } from '../server/wire/errors.ts';
import { type Access, type AccessFlags, openAccess } from './serve-access.ts';

const run = promisify(execFile);
const start = servers();
const connect = grpcClients();
let cluster: Cluster;
let kubeconfig: string;

const kubectl = async (...args: string[]): Promise<string> =>
  (
    await run(cluster.binaries['kubectl'] as string, ['--kubeconfig', cluster.kubeconfigPath, ...args])
  ).stdout.trim();
const token = (account: string, ...flags: string[]) => kubectl('create', 'token', account, ...flags);

beforeAll(async () => {
  cluster = await startCluster({ nodes: 0 });
  // oxlint-disable-next-line no-await-in-loop -- three of them
  for (const account of ['inference', 'caller', 'stranger'])
    await kubectl('create', 'serviceaccount', account);
  // What the guide asks for, and nothing more.
  await kubectl(
    'create',
    'clusterrolebinding',
    'inference',
    '--clusterrole=system:auth-delegator',
    '--serviceaccount=default:inference',
  );
  await kubectl('create', 'clusterrole', 'infer', '--verb=post', '--non-resource-url=/v2/models/echo/infer');
  await kubectl(
    'create',
    'clusterrolebinding',
    'infer',
    '--clusterrole=infer',
    '--serviceaccount=default:caller',
  );
  kubeconfig = join(cluster.runDir, 'inference.kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: cluster.url, 'certificate-authority': cluster.caFile } }],
      users: [{ name: 'u', user: { token: await token('inference') } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
});
afterAll(() => cluster.stop());

async function served(over: Partial<AccessFlags> = {}) {
  const access: Access = await openAccess(
    {
      auth: 'token',
      authTokenAudiences: [],
      kubeconfig,
      tlsCertFile: cluster.serving.cert,
      tlsPrivateKeyFile: cluster.serving.key,
      ...over,
    },
    silentLogger,
  );
  const server = await start(fakeEngine(), { host: 'localhost', grpcPort: 0 }, access.parts);
  const port = new URL(server.httpUrl).port;
  const infer = (bearer?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(
        `https://localhost:${port}/v2/models/echo/infer`,
        {
          method: 'POST',
          ca: cluster.caData,
          agent: false,
          headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      )
        .on('error', reject)
        .end(JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }));
    });
  const live = connect(
    `localhost:${server.grpcAddress?.split(':').at(-1)}`,
    credentials.createSsl(Buffer.from(cluster.caData)),
  );
  return { infer, call: live, [Symbol.asyncDispose]: access.close };
}

describe('a token', () => {
  test('counts when the API server knows it and RBAC allows the path', async () => {
    await using server = await served();
    expect(await server.infer()).toBe(401);
    expect(await server.infer('made.up.token')).toBe(401);
    expect(await server.infer(await token('stranger'))).toBe(403);
    expect(await server.infer(await token('caller'))).toBe(200);
    expect(await server.infer(cluster.adminToken)).toBe(200);
  });

  test('made for another audience does not count', async () => {
    await using server = await served({ authTokenAudiences: ['models'] });
    expect(await server.infer(await token('caller'))).toBe(401);
    expect(await server.infer(await token('caller', '--audience=models'))).toBe(200);
  });

  test('of somebody on the list counts without RBAC', async () => {
    await using server = await served({ authAllow: ['system:serviceaccount:default:stranger'] });
    expect(await server.infer(await token('stranger'))).toBe(200);
    expect(await server.infer(await token('caller'))).toBe(403);
  });

  test('goes by an object where that is said, over gRPC as over HTTP', async () => {
    await kubectl('create', 'role', 'see-web', '--verb=get', '--resource=configmaps', '--resource-name=web');
    await kubectl('create', 'rolebinding', 'see-web', '--role=see-web', '--serviceaccount=default:stranger');
    await using server = await served({
      authResource: { group: '', resource: 'configmaps', namespace: 'default', name: 'web' },
    });
    const bearer = await token('stranger');
    expect(await server.infer(bearer)).toBe(200);
    expect(await server.infer(await token('caller'))).toBe(403);
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${bearer}`);
    expect(await server.call('ServerMetadata', {}, metadata)).toMatchObject({ name: 'foresail' });
    await expect(server.call('RepositoryModelLoad', { model_name: 'echo' }, metadata)).rejects.toMatchObject({
      code: GRPC.permissionDenied,
    });
    await expect(server.call('ServerMetadata', {})).rejects.toMatchObject({ code: GRPC.unauthenticated });
  });
});
