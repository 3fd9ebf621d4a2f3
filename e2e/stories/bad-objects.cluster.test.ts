/** Objects that cannot work cost themselves alone, and say on themselves what is wrong. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Condition } from '../../operator/api/index.ts';
import { request } from '../api.ts';
import { established } from '../crd.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { deployment } from '../objects.ts';
import type { OperatorProcess } from '../operator.ts';
import {
  loadMetric,
  type ObjectWithStatus,
  SHOP,
  type Stage,
  scalerOf,
  scalerPath,
  setStage,
  targetWrites,
} from './stage.ts';

const TURNIPS = '/apis/example.org/v1/namespaces/shop/turnips';

let stage: Stage;
let operator: OperatorProcess;

/** A custom workload, with or without a scale. */
function crd(kind: string, scale: boolean) {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const paths = {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  };
  const plural = `${kind.toLowerCase()}s`;
  const subresources = { status: {}, ...(scale ? { scale: paths } : {}) };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.org` },
    spec: {
      group: 'example.org',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        { name: 'v1', served: true, storage: true, subresources, schema: { openAPIV3Schema: open } },
      ],
    },
  };
}

beforeAll(async () => {
  stage = await setStage();
  const crds = [crd('Turnip', true), crd('Stone', false)].map((object) => JSON.stringify(object));
  await kubectl(stage.cluster, ['apply', '-f', '-'], { input: crds.join('\n---\n') });
  await established(stage.cluster, 'turnips.example.org', 'stones.example.org');
  for (const name of ['vault', 'stranger']) await kubectl(stage.cluster, ['create', 'namespace', name]);
  operator = await stage.operator({ protectedNamespaces: ['vault'] });
  stage.load.set('good', 90);
  await stage.deploy('good');
  await stage.scale('good');
  await stage.replicasBecome('good', 2);
}, 600_000);

afterAll(() => stage?.close());

async function conditionIn(
  namespace: string,
  name: string,
  type: Condition['type'],
  wanted: Partial<Condition>,
) {
  const path = scalerPath(name).replace(`/${SHOP}/`, `/${namespace}/`);
  return await eventually(`${namespace}/${name} has ${JSON.stringify(wanted)}`, async () => {
    const { status } = await request<ObjectWithStatus>(stage.cluster, 'GET', path);
    const found = status?.conditions?.find((condition) => condition.type === type);
    expect(found).toMatchObject(wanted);
    return found;
  });
}

/** A policy of the cluster that refuses to scale one Deployment; resolves when the API server obeys it. */
async function lock(name: string): Promise<void> {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const policy = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'lock' },
    spec: {
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: ['apps'],
            apiVersions: ['v1'],
            operations: ['UPDATE'],
            resources: ['deployments/scale'],
          },
        ],
      },
      validations: [
        { expression: `object.metadata.name != '${name}'`, message: 'the owner of this cluster says no' },
      ],
    },
  };
  const binding = {
    apiVersion,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'lock' },
    spec: { policyName: 'lock', validationActions: ['Deny'] },
  };
  const input = [policy, binding].map((object) => JSON.stringify(object)).join('\n---\n');
  await kubectl(stage.cluster, ['apply', '-f', '-'], { input });
  const path = `/apis/apps/v1/namespaces/${SHOP}/deployments/${name}/scale?dryRun=All`;
  await eventually('the policy is in force', () =>
    request(stage.cluster, 'PATCH', path, { spec: { replicas: 2 } }).then(
      () => false,
      () => true,
    ),
  );
}

const ref = (kind: string, name: string, apiVersion = 'example.org/v1') => ({ apiVersion, kind, name });

describe('the condition of my scaler tells me', () => {
  test('that its target does not exist, until it does', async () => {
    stage.load.set('later', 90);
    await stage.scale('later');
    const condition = await stage.conditionBecomes('later', 'AbleToScale', {
      status: 'False',
      reason: 'FailedGetScale',
    });
    expect(condition.message).toBe('Deployment later does not exist in shop');
    await stage.conditionBecomes('later', 'Ready', { status: 'False', reason: 'TargetNotFound' });
    await stage.deploy('later');
    await stage.replicasBecome('later', 2);
    await stage.conditionBecomes('later', 'Ready', { status: 'True' });
  }, 60_000);

  test('that its target has no scale', async () => {
    await stage.post(TURNIPS.replace('turnips', 'stones'), {
      apiVersion: 'example.org/v1',
      kind: 'Stone',
      metadata: { name: 'rolling' },
    });
    await stage.scale('rolling', { scaleTargetRef: ref('Stone', 'rolling') });
    const condition = await stage.conditionBecomes('rolling', 'Ready', {
      status: 'False',
      reason: 'TargetNotScalable',
    });
    expect(condition.message).toMatch(/Stone .* has no \/scale/);
    await stage.conditionBecomes('rolling', 'AbleToScale', { status: 'False', reason: 'FailedGetScale' });
  }, 60_000);

  test('that its target is of a kind that nobody knows', async () => {
    await stage.scale('unheard', { scaleTargetRef: ref('Unicorn', 'u') });
    const condition = await stage.conditionBecomes('unheard', 'Ready', { status: 'False' });
    expect(condition.message).toContain('Unicorn');
  }, 60_000);

  test('that the selector of its target cannot be read, and nothing is written', async () => {
    stage.load.set('turnip', 500);
    await stage.post(TURNIPS, {
      apiVersion: 'example.org/v1',
      kind: 'Turnip',
      metadata: { name: 'field' },
      spec: { replicas: 1 },
    });
    await request(stage.cluster, 'PATCH', `${TURNIPS}/field/status`, {
      status: { replicas: 1, selector: 'app in (' },
    });
    await stage.scale('turnip', { scaleTargetRef: ref('Turnip', 'field') });
    await stage.conditionBecomes('turnip', 'ScalingActive', { status: 'False', reason: 'InvalidSelector' });
    const { spec } = await request<{ spec: { replicas: number } }>(stage.cluster, 'GET', `${TURNIPS}/field`);
    expect(spec.replicas).toBe(1);
    // A kind of my own is scaled as soon as it says which pods are its own.
    await request(stage.cluster, 'PATCH', `${TURNIPS}/field/status`, { status: { selector: 'app=field' } });
    await eventually('it is scaled', async () => {
      const field = await request<{ spec: { replicas: number } }>(stage.cluster, 'GET', `${TURNIPS}/field`);
      return field.spec.replicas > 1;
    });
  }, 60_000);

  test('that nobody has configured its metric server', async () => {
    await stage.deploy('astray');
    await stage.scale('astray', { metrics: [loadMetric('astray', 'elsewhere')] });
    await stage.conditionBecomes('astray', 'MetricsDegraded', { status: 'True', reason: 'NotConfigured' });
    await stage.conditionBecomes('astray', 'ScalingActive', { status: 'False' });
  }, 60_000);

  test('that its query cannot be read', async () => {
    await stage.deploy('garbled');
    const metric = loadMetric('garbled');
    await stage.scale('garbled', {
      metrics: [{ ...metric, prometheus: { ...metric.prometheus, query: 'sum((' } }],
    });
    await stage.conditionBecomes('garbled', 'MetricsDegraded', { status: 'True', reason: 'BadQuery' });
  }, 60_000);

  test('that its namespace may not ask that server', async () => {
    await stage.post('/apis/apps/v1/namespaces/stranger/deployments', deployment('stranger', 'guest'));
    const object = scalerOf('guest');
    await stage.post(scalerPath('').replace(SHOP, 'stranger'), { ...object, metadata: { name: 'guest' } });
    await conditionIn('stranger', 'guest', 'MetricsDegraded', { status: 'True', reason: 'NotAllowed' });
  }, 60_000);

  test('that the cluster refuses the new size, without a storm of tries; and it works when that is undone', async () => {
    stage.load.set('locked', 45);
    await stage.deploy('locked');
    await stage.scale('locked');
    await stage.conditionBecomes('locked', 'Ready', { status: 'True' });
    await lock('locked');
    const audit = await stage.audit();
    const tries = async () => targetWrites(await audit.read(), 'locked').length;
    stage.load.set('locked', 140);
    const condition = await stage.conditionBecomes('locked', 'AbleToScale', {
      status: 'False',
      reason: 'FailedUpdateScale',
    });
    expect(condition.message).toContain('the owner of this cluster says no');
    await stage.conditionBecomes('locked', 'Ready', { status: 'False' });
    const [before, since] = [await tries(), Date.now()];
    await stage.looks(operator, 'locked', 3);
    const made = (await tries()) - before;
    // One at each look, and looks are a second apart.
    expect(made).toBeLessThanOrEqual(2 + (Date.now() - since) / 1_000);
    await kubectl(stage.cluster, [
      'delete',
      'validatingadmissionpolicybindings,validatingadmissionpolicies',
      'lock',
    ]);
    await stage.replicasBecome('locked', 3);
    await stage.conditionBecomes('locked', 'AbleToScale', { status: 'True' });
  }, 90_000);

  test('that its namespace is protected, and nothing is read or written there', async () => {
    stage.load.set('gold', 500);
    await stage.post('/apis/apps/v1/namespaces/vault/deployments', deployment('vault', 'gold'));
    const audit = await stage.audit();
    await stage.post(scalerPath('').replace(SHOP, 'vault'), {
      ...scalerOf('gold'),
      metadata: { name: 'gold' },
    });
    await conditionIn('vault', 'gold', 'Ready', { status: 'False', reason: 'ProtectedNamespace' });
    await stage.looks(operator, 'good', 3);
    expect(targetWrites(await audit.read(), 'gold')).toEqual([]);
  }, 60_000);
});

describe('beside all of them', () => {
  test('a good object works as if it were alone', async () => {
    stage.load.set('good', 190);
    await stage.replicasBecome('good', 4, 10_000);
    await stage.conditionBecomes('good', 'Ready', { status: 'True' });
  }, 60_000);

  test('they are quiet: what is wrong for long is not written again and again', async () => {
    // A scrape that comes late is no end of the series.
    for (const app of ['good', 'later', 'turnip', 'locked']) stage.load.stamp(app);
    await stage.looks(operator, 'good', 2);
    const audit = await stage.audit();
    await stage.looks(operator, 'good', 5);
    const status = (await audit.read()).filter(({ objectRef }) => objectRef?.subresource === 'status');
    expect(status.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  }, 60_000);
});
