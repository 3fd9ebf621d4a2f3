/** A TrainingJob from its first pod to a version that is served, and what its pods may go through on the way. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isWrite } from '../../operator/testing/server-side.ts';
import { eventually } from '../eventually.ts';
import type { OperatorProcess } from '../operator.ts';
import { model } from './model-stage.ts';
import {
  JOBS,
  PODS,
  type Pod,
  SECRETS,
  SERVICES,
  setTrainingStage,
  type TrainingStage,
} from './trainingjob-stage.ts';

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

const CPU = { nodes: 2, accelerator: 'cpu' };

test('a run trains, passes its gate, is registered, and is shadowed by whoever follows the alias', async () => {
  const { models } = stage;
  const { storageUri, sha256 } = model('a');
  await models.foresail(
    'models',
    'publish',
    'loadcast',
    '--uri',
    storageUri,
    '--sha256',
    sha256,
    '--alias',
    'candidate',
  );
  await models.create('followed', {
    model: { from: { registry: 'loadcast', alias: 'candidate' } },
    rollout: { steps: [{ shadow: { percent: 100 } }, { pause: {} }] },
  });
  await models.trafficBecomes('followed', '1:100');

  await stage.create('nightly', { workers: CPU, gate: { against: { modelDeployment: 'followed' } } });
  const pods = await stage.trains('nightly', 1);
  const audit = await models.audit();
  await stage.trained(pods, model('b').sha256);
  const [gate] = (await stage.running('nightly', 1, 'gate')) as [Pod];
  expect(gate.spec.initContainers?.[0]?.args.join(' ')).toContain(`--uri ${storageUri} --sha256 ${sha256}`);
  expect(gate.spec.containers[0]?.args?.join(' ')).toContain('--incumbent /models/incumbent/model.onnx');
  await stage.ends(gate, {
    code: 0,
    words: {
      gate: { verdict: 'Pass', failed: [], scores: { lossVsIncumbent: 0.91 }, published: model('b') },
    },
  });
  const status = await stage.becomes('nightly', 'complete', ({ phase }) => phase === 'Complete');
  expect(status).toMatchObject({
    candidate: { digest: model('b').sha256 },
    gate: { verdict: 'Pass', scores: { lossVsIncumbent: '0.91' } },
    producedVersion: { registry: 'loadcast', version: 2, alias: 'candidate', digest: model('b').sha256 },
  });
  expect(status.restarts).toBeUndefined();
  await models.trafficBecomes('followed', '1:100 2:0~100');
  const reads = (await audit.read()).filter(
    ({ verb, objectRef }) => objectRef?.resource === 'secrets' && verb !== 'create',
  );
  expect(reads).toEqual([]);
}, 180_000);

test('a worker that fails takes its gang down, and the next one starts when nothing of it is left', async () => {
  await stage.create('failing', { workers: CPU, backoffLimit: 1 });
  const [, second] = (await stage.trains('failing', 1)) as [Pod, Pod];
  await stage.ends(second, { code: 1 });
  const pods = await stage.trains('failing', 2);
  expect(await stage.status('failing')).toMatchObject({
    restarts: { error: 1 },
    attempt: { cause: 'error' },
  });
  await stage.ends(pods[0] as Pod, { code: 1 });
  const status = await stage.becomes('failing', 'failed', ({ phase }) => phase === 'Failed');
  expect(status.conditions?.find(({ type }) => type === 'Failed')).toMatchObject({
    status: 'True',
    reason: 'BackoffLimitExceeded',
  });
}, 180_000);

test('an eviction counts for nothing', async () => {
  await stage.create('evicted', { workers: CPU, backoffLimit: 0 });
  const [first] = (await stage.trains('evicted', 1)) as [Pod, Pod];
  await stage.evict(first);
  await stage.trains('evicted', 2);
  expect((await stage.status('evicted')).restarts).toEqual({ disruption: 1 });
  await stage.delete('evicted');
}, 180_000);

test('a pod on a node that is lost is fenced, and goes by force', async () => {
  await stage.create('lost', { workers: CPU, backoffLimit: 0 });
  const [first, second] = (await stage.trains('lost', 1)) as [Pod, Pod];
  await stage.annotate(second, { 'foresail.io/stop-after': '1h' });
  // What the other rank says first.
  await stage.ends(first, { code: 1 });
  await stage.becomes('lost', 'waits', ({ attempt }) => attempt?.ended?.cause === 'error');
  await stage.hurry(second);
  await stage.becomes('lost', 'fenced', ({ attempt }) => attempt?.ended?.cause === 'disruption');
  await stage.trains('lost', 2);
  expect((await stage.status('lost')).restarts).toEqual({ disruption: 1 });
  await stage.delete('lost');
}, 300_000);

test('a wrong configuration ends the run at once, and says which', async () => {
  await stage.create('wrong', { workers: CPU });
  const [first] = (await stage.trains('wrong', 1)) as [Pod, Pod];
  const message = 'hyperparameters.widht: unknown key';
  await stage.ends(first, { code: 78, words: { error: { code: 'CONFIG_INVALID', message } } });
  const status = await stage.becomes('wrong', 'failed', ({ phase }) => phase === 'Failed');
  expect(status.conditions?.find(({ type }) => type === 'Failed')).toMatchObject({
    reason: 'ConfigError',
    message: `node 0: exit code 78: CONFIG_INVALID: ${message}`,
  });
}, 180_000);

test('a suspended run has no pods, and goes on as a new attempt', async () => {
  await stage.create('paused', { workers: CPU });
  await stage.trains('paused', 1);
  await stage.change('paused', { suspend: true });
  await stage.becomes('paused', 'is suspended', ({ conditions = [] }) =>
    conditions.some(
      ({ type, status, reason }) => type === 'Suspended' && status === 'True' && reason === 'Suspended',
    ),
  );
  expect(await stage.children(PODS, 'paused')).toEqual([]);
  await stage.change('paused', { suspend: false });
  await stage.trains('paused', 2);
  expect((await stage.status('paused')).restarts).toEqual({ suspended: 1 });
}, 180_000);

test('a run of a queue waits, suspended and labelled, and an operator that starts anew leaves it there', async () => {
  await stage.create('queued', { workers: CPU, queueName: 'night' });
  await stage.becomes('queued', 'waits', ({ phase }) => phase === 'Queued');
  await operator.stop();
  operator = await stage.operator();
  const [job] = (await stage.children(JOBS, 'queued')) as [
    { spec: { suspend: boolean }; metadata: { name: string; labels: object } },
  ];
  expect(job).toMatchObject({
    spec: { suspend: true },
    metadata: { name: 'queued-1', labels: { 'kueue.x-k8s.io/queue-name': 'night' } },
  });
  await stage.unsuspend(job.metadata.name);
  await stage.trains('queued', 1);
}, 180_000);

test('while nothing happens nothing is written, and what is deleted leaves nothing', async () => {
  const audit = await stage.models.audit();
  await new Promise((resolve) => {
    setTimeout(resolve, 5_000);
  });
  const writes = (await audit.read()).filter(
    (entry) => isWrite(entry) && entry.objectRef?.resource !== 'leases',
  );
  expect(writes.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  await stage.delete('paused');
  await stage.delete('queued');
  await eventually(
    'nothing is left',
    async () => {
      const left = await Promise.all(
        [JOBS, PODS, SECRETS, SERVICES].flatMap((path) =>
          ['paused', 'queued'].map((name) => stage.children(path, name)),
        ),
      );
      if (left.flat().length > 0)
        throw new Error(
          left
            .flat()
            .map(({ metadata }) => metadata.name)
            .join(' '),
        );
      return true;
    },
    60_000,
  );
}, 180_000);
