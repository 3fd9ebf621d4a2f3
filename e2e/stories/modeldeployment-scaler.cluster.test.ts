/** A PredictiveScaler targets a ModelDeployment: its number becomes pods of the versions, also in mid-rollout. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ModelStage, model } from './model-stage.ts';
import { PER_REPLICA, type Stage, setStage } from './stage.ts';

const NAME = 'loadcast';

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
  expect((await stage.status(NAME)).target).toBe(`ModelDeployment/${NAME}`);

  await models.change(NAME, { model: model('b') });
  await models.trafficBecomes(NAME, '1:50 2:50');
  expect(await models.ordered(NAME)).toBe('1x3 2x2');
  stage.load.set(NAME, 6 * PER_REPLICA - 10);
  await models.orderedBecomes(NAME, '1x6 2x3');
  await models.becomes(NAME, 'rests', ({ phase, replicas }) => phase === 'Paused' && replicas === 9);
  expect(await models.traffic(NAME)).toBe('1:50 2:50');
}, 180_000);
