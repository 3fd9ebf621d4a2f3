import { describe, expect, test } from '@jest/globals';
import { FULL as RUNTIMES, runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { gangJob } from './gang.ts';
import { workerPod } from './worker-pod.ts';

const UID = '0a1b2c3d-0000-4000-8000-000000000000';

function gang(
  spec: Record<string, unknown> = {},
  runtimeSpec: Record<string, unknown> = { image: 'trainer:1', cpu: {} },
  onCpu = true,
) {
  const run = parseTrainingJob(trainingJob({ ...MINIMAL, ...spec }));
  return {
    run: { ...run, metadata: { ...run.metadata, uid: UID } },
    runtime: parseClusterTrainingRuntime(runtime(runtimeSpec)).spec,
    attempt: { number: 3, nodes: 2, onCpu, createdAtMs: 0 },
    settings: { address: 'http://operator:8080' },
  };
}

const pod = (...args: Parameters<typeof gang>) => workerPod(gang(...args));
const env = (of: ReturnType<typeof pod>) =>
  Object.fromEntries(
    of.spec.containers[0]?.env.map((each) => [each.name, 'value' in each ? each.value : '']) ?? [],
  );

test('every pod meets Pod Security restricted, whatever the runtime says', () => {
  for (const spec of RUNTIMES) {
    const { spec: of } = pod({}, spec, spec['gpu'] === undefined);
    expect(of).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 120,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(of).not.toHaveProperty('serviceAccountName');
    expect(of).not.toHaveProperty('hostNetwork');
    expect(of.containers).toHaveLength(1);
    expect(of.containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  }
});

test('folders of a node and claims of others are read only', () => {
  const volumes = [
    { name: 'venv', mountPath: '/venv', hostPath: { path: '/opt/venv' } },
    { name: 'shared', mountPath: '/shared', persistentVolumeClaim: { claimName: 'shared' } },
    { name: 'shm', mountPath: '/dev/shm', emptyDir: { medium: 'Memory' } },
  ];
  const { spec } = pod({}, { image: 'trainer:1', cpu: {}, volumes });
  const mounts = spec.containers[0]?.volumeMounts.filter(({ name }) =>
    volumes.some((each) => each.name === name),
  );
  expect(mounts).toEqual([
    { name: 'venv', mountPath: '/venv', readOnly: true },
    { name: 'shared', mountPath: '/shared', readOnly: true },
    { name: 'shm', mountPath: '/dev/shm' },
  ]);
});

test('the ranks find each other, the run’s folder and the operator', () => {
  const of = pod(
    { workers: { nodes: 2, procsPerNode: 2 } },
    { image: 'trainer:1', cpu: { resources: { limits: { cpu: '4' } } } },
  );
  expect(env(of)).toMatchObject({
    PET_NNODES: '2',
    PET_NPROC_PER_NODE: '2',
    PET_MASTER_ADDR: 'loadcast-3-0.loadcast',
    PET_MASTER_PORT: '29400',
    OMP_NUM_THREADS: '2',
    FORESAIL_CONTROL_URL: 'http://operator:8080/training/v1/namespaces/shop/trainingjobs/loadcast/attempts/3',
    FORESAIL_TOKEN_FILE: '/var/run/foresail/token',
    FORESAIL_ATTEMPT: '3',
    FORESAIL_RUN: UID,
    FORESAIL_WORK: '/work',
  });
  expect(of.spec.subdomain).toBe('loadcast');
  expect(of.spec.containers[0]?.volumeMounts).toContainEqual({
    name: 'foresail-work',
    mountPath: '/work',
    subPath: 'foresail/loadcast-0a1b2c3d',
  });
});

test('the trainer gets its settings as a file, out of typed fields', () => {
  const { metadata, spec } = pod({
    model: { family: 'linear', hyperparameters: { steps: 500, 'model.width': 64, learning_rate: '0.001' } },
    data: { storageUri: 'pvc://past/loads', window: '36h' },
    checkpoint: { claimName: 'training', every: '90s', keep: 2 },
    output: { registry: 'web' },
  });
  expect(JSON.parse(metadata.annotations['foresail.io/training-config'])).toEqual({
    name: 'web',
    family: 'linear',
    seed: 1,
    hyperparameters: { steps: 500, model: { width: 64 }, learning_rate: 0.001 },
    data: { from: 'uri', uri: 'pvc://past/loads', windowHours: 36 },
    split: { train: 0.7, validate: 0.15, test: 0.15 },
    checkpoint: { everySeconds: 90, keep: 2 },
    accelerator: 'cpu',
  });
  expect(spec.containers[0]?.volumeMounts).toContainEqual({
    name: 'foresail-data',
    mountPath: '/mnt/pvc/past',
    readOnly: true,
  });
  // The kubelet mounts a claim once for a pod, and to read only if one of its volumes says so.
  expect(spec.volumes.filter((volume) => JSON.stringify(volume).includes('"readOnly"'))).toEqual([]);
  expect(spec.volumes[0]).toMatchObject({ downwardAPI: { items: [{ path: 'train.json' }] } });
});

test('a choice of data that is not the usual one is told, in the trainer’s words', () => {
  const dataOf = (data: object) => {
    const { metadata } = pod({ data: { storageUri: 's3://past/loads', window: '36h', ...data } });
    return (JSON.parse(metadata.annotations['foresail.io/training-config']) as { data: object }).data;
  };
  expect(dataOf({ sampling: 'error' })).toEqual({ ...dataOf({}), sampling: 'error' });
  expect(dataOf({ sampling: 'uniform' })).toEqual({ from: 'uri', uri: 's3://past/loads', windowHours: 36 });
});

test('data on the run’s own claim are read there, beside the folder that is written', () => {
  const { spec } = pod({
    data: { storageUri: 'pvc://training/loads' },
    checkpoint: { claimName: 'training' },
  });
  expect(spec.containers[0]?.volumeMounts).toContainEqual({
    name: 'foresail-work',
    mountPath: '/mnt/pvc/training',
    readOnly: true,
  });
  expect(spec.volumes.filter((volume) => 'persistentVolumeClaim' in volume)).toHaveLength(1);
});

describe('GPUs', () => {
  const GPU = {
    image: 'trainer:1',
    cpu: { nodeSelector: { pool: 'cpu' } },
    gpu: {
      resourceNames: ['nvidia.com/gpu', 'nvidia.com/mig-1g.10gb'],
      runtimeClassName: 'nvidia',
      nodeSelector: { pool: 'gpu' },
      resources: { requests: { cpu: '4' } },
    },
  };

  test('are asked for whole, with limits that equal requests, and their taint is tolerated', () => {
    const { spec } = pod({ workers: { procsPerNode: 2 } }, GPU, false);
    expect(spec.containers[0]?.resources).toEqual({
      requests: { cpu: '4', 'nvidia.com/gpu': '2' },
      limits: { 'nvidia.com/gpu': '2' },
    });
    expect(spec).toMatchObject({
      runtimeClassName: 'nvidia',
      nodeSelector: { pool: 'gpu' },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
    });
  });

  test('may be slices', () => {
    const { spec } = pod({ workers: { resourceName: 'nvidia.com/mig-1g.10gb' } }, GPU, false);
    expect(spec.containers[0]?.resources.limits).toEqual({ 'nvidia.com/mig-1g.10gb': '1' });
  });

  test('are not asked for by an attempt that goes on by CPU', () => {
    const of = pod({}, GPU, true);
    expect(JSON.stringify(of)).not.toContain('nvidia');
    expect(of.spec.nodeSelector).toEqual({ pool: 'cpu' });
  });
});

test('the Job starts suspended, fails as a whole, and knows what is no fault of the run', () => {
  const { metadata, spec } = gangJob(gang({ queueName: 'night' }), 'f'.repeat(64));
  expect(metadata).toMatchObject({
    name: 'loadcast-3',
    labels: { 'kueue.x-k8s.io/queue-name': 'night', 'foresail.io/training-attempt': '3' },
    annotations: { 'foresail.io/token-sha256': 'f'.repeat(64) },
  });
  expect(spec).toMatchObject({
    suspend: true,
    completionMode: 'Indexed',
    completions: 2,
    parallelism: 2,
    backoffLimit: 0,
    podFailurePolicy: {
      rules: [
        { action: 'FailJob', onExitCodes: { values: [78] } },
        { action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget' }] },
      ],
    },
  });
});

test('Volcano is told how many pods start together, and of a search nothing', () => {
  const volcano = { image: 'trainer:1', cpu: {}, schedulerName: 'volcano' };
  const key = 'scheduling.volcano.sh/group-min-member';
  expect(pod({}, volcano).metadata.annotations).toMatchObject({ [key]: '2' });
  const made = gang({ workers: { nodes: 4, elastic: { minNodes: 2 } } }, volcano);
  const elastic = workerPod({ ...made, attempt: { ...made.attempt, nodes: 4 } });
  expect(elastic.metadata.annotations).toMatchObject({ [key]: '2' });
  const search = workerPod({ ...made, attempt: { ...made.attempt, nodes: 4, searches: true } });
  expect(search.metadata.annotations).not.toHaveProperty(key);
});

test('a pod that searches is told so, runs one process, and knows the budget; one that trains knows of the search', () => {
  const spec = {
    workers: { nodes: 1, procsPerNode: 4 },
    search: { trials: 6, maxDuration: '90m', gpuHours: '1500m', parallelism: 2 },
  };
  const made = gang(spec, { image: 'trainer:1', cpu: { resources: { limits: { cpu: '4' } } } });
  const search = workerPod({ ...made, attempt: { ...made.attempt, searches: true } });
  expect(env(search)).toMatchObject({
    FORESAIL_STAGE: 'search',
    PET_NPROC_PER_NODE: '1',
    OMP_NUM_THREADS: '4',
  });
  expect(search.metadata.labels['foresail.io/training-stage']).toBe('search');
  const train = workerPod(made);
  expect(env(train)).not.toHaveProperty('FORESAIL_STAGE');
  expect(env(train)).toMatchObject({ PET_NPROC_PER_NODE: '4' });
  for (const { metadata } of [search, train])
    expect(JSON.parse(metadata.annotations['foresail.io/training-config'] ?? '')).toMatchObject({
      search: { trials: 6, maxSeconds: 5400, gpuHours: 1.5 },
    });
});

describe('tracking', () => {
  const SERVER = 'http://mlflow.ml:5000';
  const tracked = (tracking: object | undefined, trackingUri?: string, env: readonly object[] = []) => {
    const made = gang(tracking === undefined ? {} : { tracking }, { image: 'trainer:1', cpu: {}, env });
    return workerPod({ ...made, settings: { ...made.settings, trackingUri } });
  };
  const blockOf = (of: ReturnType<typeof tracked>) =>
    (JSON.parse(of.metadata.annotations['foresail.io/training-config']) as { tracking?: object }).tracking;
  const mlflow = (of: ReturnType<typeof tracked>) =>
    of.spec.containers[0]?.env.filter(({ name }) => name.startsWith('MLFLOW_'));

  test('is off unless somebody names a server', () => {
    expect(blockOf(tracked(undefined))).toBeUndefined();
  });

  test('goes to the administrator’s server, in an experiment of the namespace', () => {
    const of = tracked(undefined, SERVER);
    expect(blockOf(of)).toEqual({ uri: SERVER, experiment: 'foresail/shop' });
    expect(mlflow(of)).toEqual([]);
    expect(blockOf(tracked({ experiment: 'nightly' }, SERVER))).toEqual({
      uri: SERVER,
      experiment: 'nightly',
    });
  });

  test('goes to the run’s own server, with three keys of its Secret and no other variable', () => {
    const own = { uri: 'https://mlflow.example.com', credentialsSecretRef: { name: 'mine' } };
    const of = tracked(own, SERVER);
    expect(blockOf(of)).toMatchObject({ uri: own.uri });
    const secret = (key: string) => ({
      name: key,
      valueFrom: { secretKeyRef: { name: 'mine', key, optional: true } },
    });
    expect(mlflow(of)).toEqual(
      ['MLFLOW_TRACKING_TOKEN', 'MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD'].map(secret),
    );
    expect(of.spec.containers[0]).not.toHaveProperty('envFrom');
  });

  test('hands credentials of the runtime to the administrator’s server alone, and mixes them with no others', () => {
    const env = [
      { name: 'MLFLOW_TRACKING_TOKEN', value: 'shared' },
      { name: 'HOME', value: '/tmp' },
    ];
    expect(mlflow(tracked({}, SERVER, env))).toEqual([env[0]]);
    for (const tracking of [{ uri: 'http://elsewhere' }, { credentialsSecretRef: { name: 'mine' } }]) {
      const of = tracked(tracking, SERVER, env);
      expect(JSON.stringify(of)).not.toContain('shared');
      expect(of.spec.containers[0]?.env).toContainEqual(env[1]);
    }
  });
});
