/**
 * The router follows a cluster: weights from a ModelDeployment's status, pods from EndpointSlices. The pods are servers
 * of this process on the machine's own address (a slice takes no loopback); who else would write slices and status is
 * not running here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request as ask } from 'undici';
import { MODEL_DEPLOYMENT } from '../../operator/api/modeldeployment/kind.ts';
import { installCrd, resourcePath } from '../../operator/api/testing/server.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../shared-cluster.ts';

const NAME = 'loadcast';

const ADDRESS = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

const pods: Server[] = [];
let namespace: Namespace;
let router: ChildProcess;
let url: string;

/** A version's pod answers with the number of its version. */
async function pod(version: number): Promise<number> {
  const server = createServer((incoming, response) => {
    incoming.resume();
    incoming.once('end', () => response.end(String(version)));
  });
  pods.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, ADDRESS, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function slice(version: number, port: number, ready: boolean): Promise<void> {
  const name = `${NAME}-v${version}-${port}`;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace.name}/endpointslices/${name}`;
  const body = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      labels: {
        'kubernetes.io/service-name': `${NAME}-v${version}`,
        'foresail.io/model-deployment': NAME,
        'foresail.io/model-version': String(version),
      },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port }],
    endpoints: [{ addresses: [ADDRESS], conditions: { ready } }],
  };
  await request(sharedCluster(), 'PATCH', `${path}?fieldManager=test&force=true`, body, {
    contentType: 'application/apply-patch+yaml',
  });
}

async function traffic(...weights: readonly [version: number, weight: number][]): Promise<void> {
  const path = `${resourcePath(namespace.name, NAME, MODEL_DEPLOYMENT)}/status`;
  await request(sharedCluster(), 'PATCH', path, {
    status: { traffic: weights.map(([version, weight]) => ({ version, weight })) },
  });
}

async function answer(): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await ask(`${url}/v2/models/${NAME}/infer`, {
    method: 'POST',
    headers: { host: `${NAME}.${namespace.name}.svc.cluster.local` },
    body: '{}',
  });
  return { status: statusCode, text: await body.text() };
}

function answeredBy(version: number): Promise<boolean> {
  return eventually(`version ${version} answers alone`, async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, answer));
    return answers.every(({ status, text }) => status === 200 && text === String(version));
  });
}

beforeAll(async () => {
  if (ADDRESS === undefined) throw new Error('this test needs an IPv4 address other than loopback');
  const cluster = sharedCluster();
  await installCrd(cluster);
  namespace = await makeNamespace('router');
  await request(cluster, 'POST', resourcePath(namespace.name, '', MODEL_DEPLOYMENT), {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'ModelDeployment',
    metadata: { name: NAME },
    spec: { model: { storageUri: 'https://models.example.com/1.onnx', sha256: 'a'.repeat(64) } },
  });
  const program = fileURLToPath(new URL('../../operator/cli/main.ts', import.meta.url));
  const args = ['router', '--kubeconfig', cluster.kubeconfigPath, '--namespace', namespace.name];
  router = spawn(
    process.execPath,
    [program, ...args, '--host', '127.0.0.1', '--port', '0', '--admin-port', '0'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  url = await new Promise<string>((resolve, reject) => {
    const said: string[] = [];
    for (const stream of [router.stdout, router.stderr])
      if (stream !== null)
        createInterface({ input: stream }).on('line', (line) => {
          said.push(line);
          if (line.includes('"routing"')) resolve((JSON.parse(line) as { url: string }).url);
        });
    router.once('exit', () => reject(new Error(`the router ended: ${said.join('\n')}`)));
  });
}, 60_000);

afterAll(async () => {
  if (router?.exitCode === null) {
    const ended = once(router, 'exit');
    // As Ctrl-C: nothing has to notice that it goes.
    router.kill('SIGINT');
    await ended;
  }
  for (const server of pods) {
    server.closeAllConnections();
    server.close();
  }
  await namespace?.delete();
});

test('without traffic there is no route', async () => {
  expect(await answer()).toMatchObject({ status: 404 });
});

test('weights and pods are followed, and not a request fails while they change', async () => {
  const [first, second] = [await pod(1), await pod(2)];
  await slice(1, first, true);
  await traffic([1, 100]);
  await answeredBy(1);

  const stop = new AbortController();
  const statuses: number[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    // oxlint-disable-next-line no-await-in-loop -- each waits for its answer
    while (!stop.signal.aborted) statuses.push((await answer()).status);
  });
  // Weight on a version without a ready pod: stable goes on answering.
  await traffic([1, 0], [2, 100]);
  await slice(2, second, false);
  await answeredBy(1);
  await slice(2, second, true);
  await answeredBy(2);
  // Its pod goes.
  await slice(2, second, false);
  await traffic([1, 100], [2, 0]);
  await answeredBy(1);
  stop.abort();
  await Promise.all(callers);
  expect(statuses.length).toBeGreaterThan(20);
  expect(new Set(statuses)).toEqual(new Set([200]));
}, 120_000);

test('a ModelDeployment that is deleted has no route any more', async () => {
  await request(sharedCluster(), 'DELETE', resourcePath(namespace.name, NAME, MODEL_DEPLOYMENT));
  await eventually('no route', async () => (await answer()).status === 404);
}, 60_000);
