/** Specs for property tests: every field, mostly valid, with the edges of each limit and now and then beyond. */
import * as fc from 'fast-check';
import { duration, int, mostly, object, optional } from '../../testing/arbitraries.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const secretRef = object({ name });
/** Present so seldom that the rules against it leave most specs valid. */
const seldom = <T>(value: fc.Arbitrary<T>) => mostly<T | undefined>(fc.constant(undefined), value);

const selector = object({
  matchLabels: optional(fc.dictionary(name, name, { maxKeys: 2 })),
  matchExpressions: optional(
    fc.array(
      mostly<Record<string, unknown>>(
        fc.oneof(
          object({ key: name, operator: fc.constantFrom('In', 'NotIn'), values: fc.constant(['a', 'b']) }),
          object({ key: name, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
        ),
        fc.constantFrom({ key: 'a', operator: 'In' }, { key: 'a', operator: 'Exists', values: ['b'] }),
      ),
      { maxLength: 2 },
    ),
  ),
});
const window = optional(duration(['1h', '336h', '26280h'], ['59m', '26281h']));
const sampling = optional(
  mostly(fc.constantFrom('uniform', 'error', 'uncertainty'), fc.constantFrom('none', '')),
);
const fromScalers = object({
  predictiveScalers: object({ selector: optional(selector), allNamespaces: optional(fc.boolean()) }),
  window,
  sampling,
  credentialsSecretRef: seldom(secretRef),
});
const fromStore = object({
  storageUri: mostly(
    fc.constantFrom('s3://a/b', 'gs://a', 'https://a.b:1/c', 'pvc://a/b', 'file:///a'),
    fc.constantFrom('oci://a/b', 's3://a@b/c', 's3:///?x', ''),
  ),
  credentialsSecretRef: optional(secretRef),
  window,
  sampling,
});
const data = mostly(fc.oneof({ arbitrary: fromScalers, weight: 3 }, fromStore), fc.constant({}));

const model = object({
  family: mostly(fc.constantFrom('patch-mixer', 'linear', 'gru'), fc.constantFrom('', 'Big', 'a/b')),
  hyperparameters: optional(
    fc.dictionary(
      mostly(
        fc.constantFrom('steps', 'learning_rate', 'model.width', 'model.depth', 'batch'),
        fc.constantFrom('model', 'Steps', '.', 'a..b', 'sampling'),
      ),
      mostly<unknown>(fc.constantFrom(64, '0.001', 'gelu', -1), fc.constantFrom(0.5, true)),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
});

const workers = fc.oneof(
  object({
    nodes: optional(int(4, 128, 129)),
    procsPerNode: optional(int(1, 16, 17)),
    elastic: seldom(object({ minNodes: int(1, 5, 129) })),
    accelerator: optional(fc.constantFrom('auto', 'nvidia')),
    resourceName: optional(
      mostly(fc.constantFrom('nvidia.com/gpu', 'nvidia.com/mig-2g.20gb'), fc.constant('amd.com/gpu')),
    ),
    fallbackAfter: optional(duration(['10s', '24h'], ['9s', '25h'])),
  }),
  object({
    nodes: int(4, 8),
    elastic: optional(object({ minNodes: int(1, 4, 9) })),
    accelerator: fc.constant('cpu'),
    fallbackAfter: seldom(fc.constant('1m')),
  }),
);
const search = object({
  trials: mostly(fc.constantFrom<number | undefined>(4, 10_000), fc.constantFrom(undefined, 0, 10_001)),
  maxDuration: optional(duration(['1m', '720h'], ['59s', '721h'])),
  gpuHours: optional(mostly<string | number>(fc.constantFrom('0.5', 4), fc.constantFrom(0, '-1'))),
  parallelism: optional(int(1, 4, 5)),
  storage: optional(
    mostly<object>(
      fc
        .tuple(
          name,
          mostly(fc.constantFrom('url', '.a', 'a..b', 'A_1-b.c'), fc.constantFrom('', '.', '..', 'a/b')),
        )
        .map(([secret, key]) => ({ rdb: { urlSecretRef: { name: secret, key } } })),
      fc.constantFrom({}, { rdb: {} }, { rdb: { urlSecretRef: { name: 'a' } } }),
    ),
  ),
});

const output = object({
  registry: mostly(name, fc.constantFrom('', 'A')),
  alias: optional(name),
  storageUri: mostly(
    fc.constantFrom('s3://a/b', 'gs://a', 'pvc://a/b'),
    fc.constantFrom<string | undefined>(undefined, 'https://a/b'),
  ),
  credentialsSecretRef: optional(secretRef),
});

const tracking = object({
  uri: optional(
    mostly(
      fc.constantFrom('http://mlflow:5000', 'https://a.b/c', 'http://[::1]:1/'),
      fc.constantFrom('http://a@b', 'https://a?b', 'ftp://a', 'http://:80', 'http://'),
    ),
  ),
  experiment: optional(mostly(fc.constantFrom('shop', 'a b', 'é'), fc.constantFrom('', ' a', 'a\nb'))),
  credentialsSecretRef: optional(secretRef),
});

const CRONS = ['0 3 * * 0', '*/15 1-5 * JAN,JUL MON-FRI', '59 23 31 12 7'];
const limits = {
  concurrencyPolicy: optional(fc.constantFrom('Forbid', 'Replace')),
  successfulHistoryLimit: optional(int(0, 100, 101)),
  failedHistoryLimit: optional(int(0, 100, 101)),
};
const repetition = fc.oneof(
  {
    arbitrary: object({ timeZone: seldom(fc.constant('UTC')), coolDown: seldom(fc.constant('1h')) }),
    weight: 3,
  },
  object({
    schedule: mostly(fc.constantFrom(...CRONS), fc.constantFrom('@daily', '60 3 * * 0', '0 3 * *', '')),
    timeZone: optional(mostly(fc.constantFrom('UTC', 'Asia/Tokyo'), fc.constantFrom('Mars/Base', 'Local'))),
    startingDeadlineSeconds: optional(int(10, 600)),
    jitter: optional(duration(['1s', '24h'], ['10ms', '25h'])),
    coolDown: seldom(fc.constant('1h')),
    ...limits,
  }),
  object({
    triggers: mostly<object>(
      fc.constantFrom(
        { drift: true },
        { scoreBreach: true },
        { drift: true, budget: { runs: 100, per: '1h' } },
        { scoreBreach: true, scoreBreachFactor: '1.5' },
      ),
      fc.constantFrom(
        { drift: false },
        { drift: true, scoreBreachFactor: '2' },
        { scoreBreach: true, scoreBreachFactor: '21' },
        { drift: true, budget: { runs: 101, per: '59m' } },
      ),
    ),
    coolDown: optional(duration(['1m', '8760h'], ['59s', '8761h'])),
    jitter: seldom(fc.constant('1m')),
    ...limits,
  }),
);

export const trainingJobSpec = fc
  .tuple(
    object({
      runtimeRef: optional(object({ name: optional(mostly(name, fc.constantFrom('..', 'a/b'))) })),
      data,
      model,
      seed: optional(int(0, 1000, 2 ** 31)),
      workers: optional(workers),
      search: optional(search),
      checkpoint: object({
        claimName: mostly<string | undefined>(name, fc.constantFrom(undefined, '.', 'a/b')),
        every: optional(duration(['10s', '24h'], ['9s', '25h'])),
        keep: optional(int(1, 100, 101)),
      }),
      gate: optional(
        object({
          against: optional(object({ modelDeployment: name })),
          minImprovement: optional(
            mostly(fc.constantFrom('0', '0.01', '0.9999'), fc.constantFrom('1', '.1')),
          ),
        }),
      ),
      output: optional(output),
      tracking: optional(tracking),
      queueName: optional(mostly(name, fc.constantFrom('', 'A', '-a'))),
      suspend: optional(fc.boolean()),
      backoffLimit: optional(int(0, 100, 101)),
      progressDeadline: optional(duration(['30s', '24h'], ['29s', '25h'])),
      ttlSecondsAfterFinished: optional(int(0, 1000)),
    }),
    repetition,
  )
  .map(([spec, more]) => ({ ...spec, ...more }));
