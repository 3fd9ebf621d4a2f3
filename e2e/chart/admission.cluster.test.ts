/** Who may make a PredictiveScaler for what: the chart's policies, asked through a real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { CHART, makeHelm, NAMESPACE, RELEASE } from './helm.ts';
import { answerTo, expectAnswer, People } from './people.ts';
import { type ScalerTarget, scaler, scalersPath, WEB } from './scaler.ts';

/** Who has which rights in the namespace `shop`. All may write PredictiveScalers there, most not the scale. */
const USERS = ['editor', 'viewer', 'outsider', 'web-patcher', 'web-updater'] as const;
type User = (typeof USERS)[number] | 'admin';

let cluster: Cluster;
let people: People<(typeof USERS)[number]>;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 0, identities: Object.fromEntries(USERS.map((user) => [user, []])) });
  people = new People(cluster);
  await using helm = await makeHelm(cluster.kubeconfigPath);
  await helm.run(['install', RELEASE, CHART, '--namespace', NAMESPACE, '--create-namespace']);
  await people.post('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  const scale = (verb: string) => ({
    apiGroups: ['apps'],
    resources: ['deployments/scale'],
    resourceNames: ['web'],
    verbs: [verb],
  });
  await people.role('author', [
    {
      apiGroups: ['foresail.io'],
      resources: ['predictivescalers', 'modeldeployments'],
      verbs: ['create', 'patch'],
    },
  ]);
  await people.role('web-patcher', [scale('patch')]);
  await people.role('web-updater', [scale('update')]);
  for (const user of ['outsider', 'web-patcher', 'web-updater']) await people.bind(user, 'Role', 'author');
  for (const user of ['web-patcher', 'web-updater']) await people.bind(user, 'Role', user);
  await people.bind('editor', 'ClusterRole', 'edit');
  await people.bind('viewer', 'ClusterRole', 'view');
  // Policies and aggregated roles take effect a moment after they are stored.
  await people.policiesInForce();
  await eventually('the roles', async () => (await create('editor', 'shop', WEB)) === 'created');
}, 600_000);
afterAll(() => cluster?.stop());

describe('creating', () => {
  test.each<[User, string, ScalerTarget, string | RegExp]>([
    ['admin', 'shop', WEB, 'created'],
    ['editor', 'shop', WEB, 'created'],
    ['editor', 'shop', { ...WEB, name: 'not-there-yet' }, 'created'],
    ['editor', 'shop', { ...WEB, kind: 'StatefulSet' }, 'created'],
    ['web-patcher', 'shop', WEB, 'created'],
    ['web-updater', 'shop', WEB, 'created'],
    [
      'web-patcher',
      'shop',
      { ...WEB, name: 'api' },
      /spec\.scaleTargetRef: web-patcher may not patch the scale of Deployment api in shop/,
    ],
    [
      'web-patcher',
      'shop',
      { ...WEB, kind: 'StatefulSet' },
      /spec\.scaleTargetRef: web-patcher may not patch the scale of StatefulSet web/,
    ],
    [
      'outsider',
      'shop',
      WEB,
      /spec\.scaleTargetRef: outsider may not patch the scale of Deployment web in shop/,
    ],
    ['viewer', 'shop', WEB, /viewer.* cannot create resource/],
    [
      'admin',
      'shop',
      { ...WEB, kind: 'ReplicaSet' },
      /spec\.scaleTargetRef\.kind: ReplicaSet of apps is not among the kinds/,
    ],
    [
      'admin',
      'shop',
      { ...WEB, apiVersion: 'example.org/v1' },
      /spec\.scaleTargetRef\.kind: Deployment of example\.org is not among/,
    ],
    ['admin', 'kube-system', WEB, /metadata\.namespace: kube-system is protected/],
    [
      'admin',
      NAMESPACE,
      { ...WEB, name: RELEASE },
      /spec\.scaleTargetRef\.name: the operator does not scale itself/,
    ],
    ['admin', NAMESPACE, WEB, 'created'],
    ['admin', 'shop', { ...WEB, name: RELEASE }, 'created'],
  ])('%s in %s for %j: %s', async (user, namespace, target, expected) => {
    const answer = await create(user, namespace, target);
    expectAnswer(answer, expected);
  });
});

