/**
 * The operator confined to one namespace, on an API server that cannot stream lists: it needs no right outside, and
 * the rights to list, which a newer server never sees in use, are needed here. Then with fewer rights, where nothing is
 * trained.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TrainingJob } from '../../operator/api/index.ts';
import { MINIMAL, trainingJob } from '../../operator/api/trainingjob/testing/full-object.ts';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { registerMetricsServer } from '../metrics-api/register.ts';
import { type MetricsServer, startMetricsServer } from '../metrics-api/server.ts';
import { deployment } from '../objects.ts';
import type { OperatorProcess } from '../operator.ts';
import { ACCOUNT, installChart, QUICK, startConfinedOperator, upgradeChart } from './confined-operator.ts';
import { forbidden, requestsOf, usedRights } from './rights.ts';
import { scaler, scalersPath, WEB } from './scaler.ts';

const NAMESPACES = ['inside', 'outside'] as const;

let cluster: Cluster;
let metrics: MetricsServer;
let operator: OperatorProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-chart-'));
  cluster = await startCluster({
    nodes: 1,
    extraArgs: { 'kube-apiserver': ['--feature-gates=WatchList=false'] },
  });
  metrics = await startMetricsServer(cluster);
  await registerMetricsServer(cluster, metrics.port);
  for (const namespace of NAMESPACES) await kubectl(cluster, ['create', 'namespace', namespace]);
  await installChart(cluster, { config: { namespaces: ['inside'], ...QUICK } });
  operator = await startConfinedOperator(cluster, folder);
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await metrics?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('scales in its namespace and touches nothing outside', async () => {
  const metric = {
    type: 'External',
    external: { metric: { name: 'orders' }, target: { type: 'AverageValue', averageValue: '10' } },
  };
  for (const namespace of ['outside', 'inside']) {
    metrics.state.setExternal(namespace, 'orders', {}, 35);
    const web = deployment(namespace, 'web');
    await request(cluster, 'POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, web);
    const object = scaler(namespace, 'web', WEB, { mode: 'Reactive', metrics: [metric] });
    await request(cluster, 'POST', scalersPath(namespace), object);
  }
  const replicas = async (namespace: string) =>
    (await request<Deployment>(cluster, 'GET', `/apis/apps/v1/namespaces/${namespace}/deployments/web`)).spec
      .replicas;
  await eventually('4 replicas inside', async () => (await replicas('inside')) === 4);
  expect(await replicas('outside')).toBe(1);
  expect(
    metrics.requests(ACCOUNT).get('/apis/external.metrics.k8s.io/v1beta1/namespaces/outside/orders'),
  ).toBe(undefined);
}, 60_000);

test('where training is switched off, its TrainingJobs are told so with the rights that are left', async () => {
  const path = (namespace: string) => `/apis/foresail.io/v1alpha1/namespaces/${namespace}/trainingjobs`;
  await operator.stop();
  await upgradeChart(cluster, { config: { training: { enabled: false } } });
  operator = await startConfinedOperator(cluster, folder);
  for (const namespace of NAMESPACES)
    await request(cluster, 'POST', path(namespace), trainingJob(MINIMAL, 'loadcast', namespace));
  const status = async (namespace: string) =>
    (await request<TrainingJob>(cluster, 'GET', `${path(namespace)}/loadcast`)).status;
  await eventually('it is told', async () => (await status('inside'))?.phase === 'Pending');
  expect((await status('inside'))?.conditions).toEqual([
    expect.objectContaining({ type: 'Progressing', status: 'False', reason: 'TrainingDisabled' }),
  ]);
  expect(await status('outside')).toBeUndefined();
}, 60_000);

test('the audit log knows of no forbidden request, and of every list', async () => {
  const requests = await requestsOf(ACCOUNT, cluster.auditLogPath);
  expect(forbidden(requests)).toEqual([]);
  expect([...usedRights(requests)].filter((right) => right.startsWith('list '))).toEqual(
    expect.arrayContaining([
      'list foresail.io/predictivescalers',
      'list pods',
      'list apps/deployments',
      'list apps/statefulsets',
      'list autoscaling/horizontalpodautoscalers',
      'list configmaps',
      'list foresail.io/trainingjobs',
      'list foresail.io/clustertrainingruntimes',
      'list batch/jobs',
    ]),
  );
});

interface Deployment {
  readonly spec: { readonly replicas: number };
}
