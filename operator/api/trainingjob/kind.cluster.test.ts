/** The CRD on a real API server: what holds of every kind, and what this one alone promises. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { describeKindOnServer } from '../testing/kind-cluster-suite.ts';
import { installCrd, resourcePath } from '../testing/server.ts';
import { parseTrainingJob, TRAINING_JOB, type TrainingJob } from './kind.ts';
import type { TrainingJobStatus } from './status.ts';
import { FULL, MINIMAL, trainingJob } from './testing/full-object.ts';
import { trainingJobSpec } from './testing/spec-arbitrary.ts';
import { trainingJobSubject } from './testing/subject.ts';

describeKindOnServer(trainingJobSubject, trainingJobSpec);

describe('an object that lives', () => {
  const cluster = sharedCluster();
  let namespace: Namespace;
  const path = (name: string) => resourcePath(namespace.name, name, TRAINING_JOB);
  const create = (name: string, spec: Record<string, unknown>) =>
    request<TrainingJob>(
      cluster,
      'POST',
      `${path('')}?fieldValidation=Strict`,
      trainingJob(spec, name, namespace.name),
    );
  const change = (name: string, spec: object) => request<TrainingJob>(cluster, 'PATCH', path(name), { spec });
  const setStatus = (name: string, status: object) =>
    request<TrainingJob>(cluster, 'PATCH', `${path(name)}/status?fieldValidation=Strict`, { status });

  beforeAll(async () => {
    await installCrd(cluster);
    namespace = await makeNamespace('tjob');
  }, 60_000);
  afterAll(() => namespace.delete());

  const DIGEST = 'ab'.repeat(32);
  const TIME = '2026-11-22T03:00:00Z';
  const STATUS: TrainingJobStatus = {
    observedGeneration: 1,
    phase: 'Training',
    startTime: TIME,
    completionTime: TIME,
    attempt: {
      number: 3,
      nodes: 2,
      accelerator: 'cpu',
      startedAt: TIME,
      launchedAt: TIME,
      runningAt: TIME,
      ended: { cause: 'resized', message: 'no room', time: TIME, restartAt: TIME, nodes: 1 },
      cause: 'disruption',
    },
    progress: {
      step: 120,
      total: 500,
      eta: '1m33s',
      checkpointStep: 100,
      loss: '0.31',
      score: '0.9',
      samplesPerSecond: '812.5',
      device: 'cpu',
      updatedAt: TIME,
    },
    workers: { nodes: 2, ready: 2 },
    restarts: { error: 1, disruption: 1 },
    bestTrial: { number: 4, score: '0.8', hyperparameters: { width: '64' }, trials: 9 },
    candidate: {
      digest: DIGEST,
      sizeBytes: 1_000_000,
      path: 'pvc://training/foresail/loadcast-0a1b2c3d/out',
      lineage: {
        codeDigest: DIGEST,
        package: '0.1.0',
        seed: 1,
        dataDigest: DIGEST,
        series: 12,
        points: 1_000_000,
        firstTime: TIME,
        trainEnd: TIME,
        validateEnd: TIME,
        lastTime: TIME,
      },
      scores: { validate: '0.9' },
    },
    gate: {
      verdict: 'Fail',
      failed: ['ForecastScore'],
      scores: { ratio: '1.02' },
      storageUri: 's3://models/a',
    },
    producedVersion: {
      registry: 'loadcast',
      version: 7,
      digest: DIGEST,
      storageUri: 's3://models/loadcast/7/model.onnx',
      alias: 'candidate',
      time: TIME,
    },
    lastScheduleTime: TIME,
    nextScheduleTime: TIME,
    lastSuccessfulTime: TIME,
    runs: [
      {
        name: 'loadcast-29912345',
        cause: 'Drift',
        phase: 'Complete',
        startedAt: TIME,
        endedAt: TIME,
        version: 7,
      },
    ],
    conditions: [
      { type: 'Complete', status: 'False', lastTransitionTime: TIME, reason: 'Training', message: '' },
    ],
  };

  test('shows its columns, and its status is a subresource of its own', async () => {
    await create('loadcast', MINIMAL);
    const write = `${path('loadcast')}/status?fieldValidation=Strict`;
    const after = await request<TrainingJob>(cluster, 'PATCH', write, { status: STATUS, spec: { seed: 9 } });
    expect(after.status).toEqual(STATUS);
    expect(after.spec.seed).toBe(1);
    expect(parseTrainingJob(after).status).toEqual(STATUS);
    const table = await kubectl(cluster, ['get', 'trainingjobs', 'loadcast', '-n', namespace.name]);
    const [head = '', line = ''] = table.trim().split('\n');
    expect(head.split(/\s+/)).toEqual(['NAME', 'PHASE', 'STEP', 'TOTAL', 'ETA', 'VERSION', 'AGE']);
    expect(line).toMatch(/^loadcast +Training +120 +500 +1m33s +7 +\d+s$/);
  });

  test.each(['tjob', 'trainingjob', 'foresail'])('answers to %s', async (word) => {
    expect(await kubectl(cluster, ['get', word, '-n', namespace.name, '-o', 'name'])).toContain('/loadcast');
  });

  /** Each frozen field with another valid value than the full object has. */
  const OTHER: readonly [field: string, value: unknown][] = [
    ['runtimeRef', { name: 'other' }],
    ['data', { window: '337h' }],
    ['model', { hyperparameters: { steps: 501 } }],
    ['seed', 8],
    ['workers', { nodes: 5 }],
    ['search', null],
    ['checkpoint', { every: '3m' }],
    ['gate', { minImprovement: '0.03' }],
    ['output', { alias: 'other' }],
    ['schedule', '0 4 * * 0'],
    ['triggers', { drift: false }],
    ['queueName', null],
  ];

  test.each(OTHER)('%s can be changed until the run has started, and no more then', async (field, value) => {
    const name = `frozen-${field.toLowerCase()}`;
    await create(name, FULL[0] ?? {});
    await expect(change(name, { [field]: value })).resolves.toBeDefined();
    await request(cluster, 'DELETE', path(name));
    await create(name, FULL[0] ?? {});
    await setStatus(name, { startTime: TIME });
    await expect(change(name, { [field]: value })).rejects.toThrow(
      `${field} cannot be changed once the run has started`,
    );
  });

  test('a run that has started can be suspended, and can be given more tries', async () => {
    await create('going', MINIMAL);
    await setStatus('going', { startTime: TIME });
    const { spec } = await change('going', {
      suspend: true,
      backoffLimit: 9,
      progressDeadline: '20m',
      ttlSecondsAfterFinished: 60,
    });
    expect(spec).toMatchObject({ suspend: true, backoffLimit: 9, progressDeadline: '20m' });
    await expect(change('going', { output: { registry: 'loadcast' } })).rejects.toThrow('output cannot');
  });
});
