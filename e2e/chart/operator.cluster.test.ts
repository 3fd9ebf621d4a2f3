/**
 * The operator as a process with the rights of the chart and nothing else: the token of its service account from a
 * real `helm install`. It has to do its whole work, and the API server's audit log has the last word on its rights.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { syncPods } from '../metrics-api/pods.ts';
import { registerMetricsServer } from '../metrics-api/register.ts';
import { type MetricsServer, startMetricsServer } from '../metrics-api/server.ts';
import { deployment, isReady } from '../objects.ts';
import type { OperatorProcess } from '../operator.ts';
import { ModelStage } from '../stories/model-stage.ts';
import { bindClaim, type Pod, runPath, TrainingStage } from '../stories/trainingjob-stage.ts';
import {
  ACCOUNT,
  installChart,
  installedRules,
  QUICK,
  startConfinedOperator,
  tokenFor,
} from './confined-operator.ts';
import { NAMESPACE, RELEASE } from './helm.ts';
import { forbidden, grantedRights, requestsOf, usedRights, without } from './rights.ts';
import { type ScalerTarget, scaler, scalersPath } from './scaler.ts';

const SHOP = 'shop';
const TURNIPS = '/apis/example.org/v1/namespaces/shop/turnips';

let cluster: Cluster;
let metrics: MetricsServer;
let operator: OperatorProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-chart-'));
  cluster = await startCluster({ nodes: 2 });
  metrics = await startMetricsServer(cluster);
  await registerMetricsServer(cluster, metrics.port);
  await kubectl(cluster, ['apply', '-f', '-'], {
    input: [TURNIP_CRD, SCALED_OBJECT_CRD].map((crd) => JSON.stringify(crd)).join('\n---\n'),
  });
  await kubectl(cluster, ['create', 'namespace', SHOP]);

  await installChart(cluster, {
    scaleTargets: [
      { apiGroup: 'apps', kind: 'Deployment', resource: 'deployments' },
      { apiGroup: 'apps', kind: 'StatefulSet', resource: 'statefulsets' },
      { apiGroup: 'example.org', kind: 'Turnip', resource: 'turnips' },
    ],
    metrics: { readers: [{ namespace: NAMESPACE, name: 'default' }] },
    config: {
      ...QUICK,
      modelServing: { minReady: '0s', drain: '1s' },
      training: { fencingTimeout: '2s', restartDelay: { first: '1s', most: '1s' } },
    },
  });
  operator = await startConfinedOperator(cluster, folder);
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await metrics?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('it scales', () => {
  test('a Deployment by an External metric', async () => {
    await request(cluster, 'POST', `/apis/apps/v1/namespaces/${SHOP}/deployments`, deployment(SHOP, 'web'));
    metrics.state.setExternal(SHOP, 'orders', {}, 35);
    await scale(
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      externalMetric('orders'),
      'Active',
    );
    await replicasBecome(`/apis/apps/v1/namespaces/${SHOP}/deployments/web`, 4);
  }, 60_000);

  test('a StatefulSet by CPU', async () => {
    const { kind: _, ...web } = deployment(SHOP, 'db');
    await request(cluster, 'POST', `/apis/apps/v1/namespaces/${SHOP}/statefulsets`, {
      ...web,
      kind: 'StatefulSet',
      spec: { ...web.spec, serviceName: 'db' },
    });
    await eachPod('db', (pod) => metrics.state.setPodResource(SHOP, pod, 'app', '160m', '10Mi'));
    const target = { type: 'Utilization', averageUtilization: 80 };
    await scale(
      { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' },
      { type: 'Resource', resource: { name: 'cpu', target } },
    );
    await replicasBecome(`/apis/apps/v1/namespaces/${SHOP}/statefulsets/db`, 2);
  }, 60_000);

  test('by a metric of its pods', async () => {
    await request(cluster, 'POST', `/apis/apps/v1/namespaces/${SHOP}/deployments`, deployment(SHOP, 'api'));
    await eachPod('api', (pod) => metrics.state.setPodMetric(SHOP, pod, 'inflight', 30));
    const target = { type: 'AverageValue', averageValue: '10' };
    await scale(
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' },
      { type: 'Pods', pods: { metric: { name: 'inflight' }, target } },
    );
    await replicasBecome(`/apis/apps/v1/namespaces/${SHOP}/deployments/api`, 3);
  }, 60_000);

  test('a kind that the values list, by a metric of another object', async () => {
    await request(cluster, 'POST', TURNIPS, {
      apiVersion: 'example.org/v1',
      kind: 'Turnip',
      metadata: { name: 'field' },
      spec: { replicas: 1 },
    });
    // What the controller of a real kind does.
    await request(cluster, 'PATCH', `${TURNIPS}/field/status`, {
      status: { replicas: 1, selector: 'app=field' },
    });
    const service = { apiVersion: 'v1', kind: 'Service', name: 'door' };
    metrics.state.setObjectMetric(SHOP, { ...service, resource: 'services' }, 'hits', 20);
    const target = { type: 'AverageValue', averageValue: '10' };
    await scale(
      { apiVersion: 'example.org/v1', kind: 'Turnip', name: 'field' },
      { type: 'Object', object: { describedObject: service, metric: { name: 'hits' }, target } },
    );
    await replicasBecome(`${TURNIPS}/field`, 2);
  }, 60_000);
});

const POLICY_BINDINGS = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';

describe('it serves a model', () => {
  const MODEL = `/apis/foresail.io/v1alpha1/namespaces/${SHOP}/modeldeployments/loadcast`;
  const model = (letter: string) => ({ storageUri: `s3://models/${letter}`, sha256: letter.repeat(64) });
  const children = [
    `/apis/apps/v1/namespaces/${SHOP}/deployments/`,
    `/api/v1/namespaces/${SHOP}/services/`,
    `/apis/policy/v1/namespaces/${SHOP}/poddisruptionbudgets/`,
  ];

  async function versionsBecome(...wanted: readonly string[]): Promise<void> {
    await eventually(`versions ${wanted.join()}`, async () => {
      const { status } = await request<ModelStatus>(cluster, 'GET', MODEL);
      const found = status?.traffic?.map(({ version, weight }) => `${version}:${weight}`) ?? [];
      if (found.join() !== wanted.join()) throw new Error(JSON.stringify(status));
      return true;
    });
  }

  test('by a Deployment, a Service and a budget, which it keeps as they should be', async () => {
    const spec = { model: model('a'), rollout: { steps: [{ setWeight: 50 }, { pause: {} }] } };
    await request(cluster, 'POST', MODEL.replace('/loadcast', ''), {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'ModelDeployment',
      metadata: { name: 'loadcast' },
      spec,
    });
    await versionsBecome('1:100');
    const spoil = (path: string) =>
      request(cluster, 'PATCH', `${path}loadcast-v1`, {
        metadata: { labels: { 'foresail.io/digest': 'mine' } },
      });
    for (const path of children) await expect(spoil(path)).rejects.toThrow('change that one instead');
    // Where the administrator lets everybody, it is put right.
    await request(cluster, 'DELETE', `${POLICY_BINDINGS}/foresail-model-children`);
    await eventually('nothing is refused any more', () => Promise.all(children.map(spoil)));
    await eventually('the labels are ours again', async () => {
      const found = await Promise.all(
        children.map((path) => request<Labelled>(cluster, 'GET', `${path}loadcast-v1`)),
      );
      return found.every(({ metadata }) => metadata.labels['foresail.io/digest'] === 'a'.repeat(12));
    });
  }, 60_000);

  test('and takes away what a version has left', async () => {
    await request(cluster, 'PATCH', MODEL, { spec: { model: model('b') } });
    await versionsBecome('1:50', '2:50');
    await request(cluster, 'PATCH', MODEL, { spec: { model: model('a') } });
    await versionsBecome('1:100');
    await eventually('version 2 is gone', async () => {
      const found = await Promise.all(
        children.map((path) =>
          request(cluster, 'GET', `${path}loadcast-v2`).then(
            () => true,
            () => false,
          ),
        ),
      );
      return !found.includes(true);
    });
  }, 60_000);
});

describe('it trains', () => {
  const CPU = { workers: { nodes: 2, accelerator: 'cpu' } };
  const gate = (sha256: string) => ({
    gate: {
      verdict: 'Pass',
      failed: [],
      scores: {},
      published: { storageUri: `pvc://training/${sha256.slice(0, 12)}`, sha256 },
    },
  });
  let stage: TrainingStage;

  async function passes(name: string, attempt: number, letter: string): Promise<void> {
    const sha256 = letter.repeat(64);
    await stage.trained(await stage.trains(name, attempt), sha256);
    const [judge] = (await stage.running(name, 1, 'gate')) as [Pod];
    await stage.ends(judge, { code: 0, words: gate(sha256) });
  }

  beforeAll(async () => {
    stage = new TrainingStage(new ModelStage(cluster));
    await bindClaim(cluster);
    await stage.create('minutely', { ...CPU, schedule: '* * * * *' });
  }, 60_000);

  test('a run that is restarted, loses a node, and becomes a version', async () => {
    await stage.create('weekly', { ...CPU, gate: { against: { modelDeployment: 'loadcast' } } });
    const [first] = (await stage.trains('weekly', 1)) as [Pod];
    await stage.ends(first, { code: 1 });
    const [lost] = (await stage.trains('weekly', 2)) as [Pod];
    // Stands for a node that says nothing any more; where the administrator lets everybody.
    await request(cluster, 'DELETE', `${POLICY_BINDINGS}/foresail-training-children`);
    await eventually('the pod stays when it should go', () =>
      stage.annotate(lost, { 'foresail.io/stop-after': '1h' }),
    );
    await stage.hurry(lost);
    await passes('weekly', 3, 'c');
    const { producedVersion, restarts } = await stage.becomes(
      'weekly',
      'complete',
      ({ phase }) => phase === 'Complete',
    );
    expect(producedVersion).toMatchObject({ registry: 'loadcast', version: 1, alias: 'candidate' });
    expect(restarts).toEqual({ error: 1, disruption: 1 });
  }, 180_000);

  test('a second version, by a run that goes when it is over', async () => {
    await stage.create('again', { ...CPU, ttlSecondsAfterFinished: 0 });
    await passes('again', 1, 'd');
    await eventually('the run is gone', () => stage.models.isGone(runPath('again')), 60_000);
  }, 180_000);

  test('by a schedule', async () => {
    const [run] =
      (await stage.becomes('minutely', 'has a run', ({ runs = [] }) => runs.length > 0, 90_000)).runs ?? [];
    expect(run).toMatchObject({ cause: 'Schedule' });
    await stage.delete('minutely');
    await eventually('its run goes with it', () => stage.models.isGone(runPath(run?.name ?? '')), 60_000);
  }, 180_000);
});

test('it explains itself in status and events', async () => {
  const ready = await eventually('Ready', async () => {
    const { status } = await request<ScalerStatus>(cluster, 'GET', scalersPath(SHOP, 'web'));
    return status?.conditions?.find(({ type, status: value }) => type === 'Ready' && value === 'True');
  });
  expect(ready.type).toBe('Ready');
  await eventually('an event', async () => {
    const path = `/api/v1/namespaces/${SHOP}/events?fieldSelector=involvedObject.kind%3DPredictiveScaler`;
    const { items } = await request<{ items: { source: { component: string } }[] }>(cluster, 'GET', path);
    return items.some(({ source }) => source.component === 'foresail');
  });
});

test('it sees the rivals of a scaler', async () => {
  await request(
    cluster,
    'POST',
    `/apis/apps/v1/namespaces/${SHOP}/deployments`,
    deployment(SHOP, 'contested'),
  );
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'contested' };
  await request(cluster, 'POST', `/apis/keda.sh/v1alpha1/namespaces/${SHOP}/scaledobjects`, {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'rival' },
    spec: { scaleTargetRef },
  });
  await scale(scaleTargetRef, externalMetric('orders'));
  await eventually('ConflictingScaler', async () => {
    const { status } = await request<ScalerStatus>(cluster, 'GET', scalersPath(SHOP, 'contested'));
    return status?.conditions?.some(
      ({ type, status: value }) => type === 'ConflictingScaler' && value === 'True',
    );
  });
}, 60_000);

test('the global pause stops it, and its end lets it go on', async () => {
  const pause = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'foresail-control' },
    data: { paused: 'true' },
  };
  await request(cluster, 'POST', `/api/v1/namespaces/${NAMESPACE}/configmaps`, pause);
  const web = `/apis/apps/v1/namespaces/${SHOP}/deployments/web`;
  await eventually('the pause is seen', async () => {
    const { status } = await request<ScalerStatus>(cluster, 'GET', scalersPath(SHOP, 'web'));
    return JSON.stringify(status?.conditions).includes('GloballyPaused');
  });
  metrics.state.setExternal(SHOP, 'orders', {}, 50);
  const reads = () =>
    metrics.requests(ACCOUNT).get(`/apis/external.metrics.k8s.io/v1beta1/namespaces/${SHOP}/orders`) ?? 0;
  const before = reads();
  await eventually('three more looks at the metric', async () => reads() >= before + 3);
  expect(await replicas(web)).toBe(4);
  await request(cluster, 'DELETE', `/api/v1/namespaces/${NAMESPACE}/configmaps/foresail-control`);
  await replicasBecome(web, 5);
}, 60_000);

test('/metrics asks the API server who may read', async () => {
  const status = async (token: string | undefined) =>
    (
      await fetch(
        `${operator.url}/metrics`,
        token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
      )
    ).status;
  expect(await status(undefined)).toBe(401);
  expect(await status('made-up')).toBe(401);
  expect(await status(cluster.tokens['nobody'])).toBe(403);
  expect(await status(await tokenFor(cluster, 'default'))).toBe(200);
});

test('it ends cleanly: the lease is free, what was learned is kept', async () => {
  expect(await operator.stop()).toBe(0);
  const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${RELEASE}`;
  const { spec } = await request<{ spec: { holderIdentity?: string } }>(cluster, 'GET', path);
  expect(spec.holderIdentity ?? '').toBe('');
  expect(await checkpoints()).toContain('shop/web');
});

test('it starts again where it stopped, and what belongs to a deleted scaler goes', async () => {
  operator = await startConfinedOperator(cluster, folder);
  metrics.state.setExternal(SHOP, 'orders', {}, 60);
  await replicasBecome(`/apis/apps/v1/namespaces/${SHOP}/deployments/web`, 6);
  await request(cluster, 'DELETE', scalersPath(SHOP, 'db'));
  await eventually('its checkpoint is deleted', async () => !(await checkpoints()).includes('shop/db'));
  expect(await operator.stop()).toBe(0);
}, 60_000);

describe('the audit log', () => {
  test('knows of no request that was forbidden', async () => {
    expect(forbidden(await requestsOf(ACCOUNT, cluster.auditLogPath))).toEqual([]);
  });

  test('shows every right in use, but for those with a reason', async () => {
    const used = usedRights(await requestsOf(ACCOUNT, cluster.auditLogPath));
    const unused = without(grantedRights(await installedRules(cluster)), used);
    expect(unused.filter((right) => !UNUSED.some(({ rights }) => rights.test(right)))).toEqual([]);
  });
});

/** Granted and perhaps not needed by this run. */
const UNUSED: readonly { readonly rights: RegExp; readonly reason: string }[] = [
  { rights: /^list (?!metrics|external)/, reason: 'API servers that cannot stream a list' },
];

