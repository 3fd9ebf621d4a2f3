/** ClusterTrainingRuntimes that set every field, and those on the edge of each rule. */
import { API_VERSION } from '../../schema/kind.ts';
import type { RawObject } from '../../testing/subject.ts';
import { CLUSTER_TRAINING_RUNTIME } from '../kind.ts';

export function runtime(spec: Record<string, unknown>, name = 'forecaster'): RawObject {
  return { apiVersion: API_VERSION, kind: CLUSTER_TRAINING_RUNTIME.kind, metadata: { name }, spec };
}

export const MINIMAL = { image: 'example.com/trainer:1', cpu: {} };

const RESOURCES = {
  requests: { cpu: '1', memory: '2Gi', 'ephemeral-storage': '1Gi' },
  limits: { cpu: '2', memory: '4Gi', 'ephemeral-storage': '2Gi' },
};
const TOLERATION = { key: 'nvidia.com/gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' };

export const FULL: readonly Record<string, unknown>[] = [
  {
    image: 'example.com/trainer:1',
    imagePullPolicy: 'IfNotPresent',
    imagePullSecrets: [{ name: 'registry' }],
    command: ['python', '-m', 'foresail_models.train', '--config', '/etc/foresail/train.json'],
    env: [{ name: 'PYTHONPYCACHEPREFIX', value: '/pyc' }],
    families: ['patch-mixer', 'linear'],
    maxNodes: 16,
    maxProcsPerNode: 4,
    cpu: { resources: RESOURCES, nodeSelector: { pool: 'train' }, tolerations: [TOLERATION] },
    gpu: {
      resourceNames: ['nvidia.com/gpu', 'nvidia.com/mig-1g.10gb'],
      runtimeClassName: 'nvidia',
      resources: RESOURCES,
      nodeSelector: { pool: 'gpu' },
      tolerations: [TOLERATION],
    },
    volumes: [
      { name: 'python', mountPath: '/opt/python', hostPath: { path: '/opt/python' } },
      { name: 'shm', mountPath: '/dev/shm', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
      { name: 'shared', mountPath: '/shared', persistentVolumeClaim: { claimName: 'shared' } },
    ],
    searchScratch: { sizeLimit: '20Gi' },
    security: { runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532 },
    schedulerName: 'volcano',
    priorityClassName: 'training',
    gate: { image: 'example.com/operator:1', resources: RESOURCES },
  },
];

const with_ = (changes: Record<string, unknown>) => ({ ...MINIMAL, ...changes });

export const EDGES: Readonly<Record<string, Record<string, unknown>>> = {
  'a GPU alone': { image: 'trainer', gpu: {} },
  'as many as there may be': with_({ maxNodes: 128, maxProcsPerNode: 16 }),
  'as few as there may be': with_({ maxNodes: 1, maxProcsPerNode: 1 }),
  'an empty folder of no kind': with_({
    volumes: [{ name: 'tmp', mountPath: '/scratch', emptyDir: {} }],
  }),
  'a path beside one of ours': with_({
    volumes: [{ name: 'tmp', mountPath: '/workspace', emptyDir: {} }],
  }),
  'a variable that only looks like one of ours': with_({ env: [{ name: 'FORESAIL', value: '' }] }),
};
