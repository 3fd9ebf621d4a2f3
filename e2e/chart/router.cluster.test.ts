/**
 * The router as the chart installs it: from the image's files, with its own service account's token and nothing else.
 * The API server's audit log has the last word on its rights.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request as ask } from 'undici';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { RoutedModel, type RouterProcess, startRouter } from '../router.ts';
import { installChart, installedRules, kubeconfigOf, tokenFor } from './confined-operator.ts';
import { NAMESPACE } from './helm.ts';
import { layOutImage } from './image.ts';
import { forbidden, grantedRights, requestsOf, usedRights, without } from './rights.ts';

const ROUTER = 'foresail-router';
const PREFIX = '/namespaces/shop/modeldeployments/loadcast';

let cluster: Cluster;
let model: RoutedModel;
let router: RouterProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-router-'));
  cluster = await startCluster({ nodes: 0 });
  await kubectl(cluster, ['create', 'namespace', 'shop']);
  await installChart(cluster, {
    // No pods of its own: the process is the router.
    router: { enabled: true, replicas: 0 },
    // The operator is not here; who writes its status in its place is the test.
    admissionPolicies: { enabled: false },
    metrics: { readers: [{ namespace: NAMESPACE, name: 'default' }] },
  });
  const root = join(folder, 'image');
  layOutImage(root);
  router = await startRouter(await kubeconfigOf(cluster, folder, ROUTER), [], root);
  model = new RoutedModel(cluster, 'shop', 'loadcast');
  await model.create();
  await model.slice(1, await model.pod(1), true);
  await model.traffic([1, 100]);
}, 600_000);

afterAll(async () => {
  await router?.stop();
  await model?.[Symbol.asyncDispose]();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a client that knows a URL alone reaches the model', async () => {
  const answer = async () => {
    const { statusCode, body } = await ask(`${router.url}${PREFIX}/v2/models/loadcast`);
    return { statusCode, text: await body.text() };
  };
  await eventually('it is routed', async () => (await answer()).statusCode === 200);
  expect((await answer()).text).toBe('1 /v2/models/loadcast');
}, 60_000);

test('its metrics are for whom the chart names', async () => {
  const status = async (account?: string) => {
    const headers =
      account === undefined ? {} : { authorization: `Bearer ${await tokenFor(cluster, account)}` };
    const { statusCode, body } = await ask(`${router.admin}/metrics`, { headers });
    await body.dump();
    return statusCode;
  };
  expect(await status()).toBe(401);
  expect(await status(ROUTER)).toBe(403);
  expect(await status('default')).toBe(200);
}, 60_000);

test('it has the rights that it uses, and uses those that it has', async () => {
  const events = await requestsOf(`system:serviceaccount:${NAMESPACE}:${ROUTER}`, cluster.auditLogPath);
  expect(forbidden(events)).toEqual([]);
  const granted = grantedRights(await installedRules(cluster, ROUTER));
  const used = usedRights(events);
  expect(without(used, granted)).toEqual([]);
  // `list` is for API servers that cannot stream a list.
  expect(without(granted, used).filter((right) => !right.startsWith('list '))).toEqual([]);
}, 60_000);
