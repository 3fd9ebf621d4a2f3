/** Specs for property tests: every field, mostly valid, with the edges of each limit and now and then beyond. */
import * as fc from 'fast-check';
import { duration, int, mostly, object, optional } from '../../testing/arbitraries.ts';
import { DIGEST } from './full-object.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const storageUri = mostly(
  fc.constantFrom('s3://a/b', 'gs://a', 'https://a.b:1/c', 'oci://a/b@sha256:c', 'pvc://a/b', 'file:///a'),
  fc.constantFrom('http://a/b', 's3://a@b/c', 's3:///?x', 's3://a b', ''),
);
const sha256 = mostly(
  fc.constant<string | undefined>(DIGEST),
  fc.constantFrom(undefined, 'AB', 'a'.repeat(63)),
);
const version = object({ version: int(1, 5, 0) });

const model = mostly<Record<string, unknown>>(
  fc.oneof(object({ storageUri, sha256 }), object({ from: object({ registry: name, alias: name }) })),
  fc.oneof(fc.constant({}), object({ storageUri, sha256, from: object({ registry: name, alias: name }) })),
);

const quantity = mostly<string | number>(
  fc.constantFrom<string | number>('500m', 1, '2Gi', '0.5'),
  fc.constantFrom<string | number>(0, '-1', '10E'),
);
const amounts = object({
  cpu: optional(quantity),
  memory: optional(quantity),
  'ephemeral-storage': optional(quantity),
});
const gpu = object({
  resource: optional(
    mostly(fc.constantFrom('nvidia.com/gpu', 'nvidia.com/mig-2g.20gb.shared'), fc.constant('amd.com/gpu')),
  ),
  count: optional(int(1, 16, 17)),
  nodeSelector: optional(fc.dictionary(name, name, { maxKeys: 2 })),
  tolerations: optional(
    fc.array(
      object({
        key: optional(name),
        operator: optional(fc.constantFrom('Equal', 'Exists')),
        value: mostly(fc.constant<string | undefined>(undefined), fc.constant('x')),
        effect: optional(fc.constantFrom('NoSchedule', 'NoExecute')),
      }),
      { maxLength: 1 },
    ),
  ),
  fallbackAfter: optional(duration(['10s', '24h'], ['9s'])),
});
const server = object({
  replicas: optional(int(1, 50, 10_001)),
  accelerator: optional(fc.constantFrom('auto', 'nvidia', 'auto', 'cpu')),
  gpu: fc.option(gpu, { nil: undefined, freq: 3 }),
  resources: optional(object({ requests: optional(amounts), limits: optional(amounts) })),
  batching: optional(
    object({
      maxBatchSize: optional(int(1, 4096, 4097)),
      maxQueueDelay: optional(duration(['1ms', '10s'], ['11s'])),
    }),
  ),
  latencyTarget: optional(duration(['1ms', '50ms', '1m'], ['61s', '0s'])),
});

const step = mostly<Record<string, unknown>>(
  fc.oneof(
    object({ shadow: object({ percent: optional(int(0, 100, 101)) }) }),
    object({ pause: object({ duration: optional(duration(['1s', '720h'], ['721h', '10ms'])) }) }),
    fc.constant({ analysis: {} }),
    object({ setWeight: mostly(fc.constantFrom(30, 30, 60), fc.integer({ min: -1, max: 101 })) }),
  ),
  fc.constantFrom<Record<string, unknown>>({}, { pause: {}, analysis: {} }),
);
const sorted = fc
  .array(step, { maxLength: 5 })
  .map((steps) => steps.sort((a, b) => Number(a['setWeight'] ?? 0) - Number(b['setWeight'] ?? 0)));
const guard = fc.oneof(
  object({ type: fc.constantFrom('Errors', 'Latency', 'NaN') }),
  object({
    type: mostly(fc.constant('Prometheus'), fc.constant('NaN')),
    prometheus: object({
      serverRef: object({ name }),
      query: fc.constantFrom('up', 'sum(x)'),
      max: mostly(fc.constant<string | undefined>('5'), fc.constantFrom(undefined, '-1')),
      min: optional(fc.constant('100m')),
      interval: optional(duration(['5s', '24h'], ['4s', '25h'])),
      count: optional(int(1, 10_000, 10_001)),
      failureLimit: optional(int(0, 10_000, 10_001)),
      inconclusiveLimit: optional(int(0, 10_000, 10_001)),
      consecutiveErrorLimit: optional(int(0, 10_000, 10_001)),
    }),
  }),
);
const judge = object({
  margin: optional(mostly(fc.constantFrom('0.02', '0.0', '0.9999'), fc.constantFrom('1.0', '.1'))),
  minLabels: optional(int(1, 1_000_000, 1_000_001)),
  maxDuration: optional(duration(['1m', '2160h'], ['59s'])),
  onInconclusive: optional(fc.constantFrom('Hold', 'Promote', 'Rollback')),
  onNoData: optional(mostly(fc.constantFrom('Hold', 'Rollback'), fc.constant('Promote'))),
  guards: optional(fc.array(guard, { maxLength: 2 })),
});
const rollout = object({
  steps: optional(
    fc.oneof({ arbitrary: sorted, weight: 9 }, { arbitrary: fc.array(step, { maxLength: 3 }), weight: 1 }),
  ),
  judge: optional(judge),
  progressDeadline: optional(duration(['10s', '24h'], ['9s', '25h'])),
  postPromotionWatch: optional(duration(['1m', '720h'], ['59s'])),
  paused: optional(fc.boolean()),
  promote: optional(object({ version: int(1, 5), step: optional(int(0, 63, 64)) })),
  abort: optional(version),
  retry: optional(version),
  undo: optional(object({ version: int(1, 5), to: int(1, 5) })),
});

const variant = object({
  name: fc.constantFrom('b', 'c', 'd', 'e', 'f'),
  storageUri,
  sha256,
  weight: int(1, 30, 100),
});
const abTest = object({
  header: mostly(fc.constant<string | undefined>('X-Variant'), fc.constantFrom(undefined, 'no header')),
  stickyHeader: mostly(fc.constant<string | undefined>(undefined), fc.constant('X-User')),
  variants: fc.array(variant, { minLength: 1, maxLength: 2 }),
});

export const modelDeploymentSpec = object({
  model,
  task: optional(fc.constantFrom('forecast', 'generic')),
  credentialsSecretRef: fc.option(object({ name }), { nil: undefined, freq: 2 }),
  serviceAccountName: fc.option(name, { nil: undefined, freq: 8 }),
  server: optional(server),
  rollout: optional(rollout),
  abTest: fc.option(abTest, { nil: undefined, freq: 3 }),
  route: optional(object({ gateway: object({ httpRouteName: name }) })),
  revisionHistoryLimit: optional(int(0, 100, 101)),
});
