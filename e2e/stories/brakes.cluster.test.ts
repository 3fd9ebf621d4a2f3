/** What people can do to stop it, and what stops it by itself: pauses, the largest step, the budget, the freeze. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { OPERATOR_NAMESPACE, type OperatorProcess } from '../operator.ts';
import { SHOP, type Stage, setStage } from './stage.ts';

let stage: Stage;
let operator: OperatorProcess;

const APPS = ['tea', 'coffee', 'cocoa'] as const;

beforeAll(async () => {
  stage = await setStage();
  operator = await stage.operator({
    guards: { largestStep: 2, freeze: { minTargets: 3, share: 0.5, thawShare: 0.4 } },
  });
  await Promise.all(
    APPS.map(async (name) => {
      stage.load.set(name, 140);
      await stage.deploy(name, { replicas: 3 });
      await stage.scale(name);
      await stage.conditionBecomes(name, 'Ready', { status: 'True' });
    }),
  );
}, 600_000);

afterAll(() => stage?.close());

test('the largest step: a leap of load is climbed two by two', async () => {
  const record = stage.record('tea');
  await eventually('it is recorded', async () => record.seen.length > 0);
  stage.load.set('tea', 590);
  await stage.conditionBecomes('tea', 'ScalingLimited', { status: 'True', reason: 'ScaleUpLimit' });
  await stage.replicasBecome('tea', 10);
  stage.load.set('tea', 240);
  await stage.replicasBecome('tea', 5);
  expect(record.seen).toEqual([3, 5, 7, 9, 10, 8, 6, 5]);
}, 60_000);

test('spec.paused: nothing is written for this object, the others go on; then it goes on too', async () => {
  await stage.change('tea', { paused: true });
  await stage.conditionBecomes('tea', 'AbleToScale', { status: 'False', reason: 'Paused' });
  for (const name of ['tea', 'coffee']) stage.load.set(name, 190);
  await stage.replicasBecome('coffee', 4);
  await stage.looks(operator, 'tea', 3);
  expect(await stage.replicas('tea')).toBe(5);
  await stage.change('tea', { paused: false });
  await stage.replicasBecome('tea', 4);
  await stage.conditionBecomes('tea', 'AbleToScale', { status: 'True' });
}, 60_000);

test('one ConfigMap pauses everything, and its end lets everything go on', async () => {
  const control = ['-n', OPERATOR_NAMESPACE, 'configmap', 'foresail-control'];
  await kubectl(stage.cluster, ['create', ...control, '--from-literal=paused=true']);
  for (const name of APPS)
    await stage.conditionBecomes(name, 'AbleToScale', { status: 'False', reason: 'GloballyPaused' });
  const before = await Promise.all(APPS.map((name) => stage.replicas(name)));
  for (const name of APPS) stage.load.set(name, 290);
  await Promise.all(APPS.map((name) => stage.looks(operator, name, 3)));
  expect(await Promise.all(APPS.map((name) => stage.replicas(name)))).toEqual(before);
  await kubectl(stage.cluster, ['delete', ...control]);
  await Promise.all(APPS.map((name) => stage.replicasBecome(name, 6)));
}, 90_000);

test('many targets are unready at once: nobody is scaled until that is over', async () => {
  const unready = (app: string, mark: string) =>
    kubectl(stage.cluster, ['-n', SHOP, 'annotate', 'pods', '-l', `app=${app}`, '--overwrite', mark]);
  for (const app of ['tea', 'coffee']) await unready(app, 'foresail.io/unready=true');
  await stage.conditionBecomes('cocoa', 'AbleToScale', { status: 'False', reason: 'Frozen' });
  stage.load.set('cocoa', 440);
  await stage.looks(operator, 'cocoa', 3);
  expect(await stage.replicas('cocoa')).toBe(6);
  for (const app of ['tea', 'coffee']) await unready(app, 'foresail.io/unready-');
  await stage.replicasBecome('cocoa', 9);
  await stage.conditionBecomes('cocoa', 'AbleToScale', { status: 'True' });
}, 90_000);

describe('a budget of creations per minute', () => {
  const PER_MINUTE = 4;

  test('is shared by all, limits a leap of load, and lets go down at once', async () => {
    expect(await operator.stop()).toBe(0);
    const before = await total();
    const startedAt = Date.now();
    operator = await stage.operator({ guards: { creationsPerMinute: PER_MINUTE } });
    for (const name of ['tea', 'coffee']) stage.load.set(name, 490);
    stage.load.set('cocoa', 140);
    // Whoever comes second finds too little left.
    await Promise.any(
      ['tea', 'coffee'].map((name) =>
        stage.conditionBecomes(name, 'ScalingLimited', { status: 'True', reason: 'ScaleUpLimit' }),
      ),
    );
    await stage.looks(operator, 'tea', 5);
    const created = (await total()) - before;
    const minutes = (Date.now() - startedAt) / 60_000;
    expect(created).toBeGreaterThanOrEqual(PER_MINUTE);
    expect(created).toBeLessThanOrEqual(PER_MINUTE * (1 + minutes));
    await stage.replicasBecome('cocoa', 3);
  }, 90_000);

  const total = async () => (await stage.replicas('tea')) + (await stage.replicas('coffee'));
});
