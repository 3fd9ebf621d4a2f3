/** The model behind the forecast: another one, a broken one, none at all. The workload is scaled in every case. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { tinyModel } from '../../operator/inference/testing/tiny-model.ts';
import { eventually } from '../eventually.ts';
import type { OperatorProcess } from '../operator.ts';
import { noisyPast } from './past.ts';
import { type Stage, scalerPath, setStage } from './stage.ts';

const BOX = new URL('../../models/loadcast/loadcast.onnx', import.meta.url);
/** Three replicas' worth. */
const NOW = 145;
/** Minutes of a past in which no forecaster has shown yet that it is better than the model. */
const YOUNG = 61;

let stage: Stage;
let operator: OperatorProcess | undefined;
let scaled = 'web';

beforeAll(async () => {
  const past = noisyPast(150, NOW);
  stage = await setStage({ history: { web: past, young: past.slice(-YOUNG) } });
  for (const app of ['web', 'young']) {
    await stage.deploy(app, { replicas: 3 });
    stage.load.set(app, NOW);
  }
}, 600_000);

afterEach(async () => {
  await stage.delete(scalerPath(scaled));
  // Whatever the model was, it ends as it should and frees its lease for the next.
  expect(await operator?.stop()).toBe(0);
});

afterAll(() => stage?.close());

/** An operator with this model file, and a scaler that lets the forecast act. */
async function withModel(
  file: string | undefined,
  forecast: object = {},
  name = 'web',
): Promise<OperatorProcess> {
  const running = await stage.operator({
    forecast: {
      metricDelay: '1s',
      defaultLeadTime: '5s',
      ...(file === undefined ? {} : { modelFile: join(stage.folder, file) }),
    },
  });
  operator = running;
  scaled = name;
  await stage.scale(name, { mode: 'Active', forecast: { leadTime: '2m', ...forecast } });
  return running;
}

/** Load that the reactive rule alone answers with `replicas`. */
async function followed(replicas: number): Promise<void> {
  stage.load.set('web', replicas * 50 - 5);
  await eventually(`at least ${replicas} replicas`, async () => (await stage.replicas('web')) >= replicas);
  stage.load.set('web', NOW);
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

test('another model than the one in the box acts, and the status shows its digest', async () => {
  const bytes = tinyModel({ offset: 200 });
  await writeFile(join(stage.folder, 'other.onnx'), bytes);
  const running = await withModel('other.onnx', {}, 'young');
  const { forecast } = await eventually('its forecast', async () => {
    const status = await stage.status('young');
    return status.forecast?.model === 'tiny' ? status : undefined;
  });
  expect(forecast).toMatchObject({ model: 'tiny', version: '1', digest: digestOf(bytes) });
  await eventually('it acts', async () =>
    (await stage.explain(running, 'young')).decisions.find(({ boundBy }) => boundBy === 'Forecast'),
  );
}, 60_000);

const BROKEN: readonly [
  what: string,
  reason: string,
  file: string,
  bytes: () => Promise<Uint8Array | undefined>,
][] = [
  ['is missing', 'ModelQuarantined', 'nowhere.onnx', () => Promise.resolve(undefined)],
  ['is cut off', 'ModelQuarantined', 'torn.onnx', async () => (await readFile(BOX)).subarray(0, 50_000)],
  [
    'is no model',
    'ModelQuarantined',
    'text.onnx',
    () => Promise.resolve(Buffer.from('<html>please log in</html>')),
  ],
  ['answers NaN', 'ModelQuarantined', 'nan.onnx', () => Promise.resolve(tinyModel({ nan: true }))],
  ['explodes', 'ForecastRejected', 'wild.onnx', () => Promise.resolve(tinyModel({ offset: 1e9 }))],
];

test.each(BROKEN)(
  'the model file %s: the condition says so, simpler forecasts and the load act',
  async (_what, reason, file, make) => {
    const bytes = await make();
    if (bytes !== undefined) await writeFile(join(stage.folder, file), bytes);
    const running = await withModel(file);
    const condition = await eventually('ForecastReady', async () => {
      const found = (await stage.status('web')).conditions?.find(({ type }) => type === 'ForecastReady');
      if (found?.status !== 'False' || found.reason !== reason)
        throw new Error(`it has ${JSON.stringify(found)}; ${JSON.stringify(running.logs())}`);
      return found;
    });
    expect(condition.message).toMatch(/^(ridge|seasonal-naive|persistence) serves instead/);
    await stage.conditionBecomes('web', 'Ready', { status: 'True' });
    const { forecast } = await stage.status('web');
    expect(forecast?.model).not.toBe('tiny');
    await followed(6);
    expect(running.logs().filter(({ level }) => level === 'error')).toEqual([]);
  },
  60_000,
);
