/** What the chart brings for TrainingJobs: rights, runtimes, and policies asked through a real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import {
  parseClusterTrainingRuntime,
  TRAINING_ANNOTATIONS,
  TRAINING_LABELS,
  TRAINING_PATHS,
} from '../../operator/api/index.ts';
import { followsRegistries, parseConfig } from '../../operator/config.ts';
import { LEADER_LABEL } from '../../operator/training/leader-mark.ts';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { CHART, field, type Helm, type Manifest, makeHelm, NAMESPACE, one, RELEASE } from './helm.ts';
import { answerTo, expectAnswer, People } from './people.ts';
import { grantedRights, type PolicyRule } from './rights.ts';

const OFF = { config: { training: { enabled: false } } };
const USERS = ['editor', 'viewer', 'author', 'worker', 'queue'] as const;
type User = (typeof USERS)[number] | 'admin';

let cluster: Cluster;
let people: People<(typeof USERS)[number]>;
let helm: Helm;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 0, identities: Object.fromEntries(USERS.map((user) => [user, []])) });
  people = new People(cluster);
  helm = await makeHelm(cluster.kubeconfigPath);
}, 600_000);
afterAll(async () => {
  await helm?.[Symbol.asyncDispose]();
  await cluster?.stop();
});

describe('the manifests', () => {
  const rights = (all: readonly Manifest[]) =>
    grantedRights(
      all
        .filter(
          ({ kind, metadata }) => kind === 'ClusterRole' && /^foresail(-runtimes)?$/.test(metadata.name),
        )
        .flatMap((role) => role['rules'] as readonly PolicyRule[]),
    );
  const training = /trainingjobs|clustertrainingruntimes|batch\/jobs|secrets/;
  const config = (all: readonly Manifest[]) =>
    parseConfig(
      load((field(one(all, 'ConfigMap'), 'data') as Record<string, string>)['config.yaml'] ?? ''),
      'x',
    );

  test('bring nothing where it is switched off, and grant what it takes to say so', async () => {
    const all = await helm.template(OFF);
    expect([...rights(all)].filter((right) => training.test(right))).toEqual([
      'list foresail.io/trainingjobs',
      'watch foresail.io/trainingjobs',
      'patch foresail.io/trainingjobs/status',
    ]);
    expect(all.filter(({ metadata }) => /forecaster|-training-/.test(metadata.name))).toEqual([]);
    expect(config(all).training).toMatchObject({ enabled: false });
    expect(config(all).training.address).toBeUndefined();
  });

  test.each([
    [{}, true],
    [OFF, false],
    [{ config: { modelServing: { registries: false } } }, false],
    [{ config: { ...OFF.config, modelServing: { registries: true } } }, true],
  ])('let models follow what is trained: %j', async (values, wanted) => {
    const all = await helm.template(values);
    expect(rights(all).has('watch configmaps')).toBe(wanted);
    expect(followsRegistries(config(all))).toBe(wanted);
  });

  test('let the operator make Secrets, and never read one', async () => {
    const all = await helm.template();
    const secrets = [...rights(all)].filter((right) => right.includes('secrets'));
    expect(secrets).toEqual(['create secrets']);
    expect([...rights(all)].filter((right) => training.test(right))).not.toHaveLength(0);
  });

  test.each([
    [{}, `http://foresail-training.${NAMESPACE}.svc:8080`],
    [
      { tls: { secretName: 'cert' }, config: { http: { address: '0.0.0.0:9443' } } },
      `https://foresail-training.${NAMESPACE}.svc:9443`,
    ],
    [{ config: { training: { address: 'https://training.example.com' } } }, 'https://training.example.com'],
  ])('say where pods reach the operator: %j', async (values, address) => {
    expect(config(await helm.template(values)).training.address).toBe(address);
  });

  test.each([
    [{}, undefined],
    [{ tls: { secretName: 'cert' } }, '/etc/foresail/tls/ca.crt'],
    [{ tls: { secretName: 'cert' }, config: { training: { caFile: '' } } }, ''],
    [
      { tls: { secretName: 'cert' }, config: { training: { address: 'https://training.example.com' } } },
      undefined,
    ],
    [{ tls: { secretName: 'cert' }, ...OFF }, undefined],
  ])('say by what pods know the operator: %j', async (values, caFile) => {
    expect(config(await helm.template(values)).training.caFile).toBe(caFile);
  });

  test.each([
    [{}, []],
    [{ config: { training: { podGroups: true } } }, ['create scheduling.x-k8s.io/podgroups']],
    [{ config: { training: { enabled: false, podGroups: true } } }, []],
  ])('let the operator make PodGroups where they are wanted: %j', async (values, wanted) => {
    const all = await helm.template(values);
    expect([...rights(all)].filter((right) => right.includes('podgroups'))).toEqual(wanted);
  });

  test('lead the pods of runs to the pod that leads', async () => {
    const all = await helm.template();
    const selector = field(one(all, 'Service', 'foresail-training'), 'spec.selector') as object;
    expect(selector).toMatchObject({
      ...(field(one(all, 'Deployment'), 'spec.selector.matchLabels') as object),
      [LEADER_LABEL]: 'true',
    });
    // What scrapes the operator must not find its leader twice.
    const monitored = one(await helm.template({ serviceMonitor: { enabled: true } }), 'ServiceMonitor');
    const wanted = field(monitored, 'spec.selector.matchLabels') as Record<string, string>;
    const services = all.filter(
      ({ kind, metadata }) =>
        kind === 'Service' && Object.entries(wanted).every(([key, value]) => metadata.labels[key] === value),
    );
    expect(services.map(({ metadata }) => metadata.name)).toEqual([RELEASE]);
  });

  test('bring runtimes that the operator can read', async () => {
    const runtimes = (await helm.template({ imagePullSecrets: [{ name: 'pull' }] })).filter(
      ({ kind }) => kind === 'ClusterTrainingRuntime',
    );
    const specs = runtimes.map((runtime) => parseClusterTrainingRuntime(runtime).spec);
    expect(runtimes.map(({ metadata }) => metadata.name)).toEqual(['forecaster', 'forecaster-nvidia']);
    expect(specs.map(({ image }) => image)).toEqual(['foresail/trainer:0.1.0', 'foresail/trainer:0.1.0']);
    expect(specs.map(({ cpu, gpu }) => [cpu !== undefined, gpu?.resourceNames])).toEqual([
      [true, undefined],
      [true, ['nvidia.com/gpu']],
    ]);
    for (const { command, imagePullSecrets } of specs) {
      expect(command).toContain(TRAINING_PATHS.config);
      expect(imagePullSecrets).toEqual([{ name: 'pull' }]);
    }
  });

  test('let pods of runs through the network policy, in the namespaces that are handled', async () => {
    const peers = async (namespaces: string[]) => {
      const all = await helm.template({
        config: { namespaces },
        networkPolicy: { enabled: true, ingressFrom: [{ namespaceSelector: { matchLabels: { a: 'b' } } }] },
      });
      return field(one(all, 'NetworkPolicy'), 'spec.ingress.0.from') as object[];
    };
    const podSelector = { matchExpressions: [{ key: TRAINING_LABELS.job, operator: 'Exists' }] };
    expect((await peers([]))[1]).toEqual({ podSelector, namespaceSelector: {} });
    const key = 'kubernetes.io/metadata.name';
    expect((await peers(['shop']))[1]).toEqual({
      podSelector,
      namespaceSelector: { matchExpressions: [{ key, operator: 'In', values: ['shop'] }] },
    });
  });
});

describe('installed', () => {
  const RUNTIME = '/apis/foresail.io/v1alpha1/clustertrainingruntimes/forecaster';
  const JOBS = '/apis/foresail.io/v1alpha1/namespaces/shop/trainingjobs';

  beforeAll(async () => {
    await helm.run(['install', RELEASE, CHART, '--namespace', NAMESPACE, '--create-namespace']);
    await people.post('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
    });
    const ours = {
      apiGroups: ['foresail.io'],
      resources: ['trainingjobs', 'trainingjobs/status'],
      verbs: ['create', 'patch'],
    };
    const jobs = { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'patch', 'update'] };
    await people.role('author', [ours]);
    await people.role('worker', [ours, jobs]);
    await people.role('queue', [jobs]);
    for (const user of ['author', 'worker', 'queue']) await people.bind(user, 'Role', user);
    await people.bind('editor', 'ClusterRole', 'edit');
    await people.bind('viewer', 'ClusterRole', 'view');
    await people.policiesInForce();
    await eventually('the roles', async () => (await create('editor', {})) === 'created');
  }, 120_000);

  test('the runtimes are there at once, and the next upgrade owns them', async () => {
    const image = async () => field(await request<object>(cluster, 'GET', RUNTIME), 'spec.image');
    expect(await image()).toBe('foresail/trainer:0.1.0');
    const trainer = { image: { tag: '9' } };
    await helm.run(['upgrade', RELEASE, CHART, '--namespace', NAMESPACE], { trainer });
    expect(await image()).toBe('foresail/trainer:9');
    expect(await helm.run(['get', 'manifest', RELEASE, '--namespace', NAMESPACE])).toContain(
      'name: forecaster',
    );
  }, 60_000);

  test('everybody may read a runtime, and an editor of a namespace may not write one', async () => {
    const get = (user: User) => request(cluster, 'GET', RUNTIME, undefined, { token: people.tokenOf(user) });
    await expect(get('author')).resolves.toBeDefined();
    const patch = { spec: { image: 'mine' } };
    await expect(people.patch(RUNTIME, patch, 'editor')).rejects.toThrow('forbidden');
  });

  const output = { registry: 'loadcast' };
  const all = { data: { predictiveScalers: { allNamespaces: true } } };
  test.each<[User, string, object, string | RegExp]>([
    ['editor', 'shop', { output }, 'created'],
    ['viewer', 'shop', {}, /viewer.* cannot create resource/],
    ['author', 'shop', {}, /spec: author may not create jobs in shop, as a TrainingJob does/],
    ['worker', 'shop', {}, 'created'],
    ['worker', 'shop', { output }, /spec\.output: worker may not create pods in shop/],
    ['admin', 'kube-system', {}, /metadata\.namespace: kube-system is protected/],
    [
      'admin',
      'shop',
      all,
      /spec\.data\.predictiveScalers\.allNamespaces: only a run in the operator's namespace/,
    ],
    ['admin', NAMESPACE, all, 'created'],
    [
      'editor',
      'shop',
      { data: { storageUri: 'file:///etc' } },
      /spec\.data\.storageUri: file:\/\/ is not allowed here/,
    ],
    ['editor', 'shop', { data: { storageUri: 's3://a/b' } }, 'created'],
  ])('%s in %s makes %j: %s', async (user, namespace, spec, expected) => {
    const answer = await create(user, spec, namespace);
    expectAnswer(answer, expected);
  });

  test('nobody but the operator writes the status of a run', async () => {
    await people.post(JOBS, job({}, 'mine'));
    const forged = { status: { phase: 'Complete' } };
    for (const user of ['worker', 'admin'] as const)
      await expect(people.patch(`${JOBS}/mine/status?dryRun=All`, forged, user)).rejects.toThrow(
        'only the operator does',
      );
  });

  describe('what a run is made of', () => {
    const BATCH = '/apis/batch/v1/namespaces/shop/jobs';
    const labels = { [TRAINING_LABELS.job]: 'mine', [TRAINING_LABELS.attempt]: '1' };
    const annotations = { [TRAINING_ANNOTATIONS.tokenSha256]: 'ab'.repeat(32) };
    const batchJob = (name: string, metadata: object) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, ...metadata },
      spec: {
        suspend: true,
        template: {
          spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'example.invalid/a' }] },
        },
      },
    });

    beforeAll(async () => {
      const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${RELEASE}/token`;
      const { status } = (await people.post(path, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {},
      })) as { status: { token: string } };
      await request(cluster, 'POST', BATCH, batchJob('mine-1', { labels, annotations }), {
        token: status.token,
      });
    });

    test.each<[string, User, object, string | RegExp]>([
      [
        'its token',
        'worker',
        { metadata: { annotations: { [TRAINING_ANNOTATIONS.tokenSha256]: 'cd'.repeat(32) } } },
        /are the operator's to write/,
      ],
      [
        'its token, away',
        'admin',
        { metadata: { annotations: { [TRAINING_ANNOTATIONS.tokenSha256]: null } } },
        /are the operator's to write/,
      ],
      [
        'another mark of ours',
        'worker',
        { metadata: { annotations: { 'foresail.io/training-launched': 'true' } } },
        /are the operator's to write/,
      ],
      ['a mark of one’s own', 'worker', { metadata: { annotations: { team: 'a' } } }, 'changed'],
      [
        'its attempt',
        'worker',
        { metadata: { labels: { [TRAINING_LABELS.attempt]: '2' } } },
        /are for what its TrainingJob makes/,
      ],
      [
        'a queue’s own label',
        'queue',
        { metadata: { labels: { 'kueue.x-k8s.io/queue-name': 'a' } } },
        'changed',
      ],
      ['its suspension, by a queue', 'queue', { spec: { suspend: false } }, 'changed'],
    ])('%s', async (_, user, patch, expected) => {
      const answer = await answerTo(people.patch(`${BATCH}/mine-1?dryRun=All`, patch, user), 'changed');
      expectAnswer(answer, expected);
    });

    test('nobody makes one of his own that looks like an attempt', async () => {
      const forged = batchJob('mine-2', { labels, annotations });
      const making = people.post(`${BATCH}?dryRun=All`, forged, 'worker');
      await expect(making).rejects.toThrow('are for what its TrainingJob makes');
      const plain = batchJob('plain', {});
      await people.post(`${BATCH}?dryRun=All`, plain, 'worker');
    });
  });
});

function job(spec: object, name = 'probe') {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: {
      data: { predictiveScalers: {} },
      model: { family: 'linear' },
      checkpoint: { claimName: 'training' },
      ...spec,
    },
  };
}

/** Asks the server to create one without keeping it. */
function create(user: User, spec: object, namespace = 'shop'): Promise<string> {
  const path = `/apis/foresail.io/v1alpha1/namespaces/${namespace}/trainingjobs?dryRun=All`;
  return answerTo(people.post(path, job(spec), user), 'created');
}
