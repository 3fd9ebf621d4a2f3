/** An A/B test on a real API server: variants beside stable, the winner as the model, and nothing left of the rest. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OperatorProcess } from '../operator.ts';
import { type ModelStage, model, setModelStage } from './model-stage.ts';

const NAME = 'loadcast';
const variant = (name: string, letter: string, weight: number) => ({ name, ...model(letter), weight });

let stage: ModelStage;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setModelStage();
  operator = await stage.operator();
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

test('three versions answer at once, and status says which is which', async () => {
  await stage.create(NAME, {
    server: { replicas: 4 },
    abTest: { stickyHeader: 'X-User', variants: [variant('wide', 'b', 30), variant('deep', 'c', 20)] },
  });
  const { variants, conditions } = await stage.trafficBecomes(NAME, '1:50 2:30 3:20');
  expect(variants).toMatchObject([
    { name: 'wide', version: 2, digest: 'b'.repeat(64), weight: 30 },
    { name: 'deep', version: 3, digest: 'c'.repeat(64), weight: 20 },
  ]);
  expect(conditions).toContainEqual(expect.objectContaining({ type: 'Testing', status: 'True' }));
  await stage.orderedBecomes(NAME, '1x4 2x2 3x1');
}, 120_000);

test('another weight and a leader that begins anew change nothing else', async () => {
  await operator.stop();
  operator = await stage.operator();
  await stage.change(NAME, { abTest: { variants: [variant('wide', 'b', 40), variant('deep', 'c', 20)] } });
  await stage.trafficBecomes(NAME, '1:40 2:40 3:20');
}, 120_000);

test('another file waits; once the test is over the winner is the model under its own number', async () => {
  await stage.change(NAME, { model: model('b') });
  await stage.becomes(NAME, 'it waits', ({ conditions = [] }) =>
    conditions.some(({ type, reason }) => type === 'Progressing' && reason === 'TestRunning'),
  );
  expect(await stage.traffic(NAME)).toBe('1:40 2:40 3:20');
  await stage.change(NAME, { abTest: null });
  const { history } = await stage.trafficBecomes(NAME, '2:100');
  expect(history?.map(({ version, outcome }) => `${version} ${outcome}`)).toEqual([
    '1 Replaced',
    '2 Serving',
    '3 Tested',
  ]);
  await stage.orderedBecomes(NAME, '1x4 2x4');
}, 120_000);
