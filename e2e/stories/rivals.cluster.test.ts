/** Whoever else scales the same target: ours says so, writes nothing, and works again when the other has gone. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { code } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { established } from '../crd.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import type { OperatorProcess } from '../operator.ts';
import { loadMetric, SHOP, type Stage, scalerOf, scalerPath, setStage, targetWrites } from './stage.ts';

const HPAS = `/apis/autoscaling/v2/namespaces/${SHOP}/horizontalpodautoscalers`;
const SCALED_OBJECTS = `/apis/keda.sh/v1alpha1/namespaces/${SHOP}/scaledobjects`;

let stage: Stage;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setStage();
  await kubectl(stage.cluster, ['apply', '-f', '-'], { input: JSON.stringify(SCALED_OBJECT_CRD) });
  await established(stage.cluster, 'scaledobjects.keda.sh');
  operator = await stage.operator();
}, 600_000);

afterAll(() => stage?.close());

/** KEDA's own has more; the operator reads the target. */
const SCALED_OBJECT_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'scaledobjects.keda.sh' },
  spec: {
    group: 'keda.sh',
    scope: 'Namespaced',
    names: { kind: 'ScaledObject', plural: 'scaledobjects', singular: 'scaledobject' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

const targetOf = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name });

function hpaOf(name: string) {
  const target = { type: 'Utilization', averageUtilization: 50 };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: targetOf(name),
      maxReplicas: 9,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    },
  };
}

/** As most people write it: apiVersion and kind of the target are KEDA's defaults. */
function scaledObject(name: string, target = name) {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name },
    spec: { scaleTargetRef: { name: target } },
  };
}

/** A load of two replicas on one; a rival is there first, then ours comes, then the rival goes. */
async function rivalry(
  name: string,
  reason: string,
  come: () => Promise<unknown>,
  go: () => Promise<unknown>,
) {
  const audit = await stage.audit();
  stage.load.set(name, 90);
  await stage.deploy(name);
  await come();
  await stage.scale(name);
  await stage.conditionBecomes(name, 'ConflictingScaler', { status: 'True', reason });
  await stage.conditionBecomes(name, 'Ready', { status: 'False', reason: 'ConflictingScaler' });
  await stage.looks(operator, name, 3);
  expect(targetWrites(await audit.read(), name)).toEqual([]);
  // What it would do is still to be seen.
  expect((await stage.status(name)).desiredReplicas).toBe(2);
  await go();
  await stage.conditionBecomes(name, 'ConflictingScaler', { status: 'False', reason: 'NoConflict' });
  await stage.replicasBecome(name, 2);
}

describe('somebody scales my target already', () => {
  test('an HPA', async () => {
    await rivalry(
      'with-hpa',
      'HorizontalPodAutoscaler',
      () => stage.post(HPAS, hpaOf('with-hpa')),
      () => stage.delete(`${HPAS}/with-hpa`),
    );
  }, 60_000);

  test('KEDA', async () => {
    await rivalry(
      'with-keda',
      'ScaledObject',
      () => stage.post(SCALED_OBJECTS, scaledObject('with-keda')),
      () => stage.delete(`${SCALED_OBJECTS}/with-keda`),
    );
  }, 60_000);

  test('the HPA that KEDA made, and the condition names KEDA', async () => {
    const hpa = hpaOf('keda-hpa');
    // The owner lives, else the garbage collector takes the HPA away and the target is free.
    const orders = await stage.post<{ metadata: { uid: string } }>(
      SCALED_OBJECTS,
      scaledObject('orders', 'elsewhere'),
    );
    const { uid } = orders.metadata;
    const owner = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 'orders', uid };
    const owned = { ...hpa, metadata: { ...hpa.metadata, ownerReferences: [owner] } };
    stage.load.set('keda-hpa', 90);
    await stage.deploy('keda-hpa');
    await stage.post(HPAS, owned);
    await stage.scale('keda-hpa');
    const condition = await stage.conditionBecomes('keda-hpa', 'ConflictingScaler', { status: 'True' });
    expect(condition).toMatchObject({ reason: 'ScaledObject', message: expect.stringContaining('orders') });
  }, 60_000);

  test('another PredictiveScaler: the elder keeps the target, the younger takes over when it goes', async () => {
    stage.load.set('shared', 90);
    await stage.deploy('shared');
    await stage.scale('shared');
    await stage.replicasBecome('shared', 2);
    const younger = scalerOf('younger', {
      scaleTargetRef: targetOf('shared'),
      metrics: [loadMetric('shared')],
    });
    await stage.post(scalerPath(''), younger);
    await stage.conditionBecomes('younger', 'ConflictingScaler', {
      status: 'True',
      reason: 'PredictiveScaler',
    });
    await stage.conditionBecomes('shared', 'ConflictingScaler', { status: 'False' });
    await stage.change('younger', { minReplicas: 5 });
    await stage.looks(operator, 'younger', 3);
    expect(await stage.replicas('shared')).toBe(2);
    await stage.delete(scalerPath('shared'));
    await stage.replicasBecome('shared', 5);
    await stage.conditionBecomes('younger', 'ConflictingScaler', { status: 'False' });
  }, 60_000);
});

