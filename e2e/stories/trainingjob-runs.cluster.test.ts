/** TrainingJobs that make runs: by a schedule, by a drift, by a person; and runs whose pods find less room than they wish. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TrainingRun } from '../../operator/api/index.ts';
import { request } from '../api.ts';
import { scalersPath } from '../chart/scaler.ts';
import { eventually } from '../eventually.ts';
import type { OperatorProcess } from '../operator.ts';
import { SHOP } from './model-stage.ts';
import { playDrift } from './trainingjob-drift.ts';
import { PODS, type Pod, runPath, setTrainingStage, type TrainingStage } from './trainingjob-stage.ts';

const CPU = { nodes: 2, accelerator: 'cpu' };

let stage: TrainingStage;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setTrainingStage();
  operator = await stage.operator();
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

const triggered = async (name: string) =>
  (await stage.status(name)).conditions?.find(({ type }) => type === 'Triggered');

async function newest(name: string): Promise<TrainingRun> {
  const { runs = [] } = await stage.becomes(
    name,
    'has a run',
    ({ runs: made = [] }) => made.length > 0,
    90_000,
  );
  return runs[0] as TrainingRun;
}

test('of two runs that are due at once one is made, and the next one is left out while it goes on', async () => {
  await stage.create('minutely', { workers: CPU, schedule: '* * * * *' });
  const { name } = await newest('minutely');
  await stage.trains(name, 1);
  // The operator ends in the middle: what it wrote is what it goes on from.
  await operator.stop();
  operator = await stage.operator();
  const first = (await stage.status('minutely')).lastScheduleTime;
  const { runs } = await stage.becomes(
    'minutely',
    'the next one was due',
    ({ lastScheduleTime }) => lastScheduleTime !== first,
    90_000,
  );
  expect(runs).toMatchObject([{ name, phase: 'Training' }]);
  const said = await eventually('it is said why', async () => {
    const selector = encodeURIComponent('involvedObject.name=minutely,reason=RunStillActive');
    const path = `/api/v1/namespaces/${SHOP}/events?fieldSelector=${selector}`;
    return (await request<{ items: { message: string }[] }>(stage.cluster, 'GET', path)).items[0];
  });
  expect(said.message).toContain(`${name} goes on`);
  await expect(stage.models.foresail('train', 'now', 'minutely')).rejects.toThrow('TRAINING_REFUSED');
  await stage.delete('minutely');
  await eventually('its run is gone', () => stage.models.isGone(runPath(name)), 60_000);
}, 300_000);

test('a drift starts a run, once; a person may start the next one before it has cooled down', async () => {
  await request(stage.cluster, 'POST', scalersPath(SHOP), {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { name: 'web', labels: { team: 'a' } },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 10,
      paused: true,
      metrics: [
        {
          type: 'External',
          external: { metric: { name: 'orders' }, target: { type: 'AverageValue', averageValue: '10' } },
        },
      ],
    },
  });
  await stage.create('watching', {
    workers: CPU,
    data: { predictiveScalers: { selector: { matchLabels: { team: 'a' } } } },
    triggers: { drift: true },
    coolDown: '1h',
  });
  await eventually('nothing drifts', async () => (await triggered('watching'))?.reason === 'NoSign');
  await playDrift(stage.cluster, SHOP, 'web');
  const run = await newest('watching');
  expect(run).toMatchObject({ cause: 'Drift' });
  await stage.trains(run.name, 1);
  await stage.delete(run.name);
  await stage.becomes('watching', 'its end is known', ({ lastEndTime }) => lastEndTime !== undefined);
  await playDrift(stage.cluster, SHOP, 'web');
  await operator.stop();
  operator = await stage.operator();
  await stage.becomes('watching', 'has none', ({ runs = [] }) => runs.length === 0);
  const said = await stage.models.foresail('train', 'now', 'watching');
  expect(said).toMatch(/^watching-\d+: started/);
  const manual = await newest('watching');
  expect(manual).toMatchObject({ cause: 'Manual' });
  // Made in the minute of the first run it has its name, and counts on from what is still there of that one.
  const { attempt } = await stage.becomes(manual.name, 'trains', ({ phase }) => phase === 'Training', 90_000);
  const first = attempt?.number ?? 0;
  await stage.trains(manual.name, first);
  const text = await stage.models.foresail('train', 'status', 'watching');
  expect(text).toContain(`${manual.name}  Manual`);
  await stage.models.foresail('train', 'suspend', manual.name);
  await stage.becomes(manual.name, 'is suspended', ({ phase }) => phase === 'Suspended');
  await stage.models.foresail('train', 'resume', manual.name);
  await stage.trains(manual.name, first + 1);
  await stage.delete('watching');
}, 300_000);

test('a gang that has room for some of its pods alone goes on with those', async () => {
  const { items } = await request<{ items: { metadata: { name: string } }[] }>(
    stage.cluster,
    'GET',
    '/api/v1/nodes',
  );
  const cordon = (unschedulable: boolean) =>
    Promise.all(
      items.map(({ metadata }) =>
        request(stage.cluster, 'PATCH', `/api/v1/nodes/${metadata.name}`, { spec: { unschedulable } }),
      ),
    );
  await stage.create('elastic', { workers: { ...CPU, elastic: { minNodes: 1 } } });
  const [first, second] = (await stage.trains('elastic', 1)) as [Pod, Pod];
  expect(second).toBeDefined();
  // No node takes a new pod but one, and that one has room for one alone.
  await cordon(true);
  const node = items[0]?.metadata.name ?? '';
  await request(stage.cluster, 'PATCH', `/api/v1/nodes/${node}`, { spec: { unschedulable: false } });
  await request(stage.cluster, 'PATCH', `/api/v1/nodes/${node}/status`, {
    status: { allocatable: { cpu: '150m' }, capacity: { cpu: '150m' } },
  });
  await stage.evict(first);
  await stage.trains('elastic', 3, 1);
  expect(await stage.status('elastic')).toMatchObject({
    attempt: { nodes: 1, cause: 'resized' },
    restarts: { disruption: 1, resized: 1 },
  });
  await stage.delete('elastic');
  await request(stage.cluster, 'PATCH', `/api/v1/nodes/${node}/status`, {
    status: { allocatable: { cpu: '32' }, capacity: { cpu: '32' } },
  });
  await cordon(false);
}, 300_000);

test('where no node has a GPU it waits, says so, and trains by CPU in time', async () => {
  await stage.create('accelerated', { workers: { nodes: 2, accelerator: 'nvidia', fallbackAfter: '10s' } });
  const waiting = await stage.becomes('accelerated', 'waits for a GPU', ({ conditions = [] }) =>
    conditions.some(({ reason }) => reason === 'WaitingForGpu'),
  );
  expect(waiting.conditions?.find(({ type }) => type === 'Accelerated')).toMatchObject({ status: 'Unknown' });
  const [pod] = await stage.children<Pod & { spec: { containers: { resources: object }[] } }>(
    PODS,
    'accelerated',
  );
  expect(pod?.spec.containers[0]?.resources).toMatchObject({ limits: { 'nvidia.com/gpu': '1' } });
  await stage.trains('accelerated', 2);
  const status = await stage.status('accelerated');
  expect(status).toMatchObject({
    attempt: { accelerator: 'cpu', cause: 'fallback' },
    restarts: { fallback: 1 },
  });
  expect(status.conditions?.find(({ type }) => type === 'Accelerated')).toMatchObject({
    status: 'False',
    reason: 'CpuFallback',
  });
  await stage.delete('accelerated');
}, 300_000);
