import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runtime } from '../../api/clustertrainingruntime/testing/full-object.ts';
import { selfSigned } from '../../metricsources/testing/certificate.ts';
import type { Stored } from '../testing/memory-api.ts';
import { DIGEST, NAME, PUBLISHED, Stage } from './testing/stage.ts';

async function training(spec: Record<string, unknown> = {}): Promise<Stage> {
  const stage = new Stage({ workers: { nodes: 2 }, ...spec });
  await stage.settle();
  return stage;
}

async function judging(spec: Record<string, unknown> = {}): Promise<Stage> {
  const stage = await training(spec);
  stage.trained();
  await stage.settle();
  return stage;
}

const jobOf = (stage: Stage, name: string) => stage.api.of('jobs').get(`shop/${name}`);
const pause = (stage: Stage) => stage.condition('Progressing')?.reason;

test('a gang is made in the order that no crash can spoil, and the run goes its way to a version', async () => {
  const stage = await training();
  expect(stage.api.writes.slice(0, 5)).toEqual([
    `status trainingjobs/${NAME}`,
    `create services/${NAME}`,
    `create jobs/${NAME}-1`,
    `create secrets/${NAME}-1-token`,
    `patch jobs/${NAME}-1`,
  ]);
  expect(stage.status).toMatchObject({ phase: 'Training', workers: { nodes: 2, ready: 2 } });
  stage.trained();
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Gating', candidate: { digest: DIGEST, sizeBytes: 1000 } });
  stage.judged();
  await stage.settle();
  expect(stage.status).toMatchObject({
    phase: 'Complete',
    gate: { verdict: 'Pass', scores: { ratio: '0.9' }, storageUri: PUBLISHED.storageUri },
    producedVersion: { registry: NAME, version: 1, alias: 'candidate', digest: DIGEST },
  });
  expect(JSON.parse(stage.index ?? '{}')).toMatchObject({
    aliases: { candidate: 1 },
    versions: [{ version: 1, ...PUBLISHED, tags: { run: NAME } }],
  });
  expect(stage.condition('Complete')).toMatchObject({ status: 'True', reason: 'VersionProduced' });
});

test('in no phase is anything written twice', async () => {
  const stage = await training();
  const quiet = async () => {
    const before = stage.api.writes.length;
    await stage.after(60_000);
    return stage.api.writes.slice(before);
  };
  expect(await quiet()).toEqual([]);
  stage.trained();
  await stage.settle();
  expect(await quiet()).toEqual([]);
  stage.judged();
  await stage.settle();
  expect(await quiet()).toEqual([]);
});

test('the Job has the digest of the token that its Secret has, and nothing else has the token', async () => {
  const stage = await training();
  const secret = stage.api.of('secrets').get(`shop/${NAME}-1-token`) as Stored & {
    stringData: { token: string };
  };
  const { token } = secret.stringData;
  const digest = createHash('sha256').update(token).digest('hex');
  const job = jobOf(stage, `${NAME}-1`);
  expect(job?.metadata.annotations?.['foresail.io/token-sha256']).toBe(digest);
  expect(secret.metadata.ownerReferences).toMatchObject([{ kind: 'Job', uid: job?.metadata.uid }]);
  const others = ['trainingjobs', 'jobs', 'pods', 'services'].map((plural) => stage.api.of(plural).list());
  expect(JSON.stringify([others, stage.events])).not.toContain(token);
  expect(JSON.stringify([others, stage.events])).toContain(digest);
});