test('an HPA that comes later finds our writes ended at once', async () => {
  stage.load.set('late', 90);
  await stage.deploy('late');
  await stage.scale('late');
  await stage.replicasBecome('late', 2);
  await stage.post(HPAS, hpaOf('late'));
  await stage.conditionBecomes('late', 'ConflictingScaler', {
    status: 'True',
    reason: 'HorizontalPodAutoscaler',
  });
  const audit = await stage.audit();
  stage.load.set('late', 190);
  await stage.looks(operator, 'late', 3);
  expect(targetWrites(await audit.read(), 'late')).toEqual([]);
  expect(await stage.replicas('late')).toBe(2);
}, 60_000);

describe('somebody sets the replicas by hand', () => {
  const path = `/apis/apps/v1/namespaces/${SHOP}/deployments/fought`;
  const setBack = () => request(stage.cluster, 'PATCH', path, { spec: { replicas: 1 } });

  test('once is corrected; who keeps doing so gets the target, and is named', async () => {
    stage.load.set('fought', 140);
    await stage.deploy('fought', { replicas: 3 });
    await stage.scale('fought');
    await stage.conditionBecomes('fought', 'Ready', { status: 'True' });
    stage.load.set('fought', 190);
    await stage.replicasBecome('fought', 4);
    const audit = await stage.audit();
    await setBack();
    // From one, no more than four at once: HPA's limit, and enough.
    await stage.replicasBecome('fought', 4);
    await stage.conditionBecomes('fought', 'ConflictingScaler', { status: 'False' });
    await setBack();
    await stage.replicasBecome('fought', 4);
    await setBack();
    await stage.conditionBecomes('fought', 'ConflictingScaler', { status: 'True', reason: 'SecondWriter' });
    await stage.looks(operator, 'fought', 4);
    expect(await stage.replicas('fought')).toBe(1);
    // One that was decided on an older version of the Deployment is refused, and made anew.
    const taken = targetWrites(await audit.read(), 'fought').filter((entry) => code(entry) === 200);
    expect(taken).toHaveLength(2);
  }, 90_000);

  test('a scaler made anew begins anew', async () => {
    await stage.delete(scalerPath('fought'));
    await eventually('its memory is gone', async () => {
      const explain = `/explain/v1/namespaces/${SHOP}/predictivescalers/fought`;
      return (await stage.get(operator, explain)).status === 404;
    });
    await stage.scale('fought');
    await stage.replicasBecome('fought', 4);
    await stage.conditionBecomes('fought', 'ConflictingScaler', { status: 'False' });
  }, 60_000);
});

test('the operator starts anew beside rivals: not one write before it knows them', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `begin-${i}`);
  expect(await operator.stop()).toBe(0);
  for (const name of names) {
    stage.load.set(name, 90);
    await stage.deploy(name);
    await stage.post(SCALED_OBJECTS, scaledObject(name));
    await stage.scale(name);
  }
  const audit = await stage.audit();
  operator = await stage.operator();
  for (const name of names)
    await stage.conditionBecomes(name, 'ConflictingScaler', { status: 'True', reason: 'ScaledObject' });
  const writes = targetWrites(await audit.read());
  expect(writes.map((entry) => `${entry.verb} ${entry.requestURI} ${code(entry)}`)).toEqual([]);
}, 60_000);

test('all that time the operator has had no error of its own', () => {
  const errors = operator.logs().filter(({ level }) => level === 'error');
  expect(errors).toEqual([]);
});
