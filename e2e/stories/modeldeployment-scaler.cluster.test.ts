/** A PredictiveScaler targets a ModelDeployment: its number becomes pods of the versions, also in mid-rollout. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isWrite } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { DEPLOYMENTS, ModelStage, model, modelPath, SHOP } from './model-stage.ts';
import { PER_REPLICA, type Stage, setStage } from './stage.ts';

const NAME = 'loadcast';

interface Scale {
  readonly status: { readonly selector: string };
}

let stage: Stage;
let models: ModelStage;

beforeAll(async () => {
  stage = await setStage();
  models = new ModelStage(stage.cluster);
  await stage.operator({
    modelServing: { image: 'example.invalid/foresail', minReady: '0s', drain: '1s' },
  });
}, 600_000);

afterAll(() => stage?.close());

test('stable follows the load, and a canary gets its share of it', async () => {
  stage.load.set(NAME, 3 * PER_REPLICA - 10);
  await models.create(NAME, {
    server: { replicas: 1 },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  await models.trafficBecomes(NAME, '1:100');
  await stage.scale(NAME, {
    scaleTargetRef: { apiVersion: 'foresail.io/v1alpha1', kind: 'ModelDeployment', name: NAME },
    mode: 'Reactive',
  });
  await models.orderedBecomes(NAME, '1x3');
  await eventually('the scaler names its target', async () => {
    expect((await stage.status(NAME)).target).toBe(`ModelDeployment/${NAME}`);
    return true;
  });

  await models.change(NAME, { model: model('b') });
  await models.trafficBecomes(NAME, '1:50 2:50');
  expect(await models.ordered(NAME)).toBe('1x3 2x2');
  stage.load.set(NAME, 6 * PER_REPLICA - 10);
  await models.orderedBecomes(NAME, '1x6 2x3');
  await models.becomes(NAME, 'rests', ({ phase, replicas }) => phase === 'Paused' && replicas === 9);
  expect(await models.traffic(NAME)).toBe('1:50 2:50');
}, 180_000);

test('a scaler sees the pods that answer, through the scale of the ModelDeployment', async () => {
  const scale = await request<Scale>(stage.cluster, 'GET', `${modelPath(NAME)}/scale`);
  expect(scale).toMatchObject({ spec: { replicas: 6 }, status: { replicas: 9 } });
  const pods = await request<{ items: object[] }>(
    stage.cluster,
    'GET',
    `/api/v1/namespaces/${SHOP}/pods?labelSelector=${encodeURIComponent(scale.status.selector)}`,
  );
  expect(pods.items).toHaveLength(9);
});

test('stable keeps what all of the traffic needs, and nobody fights over a version', async () => {
  await models.rollout('abort', NAME);
  await models.trafficBecomes(NAME, '1:100');
  await models.orderedBecomes(NAME, '1x6');
  // Somebody who scales a version by itself is put right, and the scaler's number stands.
  await request(stage.cluster, 'PATCH', `${DEPLOYMENTS.replace('NS', SHOP)}/${NAME}-v1`, {
    spec: { replicas: 1 },
  });
  await models.orderedBecomes(NAME, '1x6');
  await models.becomes(NAME, 'rests', ({ replicas, stable: of, kept = [] }) => {
    return replicas === 6 && of?.readyReplicas === 6 && kept.length === 0;
  });
  // A scrape that comes late is no end of the series.
  stage.load.stamp(NAME);
  // What was written for that reaches the audit log a moment later.
  await sleep(2_000);
  const audit = await models.audit();
  await sleep(5_000);
  const writes = (await audit.read()).filter(
    (entry) => isWrite(entry) && entry.objectRef?.resource !== 'leases',
  );
  expect(writes.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
}, 120_000);