test('a search has pods, token and number of its own, and what it found is trained and told', async () => {
  const stage = await training({ search: { trials: 6, gpuHours: '500m', parallelism: 3 } });
  expect(stage.status).toMatchObject({
    phase: 'Searching',
    attempt: { number: 1, stage: 'search', nodes: 3 },
    workers: { nodes: 3, ready: 3 },
  });
  expect(jobOf(stage, `${NAME}-1`)?.metadata.labels?.['foresail.io/training-stage']).toBe('search');
  const best = { trial: 4, params: { learning_rate: 0.001, 'model.width': 32 }, score: 0.91 };
  for (const index of [0, 1, 2])
    stage.exit(`${NAME}-1-${index}`, 0, { trials: { finished: 4, pruned: 2, failed: 0, best } });
  await stage.settle();
  expect(stage.names('jobs')).toEqual([`${NAME}-2`]);
  expect(stage.status).toMatchObject({
    phase: 'Training',
    attempt: { number: 2, nodes: 2 },
    bestTrial: {
      number: 4,
      score: '0.91',
      hyperparameters: { learning_rate: '0.001', 'model.width': '32' },
      trials: 6,
    },
  });
  expect(stage.status.attempt).not.toHaveProperty('stage');
  expect(stage.status.restarts).toBeUndefined();
  stage.trained();
  await stage.settle();
  stage.judged();
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Complete', bestTrial: { number: 4 } });
});

test('of a search only the worker that fails is started again, by its Job, and its failure is counted once', async () => {
  const stage = await training({ search: { trials: 6, parallelism: 2 } });
  const job = jobOf(stage, `${NAME}-1`);
  const other = stage.api.of('pods').get(`shop/${NAME}-1-0`)?.metadata.uid;
  stage.exit(`${NAME}-1-1`, 137);
  await stage.settle();
  stage.restart();
  await stage.settle();
  expect(stage.status).toMatchObject({
    phase: 'Searching',
    attempt: { number: 1, failures: 1 },
    restarts: { error: 1 },
    workers: { nodes: 2, ready: 2 },
  });
  expect(stage.events.filter((event) => event.includes('WorkerFailed'))).toEqual([
    'Warning WorkerFailed attempt 1: node 1: exit code 137; it is started again, and the others go on',
  ]);
  expect(jobOf(stage, `${NAME}-1`)?.metadata.uid).toBe(job?.metadata.uid);
  expect(stage.api.of('pods').get(`shop/${NAME}-1-0`)?.metadata.uid).toBe(other);
  expect(stage.names('secrets')).toEqual([`${NAME}-1-token`]);
  for (const name of [`${NAME}-1-0`, `${NAME}-1-1-again-1`]) stage.exit(name, 0);
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Training', attempt: { number: 2 }, restarts: { error: 1 } });
});

test('a configuration that no worker can search ends the search at once', async () => {
  const stage = await training({ search: { trials: 6, parallelism: 2 } });
  stage.exit(`${NAME}-1-1`, 78, { error: { code: 'CONFIG_INVALID', message: 'search: bad' } });
  await stage.settle();
  expect(stage.condition('Failed')).toMatchObject({
    reason: 'ConfigError',
    message: expect.stringContaining('search: bad'),
  });
  expect(stage.names('pods')).not.toContain(`${NAME}-1-1-again-1`);
});

test('an operator that restarts in the middle of a search, or of its end, goes on with it', async () => {
  const stage = await training({ search: { trials: 6 } });
  stage.restart();
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Searching', attempt: { number: 1 } });
  stage.exit(`${NAME}-1-0`, 0);
  stage.restart();
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Training', attempt: { number: 2 } });
});

