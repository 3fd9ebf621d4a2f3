/** A model is served, its next versions prove themselves, go back or are undone; and nothing is left when it is deleted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isWrite } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import type { OperatorProcess } from '../operator.ts';
import {
  BUDGETS,
  DEPLOYMENTS,
  type ModelStage,
  model,
  modelPath,
  SERVICES,
  SHOP,
  setModelStage,
} from './model-stage.ts';

const STEPS = [{ shadow: { percent: 100 } }, { analysis: {} }, { setWeight: 10 }, { pause: {} }];
const NAME = 'loadcast';

let stage: ModelStage;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setModelStage();
  operator = await stage.operator(undefined, { registries: false });
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

test('a model is served: pods that a restricted namespace takes, a Service, a budget, all owned', async () => {
  const { metadata } = await stage.create(NAME, { rollout: { steps: STEPS } });
  const status = await stage.trafficBecomes(NAME, '1:100');
  expect(status).toMatchObject({
    phase: 'Healthy',
    stable: { version: 1, digest: 'a'.repeat(64), weight: 100 },
  });
  for (const path of [DEPLOYMENTS, SERVICES, BUDGETS]) {
    const [child, ...others] = await stage.list(path, NAME);
    expect(others).toEqual([]);
    expect(child?.metadata).toMatchObject({
      name: `${NAME}-v1`,
      labels: { 'foresail.io/model-version': '1', 'foresail.io/digest': 'a'.repeat(12) },
      ownerReferences: [{ kind: 'ModelDeployment', uid: metadata.uid }],
    });
  }
  const selector = `foresail.io/model-deployment=${NAME},foresail.io/model-version=1`;
  const [service] = await stage.list(SERVICES, NAME);
  expect(Object.entries(service?.spec['selector'] as object).map((pair) => pair.join('='))).toEqual(
    selector.split(','),
  );
  expect(await kubectl(stage.cluster, ['get', 'mdep', NAME, '-n', SHOP])).toMatch(/1 +Healthy +True/);
}, 120_000);

test('while nothing changes it writes nothing', async () => {
  await stage.becomes(NAME, 'all pods ready', ({ stable }) => stable?.readyReplicas === 2);
  const audit = await stage.audit();
  await sleep(5_000);
  // A look without news: what is there is recognised as what is wanted.
  await request(stage.cluster, 'PATCH', modelPath(NAME), { metadata: { annotations: { look: 'again' } } });
  await sleep(5_000);
  const writes = (await audit.read()).filter(
    (entry) => isWrite(entry) && entry.objectRef?.resource !== 'leases',
  );
  expect(writes.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
}, 60_000);

test('what somebody else changed is put right', async () => {
  const path = (kind: string) => `${kind.replace('NS', SHOP)}/${NAME}-v1`;
  await request(stage.cluster, 'PATCH', path(DEPLOYMENTS), { spec: { replicas: 0 } });
  await request(stage.cluster, 'PATCH', path(SERVICES), { spec: { selector: { app: 'mine' } } });
  await request(stage.cluster, 'PATCH', path(BUDGETS), { spec: { maxUnavailable: 5 } });
  await stage.orderedBecomes(NAME, '1x2');
  await eventually('service and budget are ours again', async () => {
    const [service, budget] = await Promise.all([stage.list(SERVICES, NAME), stage.list(BUDGETS, NAME)]);
    const own = Object.keys(service[0]?.spec['selector'] as object).every((key) =>
      key.startsWith('foresail.io/'),
    );
    return own && budget[0]?.spec['maxUnavailable'] === 1;
  });
  await stage.trafficBecomes(NAME, '1:100');
}, 120_000);

test('a new file is shadowed, waits for a judge who has nothing to score, and goes on by a person’s word', async () => {
  await stage.change(NAME, { model: model('b') });
  const status = await stage.trafficBecomes(NAME, '1:100 2:0~100');
  const judged = await stage.becomes(
    NAME,
    'is analysed',
    ({ conditions }) => conditions?.some(({ reason }) => reason === 'Analysing') === true,
  );
  expect(judged.conditions).toContainEqual(
    expect.objectContaining({ type: 'Judged', status: 'Unknown', reason: 'NoData' }),
  );
  expect(status.history?.map(({ outcome }) => outcome)).toEqual(['Serving', 'Rolling']);
  expect(await stage.rollout('promote', NAME)).toContain('version 2 goes on after step 1');
  await stage.trafficBecomes(NAME, '1:90 2:10~100');
  expect(await stage.ordered(NAME)).toBe('1x2 2x2');
  expect(await stage.rollout('status', NAME)).toContain('▸ 3 wait for a person');
  await stage.rollout('promote', NAME, '--full');
  await stage.trafficBecomes(NAME, '2:100');
  // still warm, for the watch
  expect(await stage.ordered(NAME)).toBe('1x2 2x2');
}, 180_000);

test('undo brings the version before back at once, retry tries the other anew, abort ends that', async () => {
  expect(await stage.rollout('undo', NAME)).toContain('version 1 serves again, in place of version 2');
  const undone = await stage.trafficBecomes(NAME, '1:100');
  expect(undone.history?.map(({ version, outcome }) => `${version} ${outcome}`)).toEqual([
    '1 Serving',
    '2 Undone',
  ]);
  await stage.orderedBecomes(NAME, '1x2');
  await stage.rollout('retry', NAME);
  await stage.trafficBecomes(NAME, '1:100 3:0~100');
  await stage.rollout('abort', NAME);
  const aborted = await stage.becomes(NAME, 'aborted', ({ phase }) => phase === 'Degraded');
  expect(aborted.history?.at(-1)).toMatchObject({ version: 3, outcome: 'Aborted', reason: 'AbortedByUser' });
  await stage.orderedBecomes(NAME, '1x2');
  await expect(stage.rollout('abort', NAME)).rejects.toThrow('nothing to abort');
}, 180_000);

test('a version whose pods never come touches nothing, and is given up at its deadline', async () => {
  // No pod beside those that serve: as where a quota is full.
  await request(stage.cluster, 'POST', `/api/v1/namespaces/${SHOP}/resourcequotas`, {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'full' },
    spec: { hard: { pods: '2' } },
  });
  await eventually('the quota counts', async () => {
    const path = `/api/v1/namespaces/${SHOP}/resourcequotas/full`;
    const { status } = await request<{ status?: { used?: object } }>(stage.cluster, 'GET', path);
    return status?.used !== undefined;
  });
  await stage.change(NAME, { model: model('c'), rollout: { progressDeadline: '10s', abort: null } });
  await stage.becomes(NAME, 'waits for pods', ({ canary }) => canary?.unreadySince !== undefined);
  expect(await stage.traffic(NAME)).toBe('1:100');
  const status = await stage.becomes(NAME, 'is given up', ({ phase }) => phase === 'Degraded');
  expect(status.history?.at(-1)).toMatchObject({ version: 4, reason: 'ProgressDeadlineExceeded' });
  expect(await stage.traffic(NAME)).toBe('1:100');
  await stage.orderedBecomes(NAME, '1x2');
  await request(stage.cluster, 'DELETE', `/api/v1/namespaces/${SHOP}/resourcequotas/full`);
}, 120_000);

test('a third version in the middle of a rollout begins when the second has no weight any more', async () => {
  await stage.change(NAME, {
    model: model('d'),
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }], progressDeadline: '10m' },
  });
  await stage.trafficBecomes(NAME, '1:50 5:50');
  await stage.change(NAME, { model: model('e') });
  const status = await stage.trafficBecomes(NAME, '1:50 6:50');
  expect(status.history?.find(({ version }) => version === 5)).toMatchObject({ outcome: 'Superseded' });
  await stage.orderedBecomes(NAME, '1x2 6x1');
}, 120_000);

test('a version whose server crashes again and again goes back', async () => {
  const selector = encodeURIComponent('foresail.io/model-deployment=loadcast,foresail.io/model-version=6');
  const pods = `/api/v1/namespaces/${SHOP}/pods`;
  const { items } = await request<{ items: { metadata: { name: string } }[] }>(
    stage.cluster,
    'GET',
    `${pods}?labelSelector=${selector}`,
  );
  // What a kubelet writes; the fake one crashes nothing.
  const crashed = { name: 'server', image: '', imageID: '', ready: true, restartCount: 3 };
  await request(stage.cluster, 'PATCH', `${pods}/${items[0]?.metadata.name}/status`, {
    status: { containerStatuses: [crashed] },
  });
  const status = await stage.trafficBecomes(NAME, '1:100');
  expect(status.history?.at(-1)).toMatchObject({ version: 6, outcome: 'Aborted', reason: 'CrashLooping' });
}, 60_000);

test('an object that cannot be served says why, and costs nobody else anything', async () => {
  await stage.create('followed', { model: { from: { registry: 'loadcast', alias: 'candidate' } } });
  const followed = await stage.becomes('followed', 'says so', ({ conditions }) => conditions !== undefined);
  expect(followed.conditions).toContainEqual(
    expect.objectContaining({ type: 'ModelResolved', status: 'False', reason: 'RegistryNotConfigured' }),
  );
  await stage.create('local', { model: { storageUri: 'file:///models/a', sha256: 'a'.repeat(64) } });
  const local = await stage.becomes('local', 'says so', ({ conditions }) => conditions !== undefined);
  expect(local.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'False', reason: 'SchemeNotAllowed' }),
  );
  expect(await stage.deployments('local')).toEqual([]);
}, 60_000);

test('deleted, it leaves nothing', async () => {
  await request(stage.cluster, 'DELETE', modelPath(NAME));
  await eventually(
    'all of it is gone',
    async () => {
      const left = await Promise.all([DEPLOYMENTS, SERVICES, BUDGETS].map((path) => stage.list(path, NAME)));
      return left.flat().length === 0;
    },
    60_000,
  );
}, 120_000);

test('deleted and created again at once, it begins anew and takes nothing of the old one for its own', async () => {
  const first = await stage.create('again');
  await stage.trafficBecomes('again', '1:100');
  await request(stage.cluster, 'DELETE', modelPath('again'));
  const second = await stage.create('again');
  expect(second.metadata.uid).not.toBe(first.metadata.uid);
  await stage.trafficBecomes('again', '1:100');
  const [child] = await stage.deployments('again');
  expect(child?.metadata.ownerReferences).toMatchObject([{ uid: second.metadata.uid }]);
}, 120_000);
