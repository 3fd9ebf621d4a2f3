/**
 * The sources against the real thing: a Prometheus with history from blocks, killed and frozen, and the three metrics
 * APIs behind a real API server's aggregation layer.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { binary, ensureBinaries } from '../../e2e/binaries.ts';
import { type Cluster, startCluster } from '../../e2e/cluster.ts';
import { eventually } from '../../e2e/eventually.ts';
import { registerMetricsServer } from '../../e2e/metrics-api/register.ts';
import { type Fault, type MetricsServer, startMetricsServer } from '../../e2e/metrics-api/server.ts';
import type { MetricSpec } from '../api/predictivescaler/metrics.ts';
import { systemClock } from '../clock.ts';
import { KubeClient } from '../kube/client.ts';
import { explicitConnection } from '../kube/connection.ts';
import { CachedDiscovery } from '../kube/discovery.ts';
import { Transport } from '../kube/transport.ts';
import { enforceLabelIn } from './promql/enforce.ts';
import { PromqlError } from './promql/tokens.ts';
import { createMetricSources, type MetricSourcesOptions } from './registry.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from './testing/requests.ts';

const MINUTE = 60_000;
/** Two weeks of minutes, ended an hour ago. */
const POINTS = 20_160;
const LAST = Math.floor(Date.now() / MINUTE) * MINUTE - 3_600_000;
const FIRST = LAST - (POINTS - 1) * MINUTE;

const exec = promisify(execFile);
let folder = '';
let cluster: Cluster;
let target: Server;
let exposition = '';
let transport: Transport;

/** Two pods: one counts minutes, the other has always 1 and was away for the first day. */
async function writeHistory(): Promise<string> {
  const lines = ['# TYPE history_load gauge'];
  for (let index = 0; index < POINTS; index += 1) {
    const at = (FIRST + index * MINUTE) / 1000;
    lines.push(`history_load{namespace="shop",pod="a"} ${index} ${at}`);
  }
  for (let index = 1440; index < POINTS; index += 1) {
    const at = (FIRST + index * MINUTE) / 1000;
    lines.push(`history_load{namespace="shop",pod="b"} 1 ${at}`);
  }
  await writeFile(join(folder, 'history.om'), `${lines.join('\n')}\n# EOF\n`);
  const data = join(folder, 'data');
  const promtool = binary(await ensureBinaries(['prometheus']), 'promtool');
  await exec(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'history.om'), data]);
  await exec('chmod', ['755', folder]);
  return data;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-metricsources-'));
  const dataDir = await writeHistory();
  target = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4').end(exposition);
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const { port } = target.address() as AddressInfo;
  cluster = await startCluster({ prometheus: { dataDir, targets: [`127.0.0.1:${port}`] } });
  const connection = explicitConnection({
    server: cluster.url,
    token: cluster.adminToken,
    tls: { ca: cluster.caData },
  });
  transport = new Transport(connection, { clock: systemClock });
}, 180_000);