describe('what the administrator does not allow is said and not done', () => {
  const S3 = { storageUri: 's3://data/a' };
  test.each<[string, Record<string, unknown>]>([
    ['RuntimeNotFound', { runtimeRef: { name: 'other' } }],
    ['TooManyWorkers', { workers: { nodes: 9 } }],
    ['AcceleratorNotAllowed', { workers: { accelerator: 'nvidia' } }],
    ['AcceleratorNotAllowed', { workers: { resourceName: 'nvidia.com/gpu' } }],
    ['SchemeNotAllowed', { data: { storageUri: 'https://data/a' } }],
    ['SchemeNotAllowed', { data: S3, output: { registry: 'a', storageUri: 'gs://models' } }],
    ['NotAllowedHere', { data: { predictiveScalers: { allNamespaces: true } } }],
    ['TooManyWorkers', { search: { trials: 30, parallelism: 9 } }],
    ['TrackingNotConfigured', { tracking: { experiment: 'nightly' } }],
    ['AcceleratorNotAllowed', { search: { gpuHours: '2', parallelism: 1 } }],
  ])('%s', async (reason, spec) => {
    const stage = await training(spec);
    expect(stage.status.phase).toBe('Pending');
    expect(pause(stage)).toBe(reason);
    expect(stage.names('jobs')).toEqual([]);
  });

  test('and done when it is allowed', async () => {
    const stage = await training({ runtimeRef: { name: 'other' } });
    stage.api.put('clustertrainingruntimes', runtime({ image: 'trainer:1', cpu: {} }, 'other'));
    await stage.settle();
    expect(stage.status.phase).toBe('Training');
  });

  test('a run that trains goes on when its runtime is gone, and waits where it would begin again', async () => {
    const stage = await training();
    stage.api.drop('clustertrainingruntimes', { metadata: { name: 'forecaster' } });
    await stage.settle();
    expect(stage.status.phase).toBe('Training');
    stage.exit(`${NAME}-1-0`, 75);
    await stage.settle();
    await stage.after(240_000);
    await stage.after(60_000);
    expect([pause(stage), stage.names('jobs')]).toEqual(['RuntimeNotFound', []]);
  });
});

test('one on GPUs waits for its runtime, and has them again', async () => {
  const stage = new Stage({ workers: { nodes: 1, accelerator: 'nvidia' } });
  const both = runtime({ image: 'trainer:1', cpu: {}, gpu: {} });
  stage.api.put('clustertrainingruntimes', both);
  await stage.settle();
  expect(stage.status.attempt).toMatchObject({ number: 1, accelerator: 'nvidia' });
  stage.api.drop('clustertrainingruntimes', both);
  stage.exit(`${NAME}-1-0`, 75);
  await stage.settle();
  await stage.after(300_000);
  expect([pause(stage), stage.status.attempt?.number]).toEqual(['RuntimeNotFound', 1]);
  stage.api.put('clustertrainingruntimes', both);
  await stage.settle();
  expect(stage.status.attempt).toMatchObject({ number: 2, accelerator: 'nvidia' });
});

test('a gang that hangs is gone ten seconds after its Job was told to go', async () => {
  const stage = await training({ progressDeadline: '30s' });
  const before = stage.api.writes.length;
  await stage.after(30_000);
  expect(stage.status.attempt?.ended?.cause).toBe('stalled');
  expect(stage.api.writes.slice(before).filter((write) => write.startsWith('delete'))).toEqual([
    `delete jobs/${NAME}-1`,
    `delete pods/${NAME}-1-0`,
    `delete pods/${NAME}-1-1`,
  ]);
  await stage.after(9_000);
  expect(stage.pods).toHaveLength(2);
  await stage.after(1_000);
  expect(stage.names('pods')).toEqual([]);
  await stage.after(10_000);
  expect(stage.status).toMatchObject({
    phase: 'Training',
    attempt: { number: 2 },
    restarts: { stalled: 1 },
  });
});