describe('a ModelDeployment', () => {
  const model = (uri: string) => ({ model: { storageUri: uri, sha256: 'a'.repeat(64) } });
  const S3 = model('s3://models/a');

  test.each<[User, string, object, string | RegExp]>([
    ['admin', 'shop', S3, 'created'],
    ['editor', 'shop', S3, 'created'],
    ['outsider', 'shop', S3, /spec: outsider may not create pods in shop, as a ModelDeployment does/],
    ['viewer', 'shop', S3, /viewer.* cannot create resource/],
    ['admin', 'kube-system', S3, /metadata\.namespace: kube-system is protected/],
    ['editor', 'shop', model('file:///etc/passwd'), /spec\.model\.storageUri: file:\/\/ is not allowed here/],
    [
      'editor',
      'shop',
      {
        ...S3,
        abTest: {
          header: 'X',
          variants: [{ name: 'b', weight: 1, storageUri: 'hf://a/b', sha256: 'a'.repeat(64) }],
        },
      },
      /spec\.abTest\.variants: .* is not allowed here/,
    ],
    [
      'editor',
      'shop',
      { ...S3, serviceAccountName: 'default' },
      /spec\.serviceAccountName: default is not allowed here/,
    ],
    ['editor', 'shop', { model: { from: { registry: 'a', alias: 'b' } } }, 'created'],
  ])('by %s in %s, %j: %s', async (user, namespace, spec, expected) => {
    const path = `/apis/foresail.io/v1alpha1/namespaces/${namespace}/modeldeployments?dryRun=All`;
    const object = {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'ModelDeployment',
      metadata: { name: 'loadcast' },
      spec,
    };
    const answer = await answerTo(people.post(path, object, user), 'created');
    expectAnswer(answer, expected);
  });
});