afterAll(async () => {
  await transport?.close();
  target?.closeAllConnections();
  target?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Every vector selector in a syntax tree as Prometheus writes it. */
function selectorsIn(node: unknown): { matchers: unknown[] }[] {
  if (typeof node !== 'object' || node === null) return [];
  const below = Object.values(node).flatMap(selectorsIn);
  return 'matchers' in node ? [...below, node as { matchers: unknown[] }] : below;
}

const prometheus = (more: object = {}) => serverEntry(cluster.prometheusUrl ?? '', more);

/** What the target shows from now on, once Prometheus has seen it. */
async function expose(text: string, seen: string): Promise<void> {
  exposition = text;
  await using sources = sourcesFor([prometheus({ freshnessProbe: false })]);
  await eventually(`${seen} is scraped`, async () => {
    // On a whole second too, which is where subqueries look.
    const query = `max_over_time(${seen}[1m:1s])`;
    const observation = await sources.read(prometheusRequest(query), never());
    return observation.kind === 'value';
  });
}

describe('a back-fill', () => {
  test('brings more points than one query may hold, each of them right', async () => {
    await using sources = sourcesFor([prometheus({ backfill: { chunkPoints: 11_000 } })]);
    const result = await sources.backfill(prometheusRequest('history_load'), FIRST, LAST, MINUTE, never());
    expect(result).toMatchObject({ kind: 'value', at: LAST, value: { startMs: FIRST, stepMs: MINUTE } });
    if (result.kind !== 'value') return;
    const { values } = result.value;
    expect(values).toHaveLength(POINTS);
    const wrong = values.findIndex((value, index) => value !== index + (index >= 1440 ? 1 : 0));
    expect(wrong).toBe(-1);
  });

  test('has gaps before the first sample and after the last', async () => {
    await using sources = sourcesFor([prometheus()]);
    const [from, to] = [FIRST - 60 * MINUTE, LAST + 30 * MINUTE];
    const result = await sources.backfill(prometheusRequest('history_load'), from, to, MINUTE, never());
    if (result.kind !== 'value') throw new Error(result.message);
    const { values } = result.value;
    expect(values.subarray(0, 60).every(Number.isNaN)).toBe(true);
    expect(values[60]).toBe(0);
    // Prometheus looks back five minutes; beyond that nothing is made up.
    expect(values.subarray(60 + POINTS + 5).every(Number.isNaN)).toBe(true);
  });

  test('of another namespace is empty where the label is enforced', async () => {
    const entry = prometheus({ enforcedNamespaceLabel: 'namespace', allowedNamespaces: undefined });
    await using sources = sourcesFor([entry]);
    const ask = (namespace: string) =>
      sources.backfill(
        prometheusRequest('sum(history_load)', 'default', namespace),
        FIRST,
        LAST,
        MINUTE,
        never(),
      );
    expect(await ask('shop')).toMatchObject({ kind: 'value' });
    expect(await ask('bank')).toMatchObject({ kind: 'unknown', reason: 'NoData' });
  });
});

describe('a query', () => {
  beforeAll(async () => {
    const lines = ['shop', 'bank'].flatMap((namespace, index) => [
      `live_load{namespace="${namespace}",pod="a"} ${index + 1}`,
      `live_load{namespace="${namespace}",pod="b"} ${10 * (index + 1)}`,
    ]);
    await expose(`${lines.join('\n')}\n`, 'live_load');
  }, 60_000);

  test('is answered by the sum of its series', async () => {
    await using sources = sourcesFor([prometheus()]);
    expect(await sources.read(prometheusRequest('live_load'), never())).toMatchObject({
      kind: 'value',
      value: { milli: 33_000, series: 4, newestSampleAt: expect.any(Number) },
    });
  });

  const unknowns: readonly (readonly [string, string])[] = [
    ['no_such_metric', 'NoData'],
    ['live_load / 0 - live_load / 0', 'NotANumber'],
    ['live_load / 0', 'NotANumber'],
    ['-live_load', 'NotANumber'],
    ['live_load * 1e308', 'NotANumber'],
    ['live_load[5m]', 'BadQuery'],
    ['"text"', 'BadAnswer'],
    ['live_load +', 'BadQuery'],
    ['no_such_function(live_load)', 'BadQuery'],
    ['live_load + on (namespace) live_load', 'BadQuery'],
    ['quantile(1.5, live_load)', 'Partial'],
  ];
  test.each(unknowns)('%s is %s', async (query, reason) => {
    await using sources = sourcesFor([prometheus()]);
    expect(await sources.read(prometheusRequest(query), never())).toMatchObject({ kind: 'unknown', reason });
  });

  const tied: readonly (readonly [string, number])[] = [
    ['sum(live_load)', 11],
    ['{__name__="live_load"}', 11],
    ['{"live_load"}', 11],
    ['live_load{namespace=~".*"}', 11],
    ['live_load{pod="}"} or live_load', 11],
    ['live_load # {namespace="bank"}\n', 11],
    ['sum by (namespace) (live_load{pod="a"}) * on (namespace) group_left (pod) live_load{pod="b"}', 10],
    ['sum(max_over_time(live_load[1m:1s]))', 11],
    ['scalar(sum(live_load)) + 0 * vector(1) + 0x10', 27],
    ['sum(label_replace(live_load, "namespace", "bank", "", ""))', 11],
    ['count(count_values("v", live_load))', 2],
    ['sum(avg_over_time(live_load[ 5s ] offset 0s))', 11],
    ['sum(live_load @ end()) ', 11],
    ['topk(scalar(count(live_load)), live_load)', 11],
    ['- - sum(live_load) > bool 1h', 0],
    ['sum(sum_over_time(live_load{pod="a"}[1s:1s])) unless live_load{namespace="bank"}', 1],
  ];
  test.each(tied)('%s sees its own namespace alone', async (query, expected) => {
    const entry = prometheus({ enforcedNamespaceLabel: 'namespace', allowedNamespaces: undefined });
    await using sources = sourcesFor([entry]);
    const observation = await sources.read(prometheusRequest(query, 'default', 'shop'), never());
    expect(observation).toMatchObject({ kind: 'value', value: { milli: expected * 1000 } });
  });

  test('for another namespace finds nothing there', async () => {
    const entry = prometheus({ enforcedNamespaceLabel: 'namespace', allowedNamespaces: undefined });
    await using sources = sourcesFor([entry]);
    const request = prometheusRequest('live_load{namespace="bank"}', 'default', 'shop');
    expect(await sources.read(request, never())).toMatchObject({ reason: 'NoData' });
  });

  test('spoilt in any way is tied in the eyes of Prometheus’ own parser, or refused', async () => {
    const noise = fc.constantFrom(
      ...'"\'`{}()[]#\n\r\\,=~!:@ x5'.split(''),
      ' by ',
      ' or ',
      'bank',
      'info(',
      'offset',
    );
    const edit = fc.tuple(fc.nat(), fc.nat(4), noise);
    const spoilt = fc
      .tuple(fc.constantFrom(...tied.map(([query]) => query)), fc.array(edit, { minLength: 1, maxLength: 3 }))
      .map(([query, edits]) =>
        edits.reduce((text, [at, drop, insert]) => {
          const place = at % (text.length + 1);
          return text.slice(0, place) + insert + text.slice(place + drop);
        }, query),
      );
    const url = new URL('/api/v1/parse_query', cluster.prometheusUrl);
    let [sent, understood] = [0, 0];
    await fc.assert(
      fc.asyncProperty(spoilt, async (query) => {
        let rewritten: string;
        try {
          rewritten = enforceLabelIn(query, { label: 'tied', value: 'here' });
        } catch (error) {
          expect(error).toBeInstanceOf(PromqlError);
          return;
        }
        sent += 1;
        const response = await fetch(url, {
          method: 'POST',
          body: new URLSearchParams({ query: rewritten }),
        });
        const body = (await response.json()) as { status: string; data: unknown };
        if (body.status !== 'success') return;
        understood += 1;
        for (const selector of selectorsIn(body.data))
          expect(selector.matchers).toContainEqual({ name: 'tied', type: '=', value: 'here' });
      }),
      { numRuns: 5000 },
    );
    // Enough got through on both sides for the test to mean something.
    expect(sent).toBeGreaterThan(300);
    expect(understood).toBeGreaterThan(150);
  }, 60_000);

  test('reads the same to Prometheus after the rewriting as before', async () => {
    const queries = [
      ...tied.map(([query]) => query),
      'sum without (pod) (rate(live_load{pod!="x"}[1h30m])) / ignoring (pod) group_right live_load',
      'histogram_quantile(0.9, sum by (le) (rate(live_load[5m]))) and on () vector(1) or absent(live_load)',
      "label_join(live_load, 'a', '\\'', `b`, \"c\") atan2 live_load ^ 2 % 3",
      'quantile_over_time(0.5, live_load[5m:30s] @ start() offset -1m)',
    ];
    const url = new URL('/api/v1/format_query', cluster.prometheusUrl);
    const format = async (query: string) => {
      const response = await fetch(url, { method: 'POST', body: new URLSearchParams({ query }) });
      const body = (await response.json()) as { status: string; data: string; error?: string };
      return body.status === 'success' ? body.data : `${body.error} in ${query}`;
    };
    for (const query of queries) {
      const rewritten = await format(enforceLabelIn(query, { label: 'tied', value: 'here' }));
      expect(rewritten.match(/tied="here"/g)?.length).toBeGreaterThan(0);
      const stripped = rewritten.replaceAll(/,?tied="here"/g, '').replaceAll('{}', '');
      expect(stripped.replaceAll(/\s+/g, ' ').trim()).toBe(
        (await format(query)).replaceAll('{}', '').replaceAll(/\s+/g, ' '),
      );
    }
  });
});

test('a series whose samples are old is stale, although Prometheus still gives its value', async () => {
  const oldMs = Date.now() - 2 * MINUTE;
  await expose(`old_load 5 ${oldMs}\nyoung_load 5\n`, 'old_load');
  await using sources = sourcesFor([prometheus({ maxSampleAge: '1m' })]);
  expect(await sources.read(prometheusRequest('sum(old_load)'), never())).toMatchObject({ reason: 'Stale' });
  expect(await sources.read(prometheusRequest('old_load + young_load'), never())).toMatchObject({
    reason: 'Stale',
  });
  expect(await sources.read(prometheusRequest('young_load or old_load'), never())).toMatchObject({
    kind: 'value',
  });
  await using patient = sourcesFor([prometheus({ maxSampleAge: '10m' })]);
  expect(await patient.read(prometheusRequest('sum(old_load)'), never())).toMatchObject({
    kind: 'value',
    value: { newestSampleAt: oldMs },
  });
}, 60_000);

describe('Prometheus itself', () => {
  test('killed is unreachable since then, and is found again when it is back', async () => {
    await expose('up_load 5\n', 'up_load');
    const breaker = { threshold: 3, firstPauseMs: 100, longestPauseMs: 500 };
    await using sources = sourcesFor([prometheus()], { breaker });
    const read = () => sources.read(prometheusRequest('up_load'), never());
    expect(await read()).toMatchObject({ kind: 'value' });
    await cluster.process('prometheus').kill();
    const first = await read();
    expect(first).toMatchObject({ kind: 'unknown', reason: 'Unreachable' });
    const since = first.kind === 'unknown' ? first.since : 0;
    for (let i = 0; i < 10; i += 1) expect(await read()).toMatchObject({ reason: 'Unreachable', since });
    await cluster.process('prometheus').start();
    await eventually('the metric is known again', async () => (await read()).kind === 'value');
  }, 90_000);

  test('frozen costs a read its deadline and no more, then nothing', async () => {
    await using sources = sourcesFor([prometheus({ timeout: '500ms' })]);
    const read = (query: string) => sources.read(prometheusRequest(query), never());
    await cluster.process('prometheus').signal('SIGSTOP');
    try {
      const all = await Promise.all(Array.from({ length: 20 }, (_, index) => read(`up_load + ${index}`)));
      for (const observation of all) expect(observation.kind).toBe('unknown');
      expect(await read('up_load')).toMatchObject({ kind: 'unknown', reason: 'Timeout' });
    } finally {
      await cluster.process('prometheus').signal('SIGCONT');
    }
    await eventually('it is asked again', async () => (await read('up_load')).kind === 'value', 60_000);
  }, 90_000);
});

describe('the metrics APIs behind a real API server', () => {
  let metrics: MetricsServer;
  let fault: Fault | undefined;
  let nowMs: (() => number) | undefined;

  beforeAll(async () => {
    metrics = await startMetricsServer(cluster, {
      fault: (path) => (path.includes('/namespaces/') ? fault : undefined),
      now: () => (nowMs ?? Date.now)(),
    });
    await registerMetricsServer(cluster, metrics.port);
    const { state } = metrics;
    state.setExternal('default', 'queue_len', { queue: 'mail' }, '1500m');
    state.setExternal('default', 'queue_len', { queue: 'sms' }, 2);
    for (const [pod, cpu] of [
      ['web-1', '250m'],
      ['web-2', '750m'],
    ] as const) {
      state.addPod('default', pod, { app: 'web' });
      state.setPodResource('default', pod, 'app', cpu, '1Gi');
      state.setPodResource('default', pod, 'sidecar', '10m', '1Mi');
      state.setPodMetric('default', pod, 'rps', 5);
    }
    state.addPod('default', 'other-1', { app: 'other' });
    state.setPodResource('default', 'other-1', 'app', '9', '1Gi');
    const ingress = {
      resource: 'ingresses.networking.k8s.io',
      kind: 'Ingress',
      apiVersion: 'networking.k8s.io/v1',
      name: 'front',
    };
    state.setObjectMetric('default', ingress, 'hits', 70);
  }, 60_000);
  afterAll(() => metrics?.close());

  const averageValue = { type: 'AverageValue' as const, averageValue: '10' };
  const describedObject = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' };
  const external = (name: string, matchLabels = {}): MetricSpec => ({
    type: 'External',
    external: { metric: { name, selector: { matchLabels } }, target: averageValue },
  });
  const cpu: MetricSpec = { type: 'Resource', resource: { name: 'cpu', target: averageValue } };

  async function read(metric: MetricSpec, options: Partial<MetricSourcesOptions> = {}) {
    const client = new KubeClient(transport);
    const kinds = new CachedDiscovery(client);
    const sources = createMetricSources({
      api: client,
      kinds,
      prometheusServers: [],
      apiServers: () => [],
      ...options,
    });
    return await sources.read({ namespace: 'default', podSelector: 'app=web', metric }, never());
  }
  async function perPod(metric: MetricSpec): Promise<Record<string, number>> {
    const observation = await read(metric);
    if (observation.kind !== 'value' || observation.value.form !== 'perPod')
      throw new Error(JSON.stringify(observation));
    return Object.fromEntries([...observation.value.samples].map(([name, { milli }]) => [name, milli]));
  }

  test('give CPU by pod and by container, of the selected pods alone', async () => {
    expect(await perPod(cpu)).toEqual({ 'web-1': 260, 'web-2': 760 });
    const container = { name: 'cpu', container: 'app', target: averageValue };
    expect(await perPod({ type: 'ContainerResource', containerResource: container })).toEqual({
      'web-1': 250,
      'web-2': 750,
    });
  });

  test('give a metric of pods and of an object', async () => {
    expect(await perPod({ type: 'Pods', pods: { metric: { name: 'rps' }, target: averageValue } })).toEqual({
      'web-1': 5000,
      'web-2': 5000,
    });
    const object = { describedObject, metric: { name: 'hits' }, target: averageValue };
    expect(await read({ type: 'Object', object })).toMatchObject({ value: { form: 'total', milli: 70_000 } });
  });

  test('give the sum of an external metric, all of it and by label', async () => {
    expect(await read(external('queue_len'))).toMatchObject({ value: { milli: 3500, series: 2 } });
    expect(await read(external('queue_len', { queue: 'sms' }))).toMatchObject({
      value: { milli: 2000, series: 1 },
    });
  });

  test.each([
    ['a metric that is not there', external('none'), 'NoData'],
    ['pods that are not there', { ...cpu }, 'NoData'],
    [
      'an object of an unknown kind',
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'a/v1', kind: 'B', name: 'c' },
          metric: { name: 'hits' },
          target: averageValue,
        },
      },
      'BadQuery',
    ],
  ] as readonly (readonly [string, MetricSpec, string])[])('do not know %s', async (name, metric, reason) => {
    const client = new KubeClient(transport);
    const sources = createMetricSources({
      api: client,
      kinds: new CachedDiscovery(client),
      prometheusServers: [],
      apiServers: () => [],
    });
    const podSelector = name.startsWith('pods') ? 'app=none' : 'app=web';
    const observation = await sources.read({ namespace: 'default', podSelector, metric }, never());
    expect(observation).toMatchObject({ kind: 'unknown', reason });
  });

  test.each([
    ['drops the connection', { drop: true }, 'Unreachable'],
    ['fails', { status: 500, body: 'text-of-the-adapter' }, 'Unreachable'],
    ['answers HTML', { status: 200, body: '<html>text-of-the-adapter</html>' }, 'BadAnswer'],
    ['forbids', { status: 403, body: '{}' }, 'Unauthorized'],
    ['hangs', { delayMs: 3000 }, 'Timeout'],
  ] as readonly (readonly [string, Fault, string])[])('that %s are unknown', async (_, injected, reason) => {
    fault = injected;
    try {
      const timeoutMs = reason === 'Timeout' ? 1_000 : 30_000;
      const metricsApiLimits = { timeoutMs, maxSampleAgeMs: 300_000, maxClockSkewMs: 30_000 };
      const observation = await read(cpu, { metricsApiLimits });
      expect(observation).toMatchObject({ kind: 'unknown', reason });
      expect(JSON.stringify(observation)).not.toContain('text-of-the-adapter');
    } finally {
      fault = undefined;
    }
  });

  test.each([
    ['an hour old', -3_600_000, 'Stale'],
    ['from the future', 3_600_000, 'FromTheFuture'],
  ])('with samples %s are unknown', async (_, shift, reason) => {
    nowMs = () => Date.now() + shift;
    try {
      for (const metric of [cpu, external('queue_len')])
        expect(await read(metric)).toMatchObject({ kind: 'unknown', reason });
    } finally {
      nowMs = undefined;
    }
  });
});