describe('where the operator speaks HTTPS with a certificate of its own', () => {
  let folder = '';
  let caFile = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'foresail-ca-'));
    caFile = join(folder, 'ca.crt');
  });
  afterEach(() => rm(folder, { recursive: true }));
  const secretOf = (stage: Stage) =>
    stage.api.of('secrets').get(`shop/${NAME}-1-token`) as { stringData: Record<string, string> } | undefined;

  test('its authority lies beside the token, and no key does', async () => {
    const { cert, key } = selfSigned();
    await writeFile(caFile, `${cert}${key}`);
    const stage = new Stage({}, { caFile });
    await stage.settle();
    expect(secretOf(stage)?.stringData).toEqual({ token: expect.any(String), 'ca.crt': cert });
    expect(JSON.stringify(jobOf(stage, `${NAME}-1`))).toContain(
      JSON.stringify({ name: 'FORESAIL_CA_FILE', value: '/var/run/foresail/ca.crt' }),
    );
  });

  test('nothing starts that could not know the operator, until it can', async () => {
    const stage = new Stage({}, { caFile });
    await stage.settle();
    expect([pause(stage), stage.names('jobs')]).toEqual(['AuthorityInvalid', []]);
    expect(stage.condition('Progressing')?.message).toMatch(/^training\.caFile: .*ENOENT/);
    expect(await stage.pass()).toEqual({ requeueAfterMs: 60_000 });
    await writeFile(caFile, selfSigned().cert);
    await stage.settle();
    expect(stage.status).toMatchObject({ phase: 'Training', attempt: { number: 1 } });
  });

  test('and nothing is said of authorities where none are configured', async () => {
    const stage = await training();
    expect(Object.keys(secretOf(stage)?.stringData ?? {})).toEqual(['token']);
    expect(JSON.stringify(jobOf(stage, `${NAME}-1`))).not.toContain('FORESAIL_CA_FILE');
  });
});

describe('with a cache that is behind', () => {
  test('no gang is made for an object that has changed', async () => {
    const stage = new Stage();
    let changed = false;
    stage.api.onWrite = (write) => {
      if (changed || write !== `create services/${NAME}`) return;
      changed = true;
      stage.change({ suspend: true });
    };
    await stage.settle();
    expect([stage.names('jobs'), stage.status.phase]).toEqual([[], 'Suspended']);
  });

  test.each(['train', 'search'])(
    'no gang is made beside pods of a %s that only the API server knows of',
    async (stageOfPod) => {
      const stage = new Stage();
      const old = {
        metadata: {
          name: 'old-pod',
          namespace: 'shop',
          labels: {
            'foresail.io/training-job': NAME,
            'foresail.io/training-stage': stageOfPod,
            'foresail.io/training-attempt': '1',
          },
        },
        status: { phase: 'Running' },
      };
      stage.api.onWrite = (write) => {
        if (write === `create services/${NAME}`) stage.api.put('pods', old);
      };
      await stage.settle();
      expect([stage.names('jobs'), pause(stage)]).toEqual([[], 'WaitingForOldPods']);
      stage.api.drop('pods', old);
      await stage.settle();
      expect(stage.status.phase).toBe('Training');
    },
  );
});

test('a Secret that has the name already costs the number, and nothing else', async () => {
  const stage = new Stage();
  stage.api.put('secrets', { metadata: { name: `${NAME}-1-token`, namespace: 'shop' } });
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Training', attempt: { number: 2 }, restarts: { cutOff: 1 } });
});

test('somebody else’s Job is left alone, and named', async () => {
  const stage = new Stage();
  stage.api.put('jobs', { metadata: { name: `${NAME}-1`, namespace: 'shop' }, spec: {} });
  await expect(
    (async () => {
      await stage.pass();
      await stage.pass();
    })(),
  ).rejects.toMatchObject({ code: 'CHILD_NOT_OURS' });
  expect(pause(stage)).toBe('ChildNotOurs');
  expect(jobOf(stage, `${NAME}-1`)?.spec).toEqual({});
});

test('a run of a queue carries its label and is let go by others alone', async () => {
  const stage = await training({ queueName: 'night' });
  const job = jobOf(stage, `${NAME}-1`);
  expect(job?.metadata.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'night' });
  expect(job?.spec).toMatchObject({ suspend: true });
  expect(stage.status.phase).toBe('Queued');
  stage.restart();
  await stage.after(3600_000);
  expect(stage.status.attempt?.number).toBe(1);
  stage.api.put('jobs', { ...job, spec: { ...job?.spec, suspend: false } } as Stored);
  await stage.settle();
  expect(stage.status.phase).toBe('Training');
});

