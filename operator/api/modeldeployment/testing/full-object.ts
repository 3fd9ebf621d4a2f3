/** ModelDeployments with every field of the spec set, and on the edge of every rule. */

import { API_VERSION } from '../../schema/kind.ts';
import type { RawObject } from '../../testing/subject.ts';
import { MODEL_DEPLOYMENT } from '../kind.ts';

export const DIGEST = 'ab'.repeat(32);

export function modelDeployment(
  spec: Record<string, unknown>,
  name = 'loadcast',
  namespace = 'default',
): RawObject {
  return {
    apiVersion: API_VERSION,
    kind: MODEL_DEPLOYMENT.kind,
    metadata: { name, namespace },
    spec: structuredClone(spec),
  };
}

export const MINIMAL = { model: { storageUri: 's3://models/loadcast/7/model.onnx', sha256: DIGEST } };

const variant = { storageUri: 'gs://models/b.onnx', sha256: DIGEST };
const JUDGE = {
  margin: '0.05',
  minLabels: 200,
  maxDuration: '24h',
  onInconclusive: 'Rollback',
  onNoData: 'Rollback',
  guards: [
    { type: 'Errors' },
    {
      type: 'Prometheus',
      prometheus: {
        serverRef: { name: 'default' },
        query: 'sum(rate(bad{version="{{canary}}"}[5m]))',
        max: '5',
        min: '100m',
        interval: '30s',
        count: 10,
        failureLimit: 1,
        inconclusiveLimit: 2,
        consecutiveErrorLimit: 3,
      },
    },
  ],
};

export const FULL: readonly Record<string, unknown>[] = [
  {
    ...MINIMAL,
    task: 'generic',
    credentialsSecretRef: { name: 'store' },
    server: {
      replicas: 3,
      accelerator: 'nvidia',
      gpu: {
        resource: 'nvidia.com/mig-1g.10gb',
        count: 2,
        nodeSelector: { pool: 'gpu' },
        tolerations: [
          { key: 'nvidia.com/gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' },
          { operator: 'Exists' },
        ],
        fallbackAfter: '5m',
      },
      resources: {
        requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
        limits: { cpu: '2', memory: '2Gi', 'ephemeral-storage': '4Gi' },
      },
      batching: { maxBatchSize: 64, maxQueueDelay: '5ms' },
      latencyTarget: '50ms',
    },
    rollout: {
      steps: [
        { shadow: { percent: 50 } },
        { analysis: {} },
        { setWeight: 10 },
        { pause: { duration: '30m' } },
        { pause: {} },
      ],
      judge: JUDGE,
      progressDeadline: '5m',
      postPromotionWatch: '1h',
      paused: true,
      promote: { version: 2, step: 1 },
      abort: { version: 2 },
      retry: { version: 2 },
      undo: { version: 3, to: 1 },
    },
    abTest: { header: 'X-Variant', variants: [{ name: 'b', ...variant, weight: 20 }] },
    route: { gateway: { httpRouteName: 'models' } },
    revisionHistoryLimit: 5,
  },
  {
    model: { from: { registry: 'loadcast', alias: 'candidate' } },
    task: 'forecast',
    serviceAccountName: 'model-reader',
    server: { replicas: 1, accelerator: 'auto' },
    rollout: {
      steps: [],
      judge: {
        margin: '0.02',
        minLabels: 500,
        maxDuration: '48h',
        onInconclusive: 'Hold',
        onNoData: 'Hold',
      },
      progressDeadline: '10m',
      postPromotionWatch: '24h',
      paused: false,
    },
    abTest: { stickyHeader: 'X-User', variants: [{ name: 'b', ...variant, weight: 99 }] },
    revisionHistoryLimit: 10,
  },
];

const uri = (storageUri: string) => ({ model: { storageUri, sha256: DIGEST } });

export const EDGES: Readonly<Record<string, Record<string, unknown>>> = {
  'empty parents': { ...MINIMAL, server: {}, rollout: { judge: {} } },
  'a step without its defaults': { ...MINIMAL, rollout: { steps: [{ shadow: {} }, { pause: {} }] } },
  'equal weights one after the other': {
    ...MINIMAL,
    rollout: { steps: [{ setWeight: 0 }, { setWeight: 50 }, { setWeight: 50 }, { setWeight: 100 }] },
  },
  'a GPU of the default kind': { ...MINIMAL, server: { gpu: {} } },
  'weights that leave one per cent to stable': {
    ...MINIMAL,
    abTest: {
      header: 'X-Variant',
      variants: [
        { name: 'b', ...variant, weight: 1 },
        { name: 'c', ...variant, weight: 98 },
      ],
    },
  },
  'the longest durations': {
    ...MINIMAL,
    rollout: {
      judge: { maxDuration: '2160h' },
      progressDeadline: '24h',
      postPromotionWatch: '720h',
      steps: [{ pause: { duration: '720h' } }],
    },
    server: { latencyTarget: '1m', batching: { maxQueueDelay: '10s' }, gpu: { fallbackAfter: '24h' } },
  },
  'the shortest durations': {
    ...MINIMAL,
    rollout: {
      judge: { maxDuration: '1m' },
      progressDeadline: '10s',
      postPromotionWatch: '1m',
      steps: [{ pause: { duration: '1s' } }],
    },
    server: { latencyTarget: '1ms', batching: { maxQueueDelay: '1ms' }, gpu: { fallbackAfter: '10s' } },
  },
  gs: uri('gs://bucket/path/model.onnx'),
  https: uri('https://models.example.com:8443/a%20b/model.onnx'),
  oci: uri(`oci://registry.example.com/models/loadcast@sha256:${DIGEST}`),
  pvc: uri('pvc://claim/path/model.onnx'),
  hf: uri('hf://org/repo:rev/model.onnx'),
  file: uri('file:///models/model.onnx'),
};
