/**
 * The real HPA controller as judge: it finds every kind of metric on our server and does its arithmetic with
 * it. What it decides for one pod of usage u and target t is ceil(u / t) replicas.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { deployment, isReady, type PodStatus } from '../objects.ts';
import { makeNamespace } from '../shared-cluster.ts';
import { syncPods } from './pods.ts';
import { registerMetricsServer } from './register.ts';
import { type MetricsServer, startMetricsServer } from './server.ts';

let cluster: Cluster;
let metrics: MetricsServer;
let namespace: string;

beforeAll(async () => {
  cluster = await startCluster({
    hpa: {
      syncPeriod: '1s',
      downscaleStabilization: '0s',
      cpuInitializationPeriod: '0s',
      initialReadinessDelay: '0s',
    },
  });
  metrics = await startMetricsServer(cluster);
  await registerMetricsServer(cluster, metrics.port);
  namespace = (await makeNamespace('hpa', cluster)).name;
}, 120_000);

afterAll(async () => {
  await metrics?.close();
  await cluster?.stop();
});

const CONTAINERS = [
  { name: 'app', cpu: '100m' },
  { name: 'sidecar', cpu: '100m' },
];

/** A Deployment with one Ready pod, known to the metrics server, and an HPA on it. */
async function workload(name: string, metric: object): Promise<string> {
  await request(
    cluster,
    'POST',
    `/apis/apps/v1/namespaces/${namespace}/deployments`,
    deployment(namespace, name, { containers: CONTAINERS }),
  );
  const pod = await eventually(`a Ready pod of ${name}`, async () => (await pods(name)).find(isReady));
  metrics.state.addPod(namespace, pod.metadata.name, pod.metadata.labels);
  await request(cluster, 'POST', `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 1,
      maxReplicas: 20,
      metrics: [metric],
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 20, periodSeconds: 1 }] },
      },
    },
  });
  return pod.metadata.name;
}

async function pods(app: string): Promise<readonly PodStatus[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${app}`;
  return (await request<{ items: PodStatus[] }>(cluster, 'GET', path)).items;
}

interface Hpa {
  readonly status: {
    readonly desiredReplicas?: number;
    readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
  };
}

async function hpa(name: string): Promise<Hpa> {
  return request<Hpa>(
    cluster,
    'GET',
    `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers/${name}`,
  );
}

/** The replicas in the Deployment's spec, which the HPA writes. */
async function replicas(name: string): Promise<number> {
  const scale = await request<{ spec: { replicas: number } }>(
    cluster,
    'GET',
    `/apis/apps/v1/namespaces/${namespace}/deployments/${name}/scale`,
  );
  return scale.spec.replicas;
}

async function becomes(name: string, expected: number): Promise<void> {
  await eventually(`${name} has ${expected} replicas`, async () => {
    const [found, { status }] = await Promise.all([replicas(name), hpa(name)]);
    if (found !== expected) throw new Error(`${found} replicas, ${JSON.stringify(status.conditions)}`);
    return true;
  });
}

describe('the real HPA follows', () => {
  test('External, AverageValue: 100 in all, 50 for each', async () => {
    const metric = { name: 'queue', selector: { matchLabels: { q: 'a' } } };
    await workload('external', {
      type: 'External',
      external: { metric, target: { type: 'AverageValue', averageValue: '50' } },
    });
    metrics.state.setExternal(namespace, 'queue', { q: 'b' }, 900);
    metrics.state.setExternal(namespace, 'queue', { q: 'a' }, 100);
    await becomes('external', 2);
    metrics.state.setExternal(namespace, 'queue', { q: 'a' }, 200);
    await becomes('external', 4);
    metrics.state.setExternal(namespace, 'queue', { q: 'a' }, 20);
    await becomes('external', 1);
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/queue`;
    // The controller-manager's own identity reaches the server through the front proxy.
    expect(metrics.requests('system:kube-controller-manager').get(path)).toBeGreaterThan(2);
    expect(metrics.requests('somebody-else').size).toBe(0);
  }, 60_000);

  test('External that is not there: the HPA says so and stays', async () => {
    await workload('absent', {
      type: 'External',
      external: { metric: { name: 'nothing' }, target: { type: 'AverageValue', averageValue: '50' } },
    });
    const condition = await eventually('ScalingActive False', async () =>
      (await hpa('absent')).status.conditions?.find(
        ({ type, status }) => type === 'ScalingActive' && status === 'False',
      ),
    );
    expect(condition.reason).toBe('FailedGetExternalMetric');
    expect(await replicas('absent')).toBe(1);
  }, 60_000);

  test('Resource, Utilization: 300m of 200m requested is 150 %, 50 % wanted', async () => {
    const pod = await workload('resource', {
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
    });
    metrics.state.setPodResource(namespace, pod, 'app', '200m', '10Mi');
    metrics.state.setPodResource(namespace, pod, 'sidecar', 0.1, '10Mi');
    await eventually('3 replicas proposed', async () => (await replicas('resource')) >= 3);
    expect(
      metrics.requests().get(`/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`),
    ).toBeGreaterThan(0);
  }, 60_000);

  test('ContainerResource: the sidecar does not count', async () => {
    const pod = await workload('container', {
      type: 'ContainerResource',
      containerResource: {
        name: 'cpu',
        container: 'app',
        target: { type: 'Utilization', averageUtilization: 100 },
      },
    });
    metrics.state.setPodResource(namespace, pod, 'sidecar', '900m', '10Mi');
    metrics.state.setPodResource(namespace, pod, 'app', '200m', '10Mi');
    await becomes('container', 2);
  }, 60_000);

  test('Pods, AverageValue, as pods come and go', async () => {
    const pod = await workload('pods', {
      type: 'Pods',
      pods: { metric: { name: 'inflight' }, target: { type: 'AverageValue', averageValue: '10' } },
    });
    metrics.state.setPodMetric(namespace, pod, 'inflight', 30);
    await becomes('pods', 3);
    // Two more pods without a number hold it there; with one they count.
    await eventually('3 pods', async () => (await pods('pods')).filter(isReady).length === 3);
    const known = await syncPods(cluster, metrics.state, namespace);
    const ours = known.filter(({ metadata }) => metadata.labels['app'] === 'pods');
    expect(ours).toHaveLength(3);
    // So that two pods are what two pods need, too.
    for (const { metadata } of ours) metrics.state.setPodMetric(namespace, metadata.name, 'inflight', 6);
    await becomes('pods', 2);
  }, 60_000);

  test('Object, Value', async () => {
    const ingress = {
      resource: 'ingresses.networking.k8s.io',
      kind: 'Ingress',
      apiVersion: 'networking.k8s.io/v1',
      name: 'door',
    };
    metrics.state.setObjectMetric(namespace, ingress, 'hits', 1500);
    await workload('object', {
      type: 'Object',
      object: {
        describedObject: { apiVersion: ingress.apiVersion, kind: ingress.kind, name: ingress.name },
        metric: { name: 'hits' },
        target: { type: 'Value', value: '500' },
      },
    });
    await eventually('3 replicas proposed', async () => (await replicas('object')) >= 3);
    const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/ingresses.networking.k8s.io/door/hits`;
    expect(metrics.requests('system:kube-controller-manager').get(path)).toBeGreaterThan(0);
  }, 60_000);
});