test('what is said over HTTP is taken before the last words come', async () => {
  const stage = await training();
  const { uid = '' } = stage.object.metadata;
  const key = { namespace: 'shop', name: NAME, uid, attempt: 1 };
  const report = { step: 50, total: 200, rank: 0, workers: 2, loss: 0.31, score: null, checkpointStep: 40 };
  stage.reports.take(key, 'progress', {
    ...report,
    samplesPerSecond: 812.54321,
    etaSeconds: 93,
    device: 'cpu',
  });
  await stage.settle();
  expect(stage.status.progress).toMatchObject({
    step: 50,
    total: 200,
    loss: '0.31',
    checkpointStep: 40,
    eta: '1m33s',
    samplesPerSecond: '812.543',
  });
  expect(await stage.registry.getSingleMetricAsString('foresail_trainingjob_progress_ratio')).toContain(
    '0.25',
  );
});

test('when a wait for a volume is over stands in status, and another process goes by it', async () => {
  const stage = await training({ workers: { nodes: 2, elastic: { minNodes: 1 } } });
  const since = new Date(stage.clock.now()).toISOString();
  const [placed, homeless] = stage.podsOf(`${NAME}-1`);
  if (placed === undefined || homeless === undefined) throw new Error('no pods');
  const waits = (message: string) => {
    const scheduled = { type: 'PodScheduled', status: 'False', message, lastTransitionTime: since };
    stage.api.put('pods', { ...homeless, status: { phase: 'Pending', conditions: [scheduled] } });
  };
  waits('persistentvolumeclaim "training" not found');
  await stage.settle();
  await stage.after(600_000);
  expect(pause(stage)).toBe('WaitingForVolume');
  waits('0/3 nodes are available: 3 Insufficient cpu.');
  await stage.settle();
  const roomSince = new Date(stage.clock.now()).toISOString();
  expect(stage.status.attempt).toMatchObject({ number: 1, roomSince });
  stage.restart();
  await stage.after(119_000);
  expect([pause(stage), stage.status.attempt?.number]).toEqual(['WaitingForRoom', 1]);
  await stage.after(1_000);
  expect(stage.status.attempt?.ended).toMatchObject({ cause: 'resized', nodes: 1 });
});

