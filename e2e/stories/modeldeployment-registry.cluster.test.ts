/** A ModelDeployment follows an alias: whoever publishes moves it, and the new version has to prove itself. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ModelDeploymentStatus } from '../../operator/api/index.ts';
import { request } from '../api.ts';
import type { OperatorProcess } from '../operator.ts';
import { type ModelStage, model, SHOP, setModelStage } from './model-stage.ts';

const NAME = 'followed';
const INDEX = 'foresail-registry-loadcast';

let stage: ModelStage;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setModelStage();
  operator = await stage.operator(undefined, { registries: true });
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

const path = (name = '') => `/api/v1/namespaces/${SHOP}/configmaps${name}`;
const publish = (letter: string, ...more: readonly string[]) => {
  const { storageUri, sha256 } = model(letter);
  return stage.foresail('models', 'publish', 'loadcast', '--uri', storageUri, '--sha256', sha256, ...more);
};
const resolved = ({ conditions = [] }: ModelDeploymentStatus) =>
  conditions.find(({ type }) => type === 'ModelResolved')?.reason;

test('it waits for the registry, and serves what the alias means once there is one', async () => {
  await stage.create(NAME, {
    model: { from: { registry: 'loadcast', alias: 'candidate' } },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  const waiting = await stage.becomes(NAME, 'says so', (status) => resolved(status) === 'RegistryNotFound');
  expect(waiting.phase).toBe('Pending');
  expect(await publish('a')).toBe('loadcast: version 1\n');
  await stage.becomes(NAME, 'says so', (status) => resolved(status) === 'AliasNotFound');
  expect(await publish('b', '--alias', 'candidate')).toBe('loadcast: version 2, which candidate means now\n');
  const status = await stage.trafficBecomes(NAME, '1:100');
  expect(status.resolved).toEqual({
    registry: 'loadcast',
    alias: 'candidate',
    version: 2,
    storageUri: model('b').storageUri,
    digest: model('b').sha256,
  });
  expect(status.stable?.digest).toBe(model('b').sha256);
}, 120_000);

test('an alias that moves is a new version, which begins its steps', async () => {
  await publish('c');
  await stage.foresail('models', 'alias', 'loadcast', 'candidate', '3');
  expect(await stage.foresail('models', 'list', 'loadcast')).toMatch(/^VERSION.*\n +3 +candidate +c{12} /);
  const status = await stage.trafficBecomes(NAME, '1:50 2:50');
  expect(status.canary).toMatchObject({ version: 2, digest: model('c').sha256, step: 1 });
  await stage.rollout('promote', NAME);
  await stage.trafficBecomes(NAME, '2:100');
}, 120_000);

test('an alias that is taken away changes nothing of what serves, and the status names it', async () => {
  expect(await stage.foresail('models', 'alias', 'loadcast', 'candidate', '--delete')).toBe(
    'loadcast: candidate is gone; it meant version 3\n',
  );
  const status = await stage.becomes(NAME, 'says so', (each) => resolved(each) === 'AliasNotFound');
  expect(status).toMatchObject({ phase: 'Healthy', stable: { version: 2, weight: 100 } });
  expect(status.conditions?.find(({ type }) => type === 'ModelResolved')?.message).toBe(
    'the registry loadcast has no alias candidate',
  );
  await expect(stage.foresail('models', 'show', 'lodcast', '1')).rejects.toThrow(
    '/lodcast: is not there; foresail models publish makes one [REGISTRY_INVALID]',
  );
  // Back where it was it is no new version.
  await stage.foresail('models', 'alias', 'loadcast', 'candidate', '3');
  const back = await stage.becomes(NAME, 'follows again', ({ resolved: found }) => found?.version === 3);
  expect(back).toMatchObject({ phase: 'Healthy', stable: { version: 2, weight: 100 } });
  expect(back.canary).toBeUndefined();
}, 120_000);

test('a registry that is spoilt or gone changes nothing of what serves', async () => {
  await expect(stage.foresail('models', 'alias', 'loadcast', 'candidate', '9')).rejects.toThrow(
    'has no version 9',
  );
  const data = { 'index.json': JSON.stringify({ versions: [], aliases: { candidate: 9 } }) };
  await request(stage.cluster, 'PATCH', path(`/${INDEX}`), { data });
  await stage.becomes(NAME, 'says so', (status) => resolved(status) === 'RegisteredVersionNotFound');
  await request(stage.cluster, 'DELETE', path(`/${INDEX}`));
  const status = await stage.becomes(NAME, 'says so', (each) => resolved(each) === 'RegistryNotFound');
  expect(status).toMatchObject({ phase: 'Healthy', stable: { version: 2, weight: 100 } });
  expect(status.resolved).toBeUndefined();
}, 120_000);
