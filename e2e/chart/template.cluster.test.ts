/** What the chart renders, and which values it refuses. No API server is asked here. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { parseModelDeployment } from '../../operator/api/index.ts';
import { type OperatorConfig, parseConfig } from '../../operator/config.ts';
import { BOX_MODEL } from '../../operator/inference/box-model.ts';
import { CHART, field, type Helm, type Manifest, makeHelm, NAMESPACE, one } from './helm.ts';

let helm: Helm;
beforeAll(async () => {
  helm = await makeHelm();
}, 300_000);
afterAll(async () => {
  await helm[Symbol.asyncDispose]();
});

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

function rules(all: readonly Manifest[]): readonly Rule[] {
  return all
    .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
    .flatMap((role) => (role['rules'] ?? []) as readonly Rule[]);
}

function operatorConfig(all: readonly Manifest[]): OperatorConfig {
  const text = field(one(all, 'ConfigMap'), 'data') as { 'config.yaml': string };
  return parseConfig(load(text['config.yaml']), 'config.yaml');
}

function container(all: readonly Manifest[]): object {
  return field(one(all, 'Deployment'), 'spec.template.spec.containers.0') as object;
}

test('lint finds nothing, warnings included', async () => {
  expect(await helm.run(['lint', '--strict', CHART])).toContain('0 chart(s) failed');
});

describe('values that cannot work are refused with the name of the key', () => {
  test.each<[string, object, readonly string[]]>([
    ['an unknown key', { replcas: 2 }, ["'replcas'"]],
    [
      'an unknown key deep inside',
      { config: { guards: { largestStp: 3 } } },
      ['/config/guards', "'largestStp'"],
    ],
    ['a wrong type', { replicas: 'two' }, ['/replicas']],
    ['a negative number', { replicas: -1 }, ['/replicas']],
    ['a duration without unit', { config: { syncPeriod: '15' } }, ['/config/syncPeriod']],
    ['a log level that does not exist', { config: { log: { level: 'loud' } } }, ['/config/log/level']],
    [
      'a server with a misspelt limit',
      { config: { prometheusServers: [{ name: 'a', url: 'http://a', maxBodyByte: 1 }] } },
      ['/config/prometheusServers/0', "'maxBodyByte'"],
    ],
    ['a server without an address', { config: { prometheusServers: [{ name: 'a' }] } }, ["'url'"]],
    ['a key that the templates need set to null', { config: { http: null } }, ["'http'"]],
    ['a wildcard as scale target', scaleTarget({ resource: '*' }), ['/scaleTargets/0/resource']],
    ['a wildcard as group', scaleTarget({ apiGroup: '*' }), ['/scaleTargets/0/apiGroup']],
    ['no scale target', { scaleTargets: [] }, ['/scaleTargets']],
    [
      'one kind with two resources',
      { scaleTargets: [target({ resource: 'rollouts' }), target({ resource: 'others' })] },
      ['scaleTargets', 'apps/Rollout', 'twice'],
    ],
    [
      'a pod that may be root',
      { podSecurityContext: { runAsNonRoot: false } },
      ['/podSecurityContext/runAsNonRoot'],
    ],
    [
      'two replicas without leader election',
      { config: { leaderElection: { enabled: false } } },
      ['/replicas', '/config/leaderElection/enabled'],
    ],
    ['a disruption budget over one pod', { replicas: 1 }, ['/replicas', '/podDisruptionBudget/enabled']],
    [
      'one claim for two pods',
      { history: { existingClaim: 'data' } },
      ['/replicas', '/history/existingClaim'],
    ],
    [
      'a claim that is mounted nowhere',
      { history: { existingClaim: 'data' }, config: { history: { directory: null } } },
      ['/history/existingClaim', 'directory'],
    ],
    [
      'two certificates',
      { tls: { secretName: 'a' }, config: { http: { tls: { certFile: '/a', keyFile: '/b' } } } },
      ['/tls/secretName', '/config/http/tls'],
    ],
    [
      'no service account at all',
      { serviceAccount: { create: false } },
      ['/serviceAccount/create', '/serviceAccount/name'],
    ],
    [
      'a policy that denies and warns',
      { admissionPolicies: { validationActions: ['Deny', 'Warn'] } },
      ['/admissionPolicies/validationActions'],
    ],
    [
      'a policy without consequence',
      { admissionPolicies: { validationActions: [] } },
      ['/admissionPolicies/validationActions'],
    ],
  ])('%s', async (_, values, names) => {
    const error = await helm.template(values).then(
      () => undefined,
      (reason: Error) => reason.message,
    );
    for (const name of names) expect(error).toContain(name);
  });
});

describe('the operator’s configuration', () => {
  test('without values it is the operator’s default but for the lease, folders, addresses and images', async () => {
    const config = operatorConfig(await helm.template());
    const defaults = parseConfig({}, 'defaults');
    expect(config).toEqual({
      ...defaults,
      leaderElection: { ...defaults.leaderElection, name: 'foresail' },
      history: { ...defaults.history, directory: '/var/lib/foresail' },
      modelServing: { ...defaults.modelServing, image: expect.stringMatching(/^foresail\/operator:/) },
      training: { ...defaults.training, address: 'http://foresail-training.foresail-system.svc:8080' },
    });
  });

  test('every value reaches it', async () => {
    const config = operatorConfig(
      await helm.template({
        config: {
          syncPeriod: '30s',
          guards: { largestStep: 5 },
          prometheusServers: [
            { name: 'main', url: 'http://prometheus:9090', enforcedNamespaceLabel: 'namespace' },
          ],
        },
        tls: { secretName: 'cert' },
      }),
    );
    expect(config.syncPeriod).toBe(30_000);
    expect(config.guards.largestStep).toBe(5);
    expect(config.prometheusServers[0]?.enforcedNamespaceLabel).toBe('namespace');
    expect(config.http.tls?.certFile).toBe('/etc/foresail/tls/tls.crt');
  });

  test('a changed configuration replaces the pods', async () => {
    const checksum = async (values: object) =>
      (
        field(one(await helm.template(values), 'Deployment'), 'spec.template.metadata.annotations') as Record<
          string,
          string
        >
      )['checksum/config'];
    expect(await checksum({})).not.toBe(await checksum({ config: { syncPeriod: '16s' } }));
    expect(await checksum({})).toBe(await checksum({ replicas: 3 }));
  });
});

describe('the pod', () => {
  test('runs without privileges', async () => {
    const all = await helm.template();
    expect(field(container(all), 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
    });
    const pod = one(all, 'Deployment');
    expect(field(pod, 'spec.template.spec.securityContext.seccompProfile.type')).toBe('RuntimeDefault');
    expect(field(pod, 'spec.template.spec.securityContext.runAsNonRoot')).toBe(true);
  });

  test.each<[string, object, string | undefined]>([
    ['history in an emptyDir that the operator’s own limit keeps below the kubelet’s', {}, '2684354560'],
    ['a smaller history', { config: { history: { maxBytes: 1000 } } }, '1250'],
    ['history in memory', { config: { history: { directory: null } } }, undefined],
  ])('%s', async (_, values, size) => {
    const volumes = field(one(await helm.template(values), 'Deployment'), 'spec.template.spec.volumes') as {
      name: string;
      emptyDir?: { sizeLimit: string };
    }[];
    expect(volumes.find(({ name }) => name === 'history')?.emptyDir?.sizeLimit).toBe(size);
  });

  test('a claim is never held by two pods', async () => {
    const deployment = one(
      await helm.template({
        replicas: 1,
        podDisruptionBudget: { enabled: false },
        history: { existingClaim: 'data' },
      }),
      'Deployment',
    );
    expect(field(deployment, 'spec.strategy.type')).toBe('Recreate');
  });

  test('the image is pinned by its digest when there is one', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const all = await helm.template({ image: { repository: 'mirror/foresail', digest } });
    expect(field(container(all), 'image')).toBe(`mirror/foresail@${digest}`);
  });
});

test('the model in the box becomes a ModelDeployment where it is asked for, once its kind is there', async () => {
  const values = { boxModel: { namespaces: ['shop', 'bank'] } };
  const known = ['--api-versions', 'foresail.io/v1alpha1/ModelDeployment'];
  const isModel = ({ kind }: Manifest) => kind === 'ModelDeployment';
  expect((await helm.template(values)).filter(isModel)).toEqual([]);
  const made = (await helm.template(values, known)).filter(isModel);
  expect(made.map(({ metadata }) => metadata.namespace)).toEqual(['shop', 'bank']);
  // What the operator lets through by its digest, at the place where the image has it.
  for (const object of made) {
    const { spec, metadata } = parseModelDeployment({
      ...object,
      metadata: { ...object.metadata, generation: 1 },
    });
    expect(metadata.name).toBe(BOX_MODEL.name);
    expect(spec.model.sha256).toBe(BOX_MODEL.sha256);
    expect(spec.model.storageUri).toMatch(/^file:\/\/\/app\/models\//);
  }
  expect((await helm.template({}, known)).filter(isModel)).toEqual([]);
});

describe('rights', () => {
  test('no wildcard but the names of metrics, and nothing that hands out rights or reads Secrets', async () => {
    for (const rule of rules(await helm.template())) {
      const metrics = rule.apiGroups?.every((group) => /^(custom|external)\.metrics\.k8s\.io$/.test(group));
      expect(rule.verbs).not.toContain('*');
      expect(rule.apiGroups ?? []).not.toContain('*');
      if (!metrics) expect(rule.resources ?? []).not.toContain('*');
      for (const verb of ['escalate', 'bind', 'impersonate']) expect(rule.verbs).not.toContain(verb);
      // The token of an attempt is written and never read again.
      if (rule.resources?.includes('secrets') === true) expect(rule.verbs).toEqual(['create']);
    }
  });

  test('a listed kind gets its rule, its resource in the policy, and nothing else changes', async () => {
    const rollout = target({ apiGroup: 'argoproj.io', resource: 'rollouts' });
    const all = await helm.template({ scaleTargets: [rollout] });
    expect(one(all, 'ClusterRole', 'foresail-scale-targets')['rules']).toEqual([
      { apiGroups: ['argoproj.io'], resources: ['rollouts/scale'], verbs: ['get', 'patch'] },
    ]);
    expect(JSON.stringify(one(all, 'ValidatingAdmissionPolicy', 'foresail-scale-authors'))).toContain(
      "{'argoproj.io/Rollout': 'rollouts'}",
    );
    expect(one(all, 'ClusterRole')).toEqual(one(await helm.template(), 'ClusterRole'));
  });

  test('no aggregated role has a part that goes with it', async () => {
    const all = await helm.template();
    const selectors = all.flatMap(({ kind, ...manifest }) =>
      kind === 'ClusterRole'
        ? ((field(manifest, 'aggregationRule.clusterRoleSelectors') ?? []) as readonly {
            matchLabels: object;
          }[])
        : [],
    );
    expect(selectors).not.toHaveLength(0);
    for (const { metadata } of all.filter(({ kind }) => kind === 'ClusterRole'))
      for (const { matchLabels } of selectors) expect(metadata.labels).not.toMatchObject(matchLabels);
  });

  test('with a namespace named, only the reviews stay cluster-wide', async () => {
    const all = await helm.template({ config: { namespaces: ['shop'] } });
    const names = (kind: string) => all.filter((m) => m.kind === kind).map((m) => m.metadata);
    expect(names('ClusterRoleBinding').map(({ name }) => name)).toEqual([
      // Runtimes belong to no namespace.
      'foresail-runtimes',
      'foresail-auth',
      'foresail-runtimes-reader',
    ]);
    expect(
      names('RoleBinding')
        .filter(({ namespace }) => namespace !== NAMESPACE)
        .map(({ name, namespace }) => `${namespace}/${name}`)
        .sort(),
    ).toEqual(['shop/foresail', 'shop/foresail-scale-targets', 'shop/foresail-scaler']);
    for (const binding of all.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding'))
      expect(field(binding, 'spec.matchResources.namespaceSelector.matchExpressions.0.values')).toEqual([
        'shop',
      ]);
  });

  test('the lease may lie in another namespace', async () => {
    const all = await helm.template({ config: { leaderElection: { namespace: 'leases', name: 'mine' } } });
    const role = one(all, 'Role', 'foresail-leader-election');
    expect(role.metadata.namespace).toBe('leases');
    expect((role['rules'] as readonly Rule[]).at(-1)?.resourceNames).toEqual(['mine']);
  });
});

describe('serving models', () => {
  const writes = (all: readonly Manifest[]) =>
    rules(all).filter(
      ({ resources, verbs }) => resources?.includes('deployments') && verbs.includes('create'),
    );

  test('takes the operator’s own image, unless another is named', async () => {
    const image = async (values: object) => operatorConfig(await helm.template(values)).modelServing.image;
    expect(await image({ image: { repository: 'mirror/foresail', tag: '1.2' } })).toBe('mirror/foresail:1.2');
    expect(await image({ config: { modelServing: { image: 'mine:1' } } })).toBe('mine:1');
  });

  test('routes of the Gateway API are written only where that is asked for', async () => {
    const routes = async (modelServing: object) =>
      rules(await helm.template({ config: { modelServing } }))
        .filter(({ apiGroups }) => apiGroups?.includes('gateway.networking.k8s.io'))
        .map(({ resources, verbs }) => ({ resources, verbs }));
    expect(await routes({})).toEqual([]);
    expect(await routes({ gateway: true })).toEqual([
      { resources: ['httproutes'], verbs: ['get', 'patch'] },
      { resources: ['gateways', 'gatewayclasses'], verbs: ['get'] },
    ]);
    expect(await routes({ enabled: false, gateway: true })).toEqual([]);
  });

  test('switched off, the rights for it are not granted', async () => {
    expect(writes(await helm.template())).toHaveLength(1);
    expect(writes(await helm.template({ config: { modelServing: { enabled: false } } }))).toEqual([]);
  });
});

describe('the router', () => {
  const ROUTER = 'foresail-router';
  const template = (values: object = {}) => helm.template({ router: { enabled: true }, ...values });

  test('is not there unless it is asked for', async () => {
    expect((await helm.template()).map(({ metadata }) => metadata.name)).not.toContain(ROUTER);
  });

  test('its Service and its budget select its pods, and the operator’s do not', async () => {
    const all = await template();
    const labels = field(one(all, 'Deployment', ROUTER), 'spec.template.metadata.labels');
    expect(labels).toMatchObject(field(one(all, 'Service', ROUTER), 'spec.selector') as object);
    const budget = one(all, 'PodDisruptionBudget', ROUTER);
    expect(labels).toMatchObject(field(budget, 'spec.selector.matchLabels') as object);
    expect(labels).not.toMatchObject(field(one(all, 'Service'), 'spec.selector') as object);
  });

  test('runs without privileges, and holds what the values say', async () => {
    const router = one(
      await template({ router: { enabled: true, maxHeldBytes: 500_000_000 } }),
      'Deployment',
      ROUTER,
    );
    const [pod] = field(router, 'spec.template.spec.containers') as [
      { args: string[]; securityContext: object },
    ];
    expect(pod.args).toContain(`--max-held-bytes=500000000`);
    expect(pod.securityContext).toEqual(field(container(await template()), 'securityContext'));
  });

  test('its pods go only after they have drained', async () => {
    const router = one(await template(), 'Deployment', ROUTER);
    expect(field(router, 'spec.template.spec.terminationGracePeriodSeconds')).toBeGreaterThan(25);
    expect(field(router, 'spec.strategy.rollingUpdate.maxUnavailable')).toBe(0);
  });

  test('one pod has no budget, which would block every drain', async () => {
    const all = await template({ router: { enabled: true, replicas: 1 } });
    expect(all.filter(({ kind }) => kind === 'PodDisruptionBudget')).toHaveLength(1);
  });

  test('sees the namespaces that the operator sees', async () => {
    const all = await template({ config: { namespaces: ['shop'] } });
    const args = field(one(all, 'Deployment', ROUTER), 'spec.template.spec.containers.0.args');
    expect(args).toContain('--namespace=shop');
    const binding = one(all, 'RoleBinding', ROUTER);
    expect(binding.metadata.namespace).toBe('shop');
    expect(field(binding, 'subjects.0.name')).toBe(ROUTER);
    const wide = all.filter(({ kind }) => kind === 'ClusterRoleBinding').map(({ metadata }) => metadata.name);
    expect(wide.sort()).toEqual([
      'foresail-auth',
      'foresail-router-auth',
      'foresail-runtimes',
      'foresail-runtimes-reader',
    ]);
  });

  test('its ServiceMonitor reads the port of its metrics', async () => {
    const all = await template({ serviceMonitor: { enabled: true } });
    const monitor = one(all, 'ServiceMonitor', ROUTER);
    expect(one(all, 'Service', ROUTER).metadata.labels).toMatchObject(
      field(monitor, 'spec.selector.matchLabels') as object,
    );
    expect(field(monitor, 'spec.endpoints.0.port')).toBe('metrics');
  });

  test('models are asked by whom the values name', async () => {
    const shop = { namespaceSelector: { matchLabels: { team: 'shop' } } };
    const all = await template({
      networkPolicy: { enabled: true },
      router: { enabled: true, ingressFrom: [shop] },
    });
    expect(field(one(all, 'NetworkPolicy', ROUTER), 'spec.ingress')).toEqual([
      { ports: [{ port: 'http' }, { port: 'grpc' }], from: [shop] },
      { ports: [{ port: 'metrics' }] },
    ]);
  });
});

describe('monitoring', () => {
  test('nothing by default', async () => {
    expect((await helm.template()).map(({ kind }) => kind)).not.toContain('ServiceMonitor');
  });

  test('the ServiceMonitor selects the chart’s Service and brings a token', async () => {
    const all = await helm.template({
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, tokenSecret: { name: 'scrape' } },
      metrics: { readers: [{ namespace: 'monitoring', name: 'prometheus' }] },
      tls: { secretName: 'cert' },
    });
    const monitor = one(all, 'ServiceMonitor');
    expect(one(all, 'Service').metadata.labels).toMatchObject(
      field(monitor, 'spec.selector.matchLabels') as object,
    );
    expect(field(monitor, 'spec.endpoints.0')).toMatchObject({
      scheme: 'https',
      authorization: { type: 'Bearer', credentials: { name: 'scrape', key: 'token' } },
    });
    expect(one(all, 'ClusterRoleBinding', 'foresail-metrics-reader')['subjects']).toEqual([
      { kind: 'ServiceAccount', name: 'prometheus', namespace: 'monitoring' },
    ]);
  });

  test('the pods of all model versions are read where that is wanted and models are served', async () => {
    const MODELS = 'foresail-models';
    const everywhere = one(
      await helm.template({ serviceMonitor: { models: true } }),
      'ServiceMonitor',
      MODELS,
    );
    expect(field(everywhere, 'spec.namespaceSelector')).toEqual({ any: true });
    expect(field(everywhere, 'spec.endpoints.0.port')).toBe('http');
    const here = await helm.template({ serviceMonitor: { models: true }, config: { namespaces: ['shop'] } });
    expect(field(one(here, 'ServiceMonitor', MODELS), 'spec.namespaceSelector')).toEqual({
      matchNames: ['shop'],
    });
    const off = { serviceMonitor: { models: true }, config: { modelServing: { enabled: false } } };
    expect((await helm.template(off)).map(({ kind }) => kind)).not.toContain('ServiceMonitor');
  });
});

function target(part: Partial<Record<'apiGroup' | 'kind' | 'resource', string>>) {
  return { apiGroup: 'apps', kind: 'Rollout', resource: 'rollouts', ...part };
}

function scaleTarget(part: Parameters<typeof target>[0]) {
  return { scaleTargets: [target(part)] };
}
