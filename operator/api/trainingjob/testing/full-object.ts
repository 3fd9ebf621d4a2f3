/** TrainingJobs that set every field, and those on the edge of each rule. */

import { API_VERSION } from '../../schema/kind.ts';
import type { RawObject } from '../../testing/subject.ts';
import { TRAINING_JOB } from '../kind.ts';

export function trainingJob(
  spec: Record<string, unknown>,
  name = 'loadcast',
  namespace = 'shop',
): RawObject & { metadata: { namespace: string } } {
  return { apiVersion: API_VERSION, kind: TRAINING_JOB.kind, metadata: { name, namespace }, spec };
}

export const MINIMAL = {
  data: { predictiveScalers: {} },
  model: { family: 'patch-mixer' },
  checkpoint: { claimName: 'training' },
};

/** What the server fills in, for objects that are compared whole. */
const DEFAULTED = {
  runtimeRef: { name: 'forecaster' },
  seed: 1,
  workers: { nodes: 1, procsPerNode: 1, accelerator: 'auto' },
  gate: { minImprovement: '0.01' },
  suspend: false,
  backoffLimit: 3,
  progressDeadline: '10m',
};

export const FULL: readonly Record<string, unknown>[] = [
  {
    runtimeRef: { name: 'forecaster-nvidia' },
    data: {
      predictiveScalers: {
        selector: {
          matchLabels: { team: 'shop' },
          matchExpressions: [{ key: 'tier', operator: 'In', values: ['web', 'api'] }],
        },
        allNamespaces: true,
      },
      window: '336h',
      sampling: 'uncertainty',
    },
    model: {
      family: 'patch-mixer',
      hyperparameters: { steps: 500, learning_rate: '0.001', 'model.width': 64 },
    },
    seed: 7,
    workers: {
      nodes: 4,
      procsPerNode: 2,
      elastic: { minNodes: 2 },
      accelerator: 'nvidia',
      resourceName: 'nvidia.com/mig-1g.10gb',
      fallbackAfter: '15m',
    },
    search: {
      trials: 40,
      maxDuration: '2h',
      gpuHours: '4',
      parallelism: 4,
      storage: { rdb: { urlSecretRef: { name: 'search', key: 'url' } } },
    },
    checkpoint: { claimName: 'training', every: '2m', keep: 5 },
    gate: { against: { modelDeployment: 'loadcast' }, minImprovement: '0.02' },
    output: {
      registry: 'loadcast',
      alias: 'nightly',
      storageUri: 's3://models/loadcast',
      credentialsSecretRef: { name: 'store' },
    },
    tracking: {
      uri: 'https://mlflow.example.com:8443/team',
      experiment: 'shop, nightly',
      credentialsSecretRef: { name: 'mlflow' },
    },
    schedule: '0 3 * * 0',
    timeZone: 'Europe/Berlin',
    startingDeadlineSeconds: 600,
    jitter: '30m',
    triggers: { drift: true, scoreBreach: true, scoreBreachFactor: '2.5', budget: { runs: 3, per: '168h' } },
    coolDown: '12h',
    concurrencyPolicy: 'Replace',
    successfulHistoryLimit: 5,
    failedHistoryLimit: 2,
    queueName: 'training',
    suspend: true,
    backoffLimit: 6,
    progressDeadline: '5m',
    ttlSecondsAfterFinished: 86_400,
  },
  {
    ...MINIMAL,
    ...DEFAULTED,
    data: {
      storageUri: 'https://data.example.com/load',
      credentialsSecretRef: { name: 'data' },
      window: '1440h',
      sampling: 'uniform',
    },
    checkpoint: { claimName: 'training', every: '5m', keep: 3 },
  },
];

const with_ = (changes: Record<string, unknown>) => ({ ...MINIMAL, ...changes });
const data = (storageUri: string) => with_({ data: { storageUri } });
const searchBy = (key: string) => ({
  trials: 2,
  storage: { rdb: { urlSecretRef: { name: 'search', key } } },
});
const output = (storageUri: string) => with_({ output: { registry: 'loadcast', storageUri } });

export const EDGES: Readonly<Record<string, Record<string, unknown>>> = {
  'empty parents': with_({
    runtimeRef: {},
    data: { predictiveScalers: { selector: {} } },
    model: { family: 'linear', hyperparameters: {} },
    workers: {},
    gate: {},
    output: { registry: 'loadcast' },
  }),
  'as many nodes as the fewest': with_({ workers: { nodes: 2, elastic: { minNodes: 2 } } }),
  'a CPU alone': with_({ workers: { accelerator: 'cpu' } }),
  'a search of one trial': with_({ search: { trials: 1, parallelism: 1 } }),
  'a search by time': with_({ search: { maxDuration: '1m', parallelism: 8 } }),
  'a search by GPU-hours': with_({ search: { gpuHours: 1 } }),
  'a search by a database': with_({ search: searchBy('.db-1_URL') }),
  'a drift alone': with_({ triggers: { drift: true }, coolDown: '1m', concurrencyPolicy: 'Forbid' }),
  'a breach alone': with_({ triggers: { scoreBreach: true }, failedHistoryLimit: 0 }),
  'the smallest factor': with_({ triggers: { scoreBreach: true, scoreBreachFactor: '1.1' } }),
  'the largest factor': with_({ triggers: { scoreBreach: true, scoreBreachFactor: '20.0' } }),
  'the smallest budget': with_({ triggers: { drift: true, budget: { runs: 1, per: '1h' } } }),
  'the largest budget': with_({ triggers: { drift: true, budget: { runs: 100, per: '8760h' } } }),
  'a schedule alone': with_({ schedule: '*/5 0-6,22-23 1 JAN MON', successfulHistoryLimit: 0 }),
  'keys that begin alike': with_({
    model: { family: 'linear', hyperparameters: { model: 1, models: 2, 'model2.width': 'x' } },
  }),
  'the longest durations': with_({
    data: { predictiveScalers: {}, window: '26280h' },
    checkpoint: { claimName: 'training', every: '24h', keep: 100 },
    progressDeadline: '24h',
    workers: { fallbackAfter: '24h', nodes: 128, procsPerNode: 16 },
    search: { maxDuration: '720h' },
    schedule: '0 3 * * *',
    jitter: '24h',
    triggers: { drift: true },
    coolDown: '8760h',
  }),
  'the shortest durations': with_({
    data: { predictiveScalers: {}, window: '1h' },
    checkpoint: { claimName: 'training', every: '10s', keep: 1 },
    progressDeadline: '30s',
    workers: { fallbackAfter: '10s' },
    schedule: '0 3 * * *',
    jitter: '1s',
    startingDeadlineSeconds: 10,
    ttlSecondsAfterFinished: 0,
    backoffLimit: 0,
    seed: 0,
  }),
  'no improvement asked': with_({ gate: { minImprovement: '0' } }),
  'more of what the forecast misses': with_({ data: { predictiveScalers: {}, sampling: 'error' } }),
  'data on s3': data('s3://bucket/load'),
  'data on gs': data('gs://bucket/load'),
  'data on a claim': data('pvc://claim/load'),
  'data on the node': data('file:///data/load'),
  'models on gs': output('gs://bucket/models'),
  'models on a claim': output('pvc://claim/models'),
  'tracking by the administrator’s server': with_({ tracking: {} }),
  'tracking at an IPv6 address': with_({ tracking: { uri: 'http://[fd00::1]:5000', experiment: 'a' } }),
  'tracking at a host alone': with_({ tracking: { uri: 'http://mlflow', experiment: 'é / b' } }),
};
