/**
 * A scaler names a ModelDeployment: its stable version acts, the next ones are judged by what they forecast for that
 * load, and without the server something else forecasts and says so. The models are served by the real server; only
 * the pods of the versions are fake, so both are found at one address. The load runs 400 times as fast as the clock,
 * so that the hours that a judge takes are minutes.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tinyModel } from '../../operator/inference/testing/tiny-model.ts';
import { eventually } from '../eventually.ts';
import { type ServerProcess, startInferenceServer } from '../serve.ts';
import { ModelStage } from './model-stage.ts';
import { type Stage, setStage } from './stage.ts';

const NAME = 'mine';
const FACTOR = 400;
/**
 * Lowest quantile less the newest load; the median lies 0.6 above it. On a load that stays where it is the first version
 * is hard to beat, the second asks for far too much, the third is as good as the first.
 */
const OFFSETS = { 1: -0.6, 2: 60, 3: -0.601 } as const;
const LOAD = 145;
type Version = keyof typeof OFFSETS;

let stage: Stage;
let models: ModelStage;
let server: ServerProcess;

const fileOf = (version: Version) => tinyModel({ offset: OFFSETS[version] });

function modelOf(version: Version) {
  const sha256 = createHash('sha256').update(fileOf(version)).digest('hex');
  return { storageUri: `s3://models/${NAME}/${version}.onnx`, sha256 };
}

beforeAll(async () => {
  stage = await setStage();
  models = new ModelStage(stage.cluster);
  const repository = join(stage.folder, 'repository');
  for (const version of [1, 2, 3] as const) {
    const folder = join(repository, NAME, String(version));
    // oxlint-disable-next-line no-await-in-loop -- three files
    await mkdir(folder, { recursive: true });
    // oxlint-disable-next-line no-await-in-loop
    await writeFile(join(folder, 'model.onnx'), fileOf(version));
  }
  server = await startInferenceServer(repository);
  stage.load.set('web', LOAD);
  await stage.deploy('web', { replicas: 3 });
  const now = new Date().toISOString();
  await stage.operator({
    // One look a step.
    syncPeriod: '150ms',
    forecast: { metricDelay: '100ms', defaultLeadTime: '5s' },
    modelServing: {
      image: 'example.invalid/foresail',
      minReady: '0s',
      drain: '1s',
      address: server.url,
      allowAddresses: ['loopback'],
    },
    replay: { realStart: now, loadStart: now, factor: FACTOR },
  });
}, 600_000);

afterAll(async () => {
  await server?.stop();
  await stage?.close();
});

test('a name without a ModelDeployment is told, and what forecasts without it acts', async () => {
  await stage.scale('web', {
    mode: 'Active',
    forecast: { model: { name: NAME }, step: '1m', leadTime: '1s' },
  });
  const condition = await stage.conditionBecomes('web', 'ForecastReady', {
    status: 'False',
    reason: 'ModelNotFound',
  });
  expect(condition.message).toContain(NAME);
}, 60_000);

test('its stable version acts once it serves', async () => {
  await models.create(NAME, {
    model: modelOf(1),
    server: { replicas: 1 },
    rollout: {
      steps: [{ shadow: { percent: 100 } }, { analysis: {} }],
      // Fake pods cannot be asked how they fare.
      judge: { minLabels: 20, guards: [] },
      postPromotionWatch: '10m',
    },
  });
  await models.trafficBecomes(NAME, '1:100');
  await forecasterBecomes(`${NAME}@1`);
  expect((await stage.status('web')).forecast).toMatchObject({
    model: NAME,
    version: '1',
    digest: `sha256:${modelOf(1).sha256}`,
  });
  expect((await stage.conditionBecomes('web', 'ForecastReady', { status: 'True' })).message).toMatch(
    /serves/,
  );
}, 120_000);

test('a worse version goes back by its forecasts, and has touched nothing', async () => {
  await models.change(NAME, { model: modelOf(2) });
  await models.trafficBecomes(NAME, '1:100 2:0~100');
  const traffic = new Set<string>();
  const status = await models.becomes(
    NAME,
    'version 2 is sent back',
    (seen) => {
      traffic.add(JSON.stringify(seen.traffic?.map(({ version, weight }) => [version, weight])));
      return seen.history?.at(-1)?.outcome === 'Aborted';
    },
    300_000,
  );
  expect(status.history?.at(-1)).toMatchObject({ version: 2, reason: 'JudgedWorse' });
  expect([...traffic].every((each) => !/\[2,[1-9]/.test(each))).toBe(true);
  expect((await stage.status('web')).forecast?.forecaster).not.toBe(`${NAME}@2`);
}, 330_000);

test('one that is as good is promoted by its forecasts', async () => {
  await models.change(NAME, { model: modelOf(3) });
  const status = await models.trafficBecomes(NAME, '3:100', 300_000);
  expect(status.history?.at(-1)).toMatchObject({ version: 3, outcome: 'Serving' });
}, 330_000);

test('without its server another forecaster serves, and the condition says so', async () => {
  await server.stop();
  const condition = await stage.conditionBecomes('web', 'ForecastReady', {
    status: 'False',
    reason: 'ModelFailed',
  });
  expect(condition.message).toMatch(/serves instead/);
  await stage.conditionBecomes('web', 'Ready', { status: 'True' });
}, 60_000);

function forecasterBecomes(forecaster: string): Promise<true> {
  return eventually(
    `${forecaster} forecasts`,
    async () => {
      const { forecast } = await stage.status('web');
      if (forecast?.forecaster !== forecaster) throw new Error(JSON.stringify(forecast));
      return true as const;
    },
    60_000,
  );
}