describe('what belongs to a ModelDeployment', () => {
  const MODEL = '/apis/foresail.io/v1alpha1/namespaces/shop/modeldeployments';
  const DEPLOYMENT = '/apis/apps/v1/namespaces/shop/deployments/loadcast-v1';
  const SERVICE = '/api/v1/namespaces/shop/services/loadcast-v1';
  const PLAIN = '/api/v1/namespaces/shop/services/plain';

  beforeAll(async () => {
    await people.role('status-writer', [
      { apiGroups: ['foresail.io'], resources: ['modeldeployments/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
    ]);
    await people.bind('outsider', 'Role', 'status-writer');
    const spec = { model: { storageUri: 's3://models/a', sha256: 'a'.repeat(64) } };
    const kind = 'ModelDeployment';
    const { metadata } = (await people.post(MODEL, {
      apiVersion: 'foresail.io/v1alpha1',
      kind,
      metadata: { name: 'loadcast' },
      spec,
    })) as { metadata: { uid: string } };
    const labels = { 'foresail.io/model-deployment': 'loadcast', 'foresail.io/model-version': '1' };
    const owned = {
      labels,
      ownerReferences: [
        {
          apiVersion: 'foresail.io/v1alpha1',
          kind,
          name: 'loadcast',
          uid: metadata.uid,
          controller: true,
        },
      ],
    };
    const containers = [{ name: 'server', image: 'example.invalid/foresail' }];
    await people.post('/apis/apps/v1/namespaces/shop/deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'loadcast-v1', ...owned },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers } },
      },
    });
    const service = (name: string, more: object) =>
      people.post('/api/v1/namespaces/shop/services', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, ...more },
        spec: { selector: labels, ports: [{ port: 80 }] },
      });
    await service('loadcast-v1', owned);
    await service('plain', { labels });
  }, 60_000);

  const traffic = { status: { traffic: [{ version: 1, weight: 100 }] } };
  const image = { spec: { template: { spec: { containers: [{ name: 'server', image: 'mine' }] } } } };
  const restart = { spec: { template: { metadata: { annotations: { restartedAt: 'now' } } } } };
  const theirs = { spec: { selector: { app: 'mine' } } };
  const unlabelled = { metadata: { labels: { 'foresail.io/model-version': null } } };
  const orphaned = { metadata: { ownerReferences: [] } };
  const refused =
    /(Deployment|Service) loadcast-v1 is made from the ModelDeployment loadcast: change that one instead/;
  test.each<[string, User, string, object, string | RegExp]>([
    ['its status', 'outsider', `${MODEL}/loadcast/status`, traffic, /status: outsider may not write it/],
    [
      'its status, by an administrator',
      'admin',
      `${MODEL}/loadcast/status`,
      traffic,
      /only the operator does/,
    ],
    ['the image of a version', 'editor', DEPLOYMENT, image, refused],
    ['its pods', 'editor', DEPLOYMENT, { spec: { replicas: 0 } }, refused],
    ['its label', 'editor', DEPLOYMENT, unlabelled, refused],
    ['its owner', 'editor', DEPLOYMENT, orphaned, refused],
    ['the Service of a version', 'editor', SERVICE, theirs, refused],
    ['a label of one’s own', 'editor', DEPLOYMENT, { metadata: { labels: { team: 'a' } } }, 'changed'],
    ['a restart', 'editor', DEPLOYMENT, restart, 'changed'],
    ['a Service that only has the labels', 'editor', PLAIN, theirs, 'changed'],
  ])('%s', async (_, user, path, patch, expected) => {
    const answer = await answerTo(people.patch(`${path}?dryRun=All`, patch, user), 'changed');
    expectAnswer(answer, expected);
  });

  test.each<[User, Record<string, string>, string | RegExp]>([
    ['editor', { app: 'mine' }, 'created'],
    ['editor', { 'foresail.io/model-version': '1' }, /metadata\.labels: those of a model version/],
    ['admin', { 'foresail.io/model-version': '1' }, /are for the pods of its Deployment/],
  ])('a pod by %s, %j: %s', async (user, labels, expected) => {
    const containers = [{ name: 'server', image: 'example.invalid/mine' }];
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'mine', labels }, spec: { containers } };
    const answer = await answerTo(
      people.post('/api/v1/namespaces/shop/pods?dryRun=All', pod, user),
      'created',
    );
    expectAnswer(answer, expected);
  });

  test('a pod of one’s own cannot be given the labels later', async () => {
    const containers = [{ name: 'server', image: 'example.invalid/mine' }];
    const pods = '/api/v1/namespaces/shop/pods';
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'mine' }, spec: { containers } };
    await eventually('a pod', () => people.post(pods, object, 'admin'));
    const change = (labels: object) => people.patch(`${pods}/mine`, { metadata: { labels } }, 'editor');
    await change({ app: 'mine' });
    await expect(change({ 'foresail.io/model-version': '1' })).rejects.toThrow('those of a model version');
  });

  test.each<[User, Record<string, string>, string | RegExp]>([
    ['editor', { 'foresail.io/registry': 'loadcast' }, 'created'],
    ['outsider', { 'foresail.io/registry': 'loadcast' }, /data: outsider may not create pods in shop/],
    ['outsider', {}, 'created'],
  ])('an index of a registry by %s, %j: %s', async (user, labels, expected) => {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'foresail-registry-loadcast', labels },
    };
    const answer = await answerTo(
      people.post('/api/v1/namespaces/shop/configmaps?dryRun=All', object, user),
      'created',
    );
    expectAnswer(answer, expected);
  });
});

describe('changing one that an editor made', () => {
  beforeAll(async () => {
    await people.post(scalersPath('shop'), scaler('shop', 'mine', WEB), 'editor');
  });

  test.each<[string, User, object, string | RegExp]>([
    ['a label needs no right on the target', 'outsider', { metadata: { labels: { team: 'a' } } }, 'changed'],
    ['larger bounds do', 'outsider', { spec: { maxReplicas: 50 } }, /outsider may not patch the scale/],
    ['and are the editor’s to set', 'editor', { spec: { maxReplicas: 50 } }, 'changed'],
    [
      'the new target counts, not the old one',
      'web-patcher',
      { spec: { scaleTargetRef: { name: 'api' } } },
      /web-patcher may not patch the scale of Deployment api/,
    ],
  ])('%s', async (_, user, patch, expected) => {
    const answer = await answerTo(
      people.patch(`${scalersPath('shop', 'mine')}?dryRun=All`, patch, user),
      'changed',
    );
    expectAnswer(answer, expected);
  });
});

/** Asks the server to create one without keeping it. */
function create(user: User, namespace: string, target: ScalerTarget): Promise<string> {
  return answerTo(
    people.post(`${scalersPath(namespace)}?dryRun=All`, scaler(namespace, 'probe', target), user),
    'created',
  );
}
