/**
 * The requests that go to the metrics APIs and what is made of their answers. The reader here is scripted, since
 * faults are injected; metric-sources.cluster.test.ts reads through a real API server.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { MetricSpec } from '../../api/predictivescaler/metrics.ts';
import { ForesailError } from '../../errors.ts';
import type { MetricReading, Observation } from '../../observation.ts';
import { createMetricSources, type MetricSourcesOptions } from '../registry.ts';
import { never } from '../testing/requests.ts';
import { selectorText } from './path.ts';

const averageValue = { type: 'AverageValue' as const, averageValue: '10' };
const selector = {
  matchLabels: { queue: 'mail' },
  matchExpressions: [{ key: 'env', operator: 'In' as const, values: ['b', 'a'] }],
};
const metrics = {
  cpu: { type: 'Resource', resource: { name: 'cpu', target: averageValue } },
  container: {
    type: 'ContainerResource',
    containerResource: { name: 'cpu', container: 'app', target: averageValue },
  },
  pods: { type: 'Pods', pods: { metric: { name: 'rps', selector }, target: averageValue } },
  object: {
    type: 'Object',
    object: {
      describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' },
      metric: { name: 'hits', selector },
      target: averageValue,
    },
  },
  namespace: {
    type: 'Object',
    object: {
      describedObject: { kind: 'Namespace', name: 'other' },
      metric: { name: 'hits' },
      target: averageValue,
    },
  },
  external: { type: 'External', external: { metric: { name: 'queue_len', selector }, target: averageValue } },
} as const satisfies Record<string, MetricSpec>;

type Answers = (path: string) => unknown;
const group = {
  preferredVersion: { version: 'v1beta2' },
  versions: [{ version: 'v1beta2' }, { version: 'v1beta1' }],
};

function sourcesWith(answers: Answers, options: Partial<MetricSourcesOptions> = {}) {
  const asked: string[] = [];
  const sources = createMetricSources({
    api: {
      getJson: async (path) => {
        asked.push(path);
        await new Promise((resolve) => setImmediate(resolve));
        const answer =
          path === '/apis/custom.metrics.k8s.io' && answers(path) === undefined ? group : answers(path);
        if (answer instanceof ForesailError) throw answer;
        return answer;
      },
    },
    kinds: {
      resolve: (apiVersion, kind) =>
        kind === 'Ingress' && apiVersion === 'networking.k8s.io/v1'
          ? Promise.resolve({ ref: { group: 'networking.k8s.io', plural: 'ingresses' } })
          : Promise.reject(new ForesailError('KUBE_UNKNOWN_KIND', 'transient', 'no such kind')),
    },
    prometheusServers: [],
    apiServers: () => [],
    ...options,
  });
  const read = (metric: MetricSpec, podSelector = 'app=web') =>
    sources.read({ namespace: 'shop', metric, podSelector }, never());
  return { asked, sources, read };
}

const now = () => new Date().toISOString();
const pod = (name: string, containers: Record<string, Record<string, unknown>>, more: object = {}) => ({
  metadata: { name },
  timestamp: now(),
  window: '10.5s',
  containers: Object.entries(containers).map(([container, usage]) => ({ name: container, usage })),
  ...more,
});
const samples = (observation: Observation<MetricReading>): Record<string, number> =>
  observation.kind === 'value' && observation.value.form === 'perPod'
    ? Object.fromEntries([...observation.value.samples].map(([name, { milli }]) => [name, milli]))
    : {};

describe('the requests are those of HPA', () => {
  const labels = 'env+in+%28a%2Cb%29%2Cqueue%3Dmail';
  const rows: readonly (readonly [keyof typeof metrics, string])[] = [
    ['cpu', '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb'],
    ['container', '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb'],
    [
      'pods',
      `/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/rps?labelSelector=app%3Dweb&metricLabelSelector=${labels}`,
    ],
    [
      'object',
      `/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/ingresses.networking.k8s.io/front/hits?metricLabelSelector=${labels}`,
    ],
    ['namespace', '/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/hits'],
    ['external', `/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue_len?labelSelector=${labels}`],
  ];
  test.each(rows)('%s', async (metric, path) => {
    const { asked, read } = sourcesWith((at) =>
      at === '/apis/custom.metrics.k8s.io' ? undefined : { items: [] },
    );
    expect(await read(metrics[metric])).toMatchObject({ kind: 'unknown', reason: 'NoData' });
    expect(asked.at(-1)).toBe(path);
  });

  test('custom metrics are asked in the version that the adapter serves, and again when it is gone', async () => {
    let served = 'v1beta1';
    const { asked, read } = sourcesWith((path) => {
      if (path === '/apis/custom.metrics.k8s.io')
        return { preferredVersion: { version: 'v2' }, versions: [{ version: served }] };
      if (!path.includes(served)) return new ForesailError('KUBE_NOT_FOUND', 'terminal', 'gone');
      return { items: [{ describedObject: { name: 'p' }, value: '1', timestamp: now() }] };
    });
    expect(await read(metrics.pods)).toMatchObject({ kind: 'value' });
    expect(await read(metrics.pods)).toMatchObject({ kind: 'value' });
    served = 'v1beta2';
    expect(await read(metrics.pods)).toMatchObject({ kind: 'unknown' });
    expect(await read(metrics.pods)).toMatchObject({ kind: 'value' });
    expect(asked.filter((path) => path === '/apis/custom.metrics.k8s.io')).toHaveLength(2);
  });

  test('one path is asked once by all who ask at once', async () => {
    const { asked, read } = sourcesWith(() => ({ items: [pod('a', { app: { cpu: '1', memory: '1' } })] }));
    const memory = { type: 'Resource', resource: { name: 'memory', target: averageValue } } as const;
    const all = await Promise.all(
      [metrics.cpu, metrics.cpu, memory, metrics.container].map((metric) => read(metric)),
    );
    expect(all.map(({ kind }) => kind)).toEqual(['value', 'value', 'value', 'value']);
    expect(asked).toHaveLength(1);
  });

  test.each(['a/b', '..', 'a%2fb', '.'])(
    'a metric called %s is refused before it becomes a path',
    async (name) => {
      const { asked, read } = sourcesWith(() => ({ items: [] }));
      expect(
        await read({ type: 'External', external: { metric: { name }, target: averageValue } }),
      ).toMatchObject({ reason: 'BadQuery' });
      expect(asked).toHaveLength(0);
    },
  );
});

describe('pods', () => {
  test('have the sum of their containers, or no sample when one of them has none', async () => {
    const { read } = sourcesWith(() => ({
      items: [
        pod('whole', { app: { cpu: '100m', memory: '1Gi' }, side: { cpu: '1' } }),
        pod('partly', { app: { cpu: '100m' }, side: { memory: '1Gi' } }),
        pod('bare', {}),
        pod('small', { app: { cpu: '1u' } }),
      ],
    }));
    const observation = await read(metrics.cpu);
    expect(samples(observation)).toEqual({ whole: 1100, small: 1 });
    expect(observation).toMatchObject({ value: { form: 'perPod' } });
    if (observation.kind === 'value' && observation.value.form === 'perPod')
      expect(observation.value.samples.get('whole')).toMatchObject({ windowMs: 10_500 });
  });

  test('are read by container, and a pod without it has no sample as in HPA', async () => {
    const items = [
      pod('a', { app: { cpu: '100m' }, side: { cpu: '5' } }),
      pod('b', { app: { memory: '1' } }),
    ];
    const { read } = sourcesWith(() => ({ items }));
    expect(samples(await read(metrics.container))).toEqual({ a: 100 });
    items.push(pod('c', { other: { cpu: '1' } }));
    expect(samples(await read(metrics.container))).toEqual({ a: 100 });
  });

  test('have a custom metric with its window, a minute when there is none', async () => {
    const item = (name: string, more: object) => ({
      describedObject: { name },
      timestamp: now(),
      value: '1500m',
      ...more,
    });
    const { read } = sourcesWith((path) =>
      path === '/apis/custom.metrics.k8s.io'
        ? undefined
        : { items: [item('a', { windowSeconds: 30 }), item('b', {})] },
    );
    const observation = await read(metrics.pods);
    expect(samples(observation)).toEqual({ a: 1500, b: 1500 });
    if (observation.kind === 'value' && observation.value.form === 'perPod')
      expect([...observation.value.samples.values()].map(({ windowMs }) => windowMs)).toEqual([
        30_000, 60_000,
      ]);
  });
});

describe('totals', () => {
  const external = (...values: readonly unknown[]) => ({
    items: values.map((value) => ({ value, timestamp: now() })),
  });

  test('of an external metric are the sum of its series', async () => {
    const { read } = sourcesWith(() => external('1500m', '2', 3));
    expect(await read(metrics.external)).toMatchObject({ value: { form: 'total', milli: 6500, series: 3 } });
  });

  test('of an object are its one value', async () => {
    const items = [{ describedObject: { name: 'front' }, value: '7', timestamp: now() }];
    const { read } = sourcesWith((path) => (path === '/apis/custom.metrics.k8s.io' ? undefined : { items }));
    expect(await read(metrics.object)).toMatchObject({ value: { form: 'total', milli: 7000, series: 1 } });
    items.push(...items);
    expect(await read(metrics.object)).toMatchObject({ reason: 'BadAnswer' });
  });

  test('of an object whose kind is not served are unknown', async () => {
    const { read } = sourcesWith(() => undefined);
    const object = {
      ...metrics.object.object,
      describedObject: { apiVersion: 'v9', kind: 'Ghost', name: 'x' },
    };
    expect(await read({ type: 'Object', object })).toMatchObject({ reason: 'BadQuery' });
  });

  const at = (timestamp: unknown) => ({ items: [{ value: '1', timestamp }] });
  const bad: readonly (readonly [string, unknown, string])[] = [
    ['NaN', external('NaN'), 'NotANumber'],
    ['text', external('many'), 'NotANumber'],
    ['nothing', external(undefined), 'BadAnswer'],
    ['negative', external('5', '-1'), 'NotANumber'],
    ['beyond 64 bits', external('1e308'), 'NotANumber'],
    ['an hour old', at(new Date(Date.now() - 3_600_000).toISOString()), 'Stale'],
    ['from the future', at(new Date(Date.now() + 3_600_000).toISOString()), 'FromTheFuture'],
    ['without a readable time', at('yesterday'), 'BadAnswer'],
    ['a string', 'hello', 'BadAnswer'],
    ['null', null, 'BadAnswer'],
    ['a list of numbers', { items: [1] }, 'BadAnswer'],
    ['items that are no list', { items: {} }, 'BadAnswer'],
  ];
  test.each(bad)('that are %s are unknown', async (_, answer, reason) => {
    const { read } = sourcesWith(() => answer);
    expect(await read(metrics.external)).toMatchObject({ kind: 'unknown', reason });
  });

  test('without a time are taken as of now', async () => {
    for (const timestamp of [null, undefined, '0001-01-01T00:00:00Z'])
      expect(await sourcesWith(() => at(timestamp)).read(metrics.external)).toMatchObject({ kind: 'value' });
  });
});

describe('an API that answers', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['KUBE_UNAUTHORIZED', 'Unauthorized'],
    ['KUBE_FORBIDDEN', 'Unauthorized'],
    ['KUBE_NOT_FOUND', 'NoData'],
    ['KUBE_TOO_MANY_REQUESTS', 'Overloaded'],
    ['KUBE_UNAVAILABLE', 'Unreachable'],
    ['KUBE_UNREACHABLE', 'Unreachable'],
    ['KUBE_TIMEOUT', 'Timeout'],
    ['KUBE_TOO_LARGE', 'TooLarge'],
    ['KUBE_BAD_ANSWER', 'BadAnswer'],
    ['SOMETHING_NEW', 'Unreachable'],
  ];
  test.each(rows)('%s is %s, without the text of the adapter', async (code, reason) => {
    const { read } = sourcesWith(() => new ForesailError(code, 'transient', 'text-of-the-adapter'));
    const observation = await read(metrics.external);
    expect(observation).toMatchObject({ kind: 'unknown', reason });
    expect(JSON.stringify(observation)).not.toContain('text-of-the-adapter');
  });

  test('not at all ends at the deadline, also when the reader does not listen to its signal', async () => {
    const { sources } = sourcesWith(() => undefined, {
      api: { getJson: () => new Promise(() => {}) },
      metricsApiLimits: { timeoutMs: 50, maxSampleAgeMs: 300_000, maxClockSkewMs: 30_000 },
    });
    const request = { namespace: 'shop', podSelector: '', metric: metrics.external };
    expect(await sources.read(request, never())).toMatchObject({ reason: 'Timeout' });
  });

  test('not at all delays no other API, and after a while costs nothing', async () => {
    let asked = 0;
    const { sources } = sourcesWith(() => undefined, {
      api: {
        getJson: (path) => {
          if (path.includes('metrics.k8s.io/v1beta1/namespaces/shop/pods'))
            return Promise.resolve({ items: [pod('a', { app: { cpu: '1' } })] });
          asked += 1;
          return new Promise(() => {});
        },
      },
      metricsApiLimits: { timeoutMs: 300, maxSampleAgeMs: 300_000, maxClockSkewMs: 30_000 },
      breaker: { threshold: 5, firstPauseMs: 600_000, longestPauseMs: 600_000 },
    });
    const readAs = (namespace: string, metric: MetricSpec) =>
      sources.read({ namespace, podSelector: '', metric }, never());
    const named = (index: number): MetricSpec => ({
      type: 'External',
      external: { metric: { name: `m${index}` }, target: averageValue },
    });
    const stuck = Array.from({ length: 500 }, (_, index) => readAs('shop', named(index)));
    const cpu = await Promise.race([readAs('shop', metrics.cpu), Promise.race(stuck)]);
    expect(cpu).toMatchObject({ kind: 'value' });
    await Promise.all(stuck);
    const before = asked;
    expect(await readAs('shop', named(0))).toMatchObject({ reason: 'Timeout' });
    expect(asked).toBe(before);
  });

  test('custom metrics with 404 at its root is not installed', async () => {
    const { read } = sourcesWith(() => new ForesailError('KUBE_NOT_FOUND', 'terminal', 'x'));
    expect(await read(metrics.pods)).toMatchObject({ reason: 'NotConfigured' });
  });
});

test('any JSON is an observation', async () => {
  const names = [
    'items',
    'metadata',
    'name',
    'value',
    'timestamp',
    'window',
    'containers',
    'usage',
    'cpu',
    'describedObject',
    '__proto__',
    'constructor',
    'versions',
  ];
  const leaf = fc.oneof(
    fc.constantFrom(null, '1', 'NaN', '-5', '2026-01-01T00:00:00Z', '1e999', 'app'),
    fc.double(),
    fc.boolean(),
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 6, depthSize: 'medium' },
      leaf,
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie('json'), { maxKeys: 5 }),
      fc.record({
        items: fc.array(fc.dictionary(fc.constantFrom(...names), tie('json'), { maxKeys: 6 }), {
          maxLength: 3,
        }),
      }),
    ),
  }));
  let unexpected: unknown;
  await fc.assert(
    fc.asyncProperty(json, fc.constantFrom(...Object.values(metrics)), async (answer, metric) => {
      const { read } = sourcesWith(() => answer, {
        unexpected: (error) => {
          unexpected = error;
        },
      });
      const observation = await read(metric);
      if (observation.kind === 'value' && observation.value.form === 'total')
        expect(observation.value.milli).toBeGreaterThanOrEqual(0);
      expect(unexpected).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

test('a selector reads as Kubernetes writes it', () => {
  expect(selectorText(undefined)).toBe('');
  expect(selectorText({ matchLabels: {} })).toBe('');
  expect(
    selectorText({
      matchLabels: { z: '1', a: '' },
      matchExpressions: [
        { key: 'm', operator: 'NotIn', values: ['y', 'x'] },
        { key: 'b', operator: 'Exists' },
        { key: 'c', operator: 'DoesNotExist' },
        { key: 'd', operator: 'In', values: ['v'] },
      ],
    }),
  ).toBe('a=,b,!c,d in (v),m notin (x,y),z=1');
});