interface ScalerStatus {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}

interface ModelStatus {
  readonly status?: { readonly traffic?: readonly { readonly version: number; readonly weight: number }[] };
}

interface Labelled {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
}

interface StoredState {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

function externalMetric(name: string) {
  return {
    type: 'External',
    external: { metric: { name }, target: { type: 'AverageValue', averageValue: '10' } },
  };
}

/** The scalers for which something learned is stored. */
async function checkpoints(): Promise<readonly (string | undefined)[]> {
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps?labelSelector=foresail.io%2Fstate`;
  const { items } = await request<{ items: StoredState[] }>(cluster, 'GET', path);
  return items.map(({ metadata }) => metadata.annotations?.['foresail.io/scaler']);
}

async function scale(target: ScalerTarget, metric: object, mode = 'Reactive'): Promise<void> {
  await request(
    cluster,
    'POST',
    scalersPath(SHOP),
    scaler(SHOP, target.name, target, { maxReplicas: 20, mode, metrics: [metric] }),
  );
}

async function replicas(path: string): Promise<number> {
  return (await request<{ spec: { replicas: number } }>(cluster, 'GET', `${path}/scale`)).spec.replicas;
}

async function replicasBecome(path: string, wanted: number): Promise<void> {
  await eventually(`${path} has ${wanted} replicas`, async () => {
    const found = await replicas(path);
    if (found !== wanted) throw new Error(`it has ${found}`);
    return true;
  });
}

/** Waits for the Ready pods of an app and gives each its number. */
async function eachPod(app: string, measure: (pod: string) => void): Promise<void> {
  const ready = await eventually(`Ready pods of ${app}`, async () => {
    const pods = (await syncPods(cluster, metrics.state, SHOP)).filter(
      ({ metadata }) => metadata.labels['app'] === app,
    );
    return pods.length > 0 && pods.every(isReady) ? pods : undefined;
  });
  for (const { metadata } of ready) measure(metadata.name);
}

const TURNIP_CRD = crd('example.org', 'v1', 'Turnip', 'turnips', {
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  },
  status: {},
});
/** Stands for KEDA's own: the operator reads nothing of it but the target. */
const SCALED_OBJECT_CRD = crd('keda.sh', 'v1alpha1', 'ScaledObject', 'scaledobjects', {});

function crd(group: string, version: string, kind: string, plural: string, subresources: object) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              'x-kubernetes-preserve-unknown-fields': true,
              properties: {
                spec: {
                  type: 'object',
                  'x-kubernetes-preserve-unknown-fields': true,
                  properties: { replicas: { type: 'integer' } },
                },
                status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              },
            },
          },
        },
      ],
    },
  };
}