describe('the gate', () => {
  const argsOf = (stage: Stage) => JSON.stringify(jobOf(stage, `${NAME}-gate`)?.spec);

  test('compares with seasonal naive alone where nothing is registered', async () => {
    expect(argsOf(await judging())).not.toContain('--incumbent');
  });

  test('compares with what the alias means', async () => {
    const stage = new Stage();
    const versions = [{ version: 4, storageUri: 's3://models/old', sha256: 'a'.repeat(64) }];
    const data = { 'index.json': JSON.stringify({ versions, aliases: { candidate: 4 } }) };
    const metadata = { name: `foresail-registry-${NAME}`, namespace: 'shop' };
    stage.api.put('configmaps', { metadata, data } as Stored);
    await stage.settle();
    stage.trained();
    await stage.settle();
    expect(argsOf(stage)).toContain('"--uri","s3://models/old"');
    stage.judged();
    await stage.settle();
    expect(stage.status.producedVersion?.version).toBe(5);
  });

  test('waits for the ModelDeployment that it is against', async () => {
    const stage = await judging({ gate: { against: { modelDeployment: 'serving' } } });
    expect([stage.status.phase, pause(stage)]).toEqual(['Gating', 'IncumbentNotFound']);
    expect(await stage.pass()).toEqual({ requeueAfterMs: 30_000 });
  });

  test('is believed by the word of its own pod alone', async () => {
    const stage = await judging();
    const [own] = stage.podsOf(`${NAME}-gate`);
    const gate = { verdict: 'Pass', failed: [], scores: {}, published: PUBLISHED };
    stage.api.put('pods', {
      metadata: { name: 'forged', namespace: 'shop', labels: own?.metadata.labels ?? {} },
      status: {
        phase: 'Succeeded',
        containerStatuses: [
          { name: 'gate', state: { terminated: { exitCode: 0, message: JSON.stringify({ gate }) } } },
        ],
      },
    });
    await stage.settle();
    expect([stage.status.phase, stage.status.gate]).toEqual(['Gating', undefined]);
  });

  test('that finds no room is known by its Job where its pod is gone, and is held again', async () => {
    const stage = await judging();
    const [pod] = stage.podsOf(`${NAME}-gate`);
    const job = jobOf(stage, `${NAME}-gate`);
    if (pod === undefined || job === undefined) throw new Error('no gate');
    const message =
      'Container gate for pod shop/gate failed with exit code 74 matching FailJob rule at index 0';
    const lastTransitionTime = new Date(stage.clock.now()).toISOString();
    const failed = {
      type: 'Failed',
      status: 'True',
      reason: 'PodFailurePolicy',
      message,
      lastTransitionTime,
    };
    stage.api.put('jobs', { ...job, status: { conditions: [failed] } });
    stage.api.drop('pods', pod);
    await stage.settle();
    await stage.after(15_000);
    expect([stage.status.phase, stage.condition('Progressing')]).toMatchObject([
      'Pending',
      { status: 'False', reason: 'VolumeFull', message: expect.stringContaining('exit code 74') },
    ]);
    expect(stage.status.gateWait).toMatchObject({ count: 1, retryAt: expect.any(String) });
    await stage.after(10_000);
    expect([stage.status.phase, stage.status.gateWait?.retryAt]).toEqual(['Gating', undefined]);
    stage.judged();
    await stage.settle();
    expect(stage.status).toMatchObject({ phase: 'Complete', producedVersion: { version: 1 } });
  });

  test('that fails makes no version', async () => {
    const stage = await judging();
    stage.judged({ verdict: 'Fail', failed: ['Leakage'], scores: {}, published: null });
    await stage.settle();
    expect(stage.condition('Failed')).toMatchObject({ reason: 'GateFailed', message: 'not passed: Leakage' });
    expect(stage.condition('GatePassed')).toMatchObject({ status: 'False' });
    expect(stage.index).toBeUndefined();
  });

  test('that passes waits for a registry that can be read', async () => {
    const stage = await judging();
    const metadata = { name: `foresail-registry-${NAME}`, namespace: 'shop' };
    stage.api.put('configmaps', { metadata, data: { 'index.json': '{' } } as Stored);
    stage.judged();
    await stage.settle();
    expect([stage.status.phase, pause(stage)]).toEqual(['Gating', 'RegistryInvalid']);
    expect(await stage.pass()).toEqual({ requeueAfterMs: 60_000 });
    stage.api.drop('configmaps', { metadata });
    await stage.settle();
    expect(stage.status.phase).toBe('Complete');
  });
});

test('how runs end is counted', async () => {
  const stage = await training();
  stage.exit(`${NAME}-1-0`, 78, { error: { code: 'CONFIG_INVALID', message: 'seed: no number' } });
  await stage.settle();
  expect(stage.condition('Failed')?.message).toContain('seed: no number');
  const ended = await stage.registry.getSingleMetricAsString('foresail_training_runs_total');
  expect(ended).toContain('outcome="ConfigError"} 1');
  expect(ended).toContain('outcome="Complete"} 0');
});

test('a spec that cannot be understood costs that object alone', async () => {
  const stage = new Stage();
  stage.change({ backoffLimit: -1 });
  await stage.settle();
  expect(pause(stage)).toBe('InvalidSpec');
});
