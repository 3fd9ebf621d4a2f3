/** The chart's life on a real API server: install, upgrade, uninstall, with the CRD outliving it. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { CHART, field, type Helm, makeHelm, NAMESPACE, RELEASE, REPOSITORY } from './helm.ts';
import { scaler, scalersPath, WEB } from './scaler.ts';

let cluster: Cluster;
let helm: Helm;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 });
  helm = await makeHelm(cluster.kubeconfigPath);
}, 600_000);
afterAll(async () => {
  await helm?.[Symbol.asyncDispose]();
  await cluster?.stop();
});

test('every manifest is accepted under strict validation, whatever is turned on', async () => {
  await kubectl(cluster, ['create', 'namespace', NAMESPACE]);
  await kubectl(cluster, ['create', 'namespace', 'shop']);
  const variants: readonly object[] = [
    {},
    {
      replicas: 1,
      podDisruptionBudget: { enabled: false },
      history: { existingClaim: 'data' },
      config: { namespaces: ['shop'] },
      crds: { keep: false },
    },
    {
      tls: { secretName: 'cert' },
      networkPolicy: {
        enabled: true,
        ingressFrom: [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }],
        egress: [{ ports: [{ port: 443 }] }],
      },
      metrics: { readers: [{ namespace: 'monitoring', name: 'prometheus' }] },
      router: { enabled: true, ingressFrom: [{ namespaceSelector: {} }] },
      serviceAccount: { annotations: { 'example.org/role': 'reader' } },
      commonLabels: { 'example.org/team': 'platform' },
      priorityClassName: 'system-cluster-critical',
      topologySpreadConstraints: [],
      extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
      extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }],
      extraEnv: [{ name: 'TZ', value: 'UTC' }],
    },
  ];
  for (const values of variants) {
    // A runtime cannot be tried before its kind is there; the installation below brings both.
    const withoutRuntimes = { ...values, trainer: { runtimes: false } };
    const input = await helm.run(['template', RELEASE, CHART, '--namespace', NAMESPACE], withoutRuntimes);
    const applied = await kubectl(
      cluster,
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--output=name', '-f', '-'],
      { input },
    );
    expect(applied).toContain('deployment.apps/foresail');
  }
}, 60_000);

test('the examples of config/rbac are accepted', async () => {
  const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--output=name'];
  const applied = await kubectl(cluster, [...args, '-f', join(REPOSITORY, 'config/rbac')]);
  expect(applied.trim().split('\n')).toHaveLength(4);
});

test('install, upgrade, uninstall and install again', async () => {
  const release = [RELEASE, CHART, '--namespace', NAMESPACE, '--wait', '--timeout', '90s'];
  await helm.run(['install', ...release]);
  const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/predictivescalers.foresail.io';
  expect(field(await request<object>(cluster, 'GET', crd), 'metadata.annotations')).toHaveProperty([
    'helm.sh/resource-policy',
  ]);
  await request(cluster, 'POST', scalersPath('shop'), scaler('shop', 'mine', WEB));

  await helm.run(['upgrade', ...release], { replicas: 3 });
  const deployment = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${RELEASE}`;
  expect(field(await request<object>(cluster, 'GET', deployment), 'status.readyReplicas')).toBe(3);

  await helm.run(['uninstall', RELEASE, '--namespace', NAMESPACE, '--timeout', '60s']);
  await eventually('the Deployment is gone', () =>
    request(cluster, 'GET', deployment).then(
      () => false,
      (error: unknown) => (error as { status?: number }).status === 404,
    ),
  );
  // What users wrote is still there, and nothing refuses or needs the operator to delete it.
  expect(field(await request<object>(cluster, 'GET', scalersPath('shop', 'mine')), 'spec.maxReplicas')).toBe(
    5,
  );

  await helm.run(['install', ...release]);
  await request(cluster, 'DELETE', scalersPath('shop', 'mine'));
}, 240_000);
