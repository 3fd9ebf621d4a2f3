/** The router follows a cluster: weights from a ModelDeployment's status, pods from EndpointSlices. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request as ask } from 'undici';
import { installCrd } from '../../operator/api/testing/server.ts';
import { eventually } from '../eventually.ts';
import { RoutedModel, type RouterProcess, startRouter } from '../router.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../shared-cluster.ts';

const NAME = 'loadcast';
const PATH = `/v2/models/${NAME}/infer`;

let namespace: Namespace;
let model: RoutedModel;
let router: RouterProcess;

async function answer(): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await ask(`${router.url}${PATH}`, {
    method: 'POST',
    headers: { host: `${NAME}.${namespace.name}.svc.cluster.local` },
    body: '{}',
  });
  return { status: statusCode, text: await body.text() };
}

function answeredBy(version: number): Promise<boolean> {
  return eventually(`version ${version} answers alone`, async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, answer));
    return answers.every(({ status, text }) => status === 200 && text === `${version} ${PATH}`);
  });
}

beforeAll(async () => {
  const cluster = sharedCluster();
  await installCrd(cluster);
  namespace = await makeNamespace('router');
  model = new RoutedModel(cluster, namespace.name, NAME);
  await model.create();
  router = await startRouter(cluster.kubeconfigPath, ['--namespace', namespace.name]);
}, 60_000);

afterAll(async () => {
  await router?.stop();
  await model?.[Symbol.asyncDispose]();
  await namespace?.delete();
});

test('without traffic there is no route', async () => {
  expect(await answer()).toMatchObject({ status: 404 });
});

test('weights and pods are followed, and not a request fails while they change', async () => {
  const [first, second] = [await model.pod(1), await model.pod(2)];
  await model.slice(1, first, true);
  await model.traffic([1, 100]);
  await answeredBy(1);

  const stop = new AbortController();
  const statuses: number[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    // oxlint-disable-next-line no-await-in-loop -- each waits for its answer
    while (!stop.signal.aborted) statuses.push((await answer()).status);
  });
  // Weight on a version without a ready pod: stable goes on answering.
  await model.traffic([1, 0], [2, 100]);
  await model.slice(2, second, false);
  await answeredBy(1);
  await model.slice(2, second, true);
  await answeredBy(2);
  // Its pod goes.
  await model.slice(2, second, false);
  await model.traffic([1, 100], [2, 0]);
  await answeredBy(1);
  stop.abort();
  await Promise.all(callers);
  expect(statuses.length).toBeGreaterThan(20);
  expect(new Set(statuses)).toEqual(new Set([200]));
}, 120_000);

test('a ModelDeployment that is deleted has no route any more', async () => {
  await model.delete();
  await eventually('no route', async () => (await answer()).status === 404);
}, 60_000);
