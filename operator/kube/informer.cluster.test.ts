/** The informer against a real API server of its own, which is killed, restarted, compacted and cut off. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../e2e/cluster.ts';
import { eventually } from '../../e2e/eventually.ts';
import { systemClock } from '../clock.ts';
import { type FaultProxy, startFaultProxy } from '../testing/fault-proxy.ts';
import { code, tailAuditLog } from '../testing/server-side.ts';
import { KubeClient } from './client.ts';
import { explicitConnection } from './connection.ts';
import { type InformerOptions, ResourceInformer } from './informer.ts';
import { Transport } from './transport.ts';
import type { KubeObject, ResourceRef } from './types.ts';

const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
const NAMESPACES: ResourceRef = { group: '', version: 'v1', plural: 'namespaces', namespaced: false };
const signal = new AbortController().signal;

let cluster: Cluster;
let writer: KubeClient;
const cleanup: (() => Promise<void>)[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  writer = await clientTo(cluster.url, cluster.tokens['test-1']);
}, 600_000);

afterAll(async () => {
  for (const each of cleanup.splice(0).reverse()) await each();
  await cluster?.stop();
});

async function clientTo(server: string, token: string | undefined): Promise<KubeClient> {
  const tls = { ca: cluster.caData };
  const connection = explicitConnection({ server, tls, ...(token === undefined ? {} : { token }) });
  const transport = new Transport(connection, { clock: systemClock, maxConnections: 16 });
  cleanup.push(() => transport.close());
  return new KubeClient(transport, { qps: 10_000, burst: 10_000 });
}

/** A namespace, an informer on its ConfigMaps behind a proxy, and everything that its handlers were told. */
async function scene(name: string, options: Partial<InformerOptions<KubeObject>> = {}) {
  await writer.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, signal);
  const proxy: FaultProxy = await startFaultProxy({ url: cluster.url, ca: cluster.caData });
  cleanup.push(async () => proxy[Symbol.asyncDispose]());
  const reader = await clientTo(proxy.url, cluster.tokens['test-2']);
  const restarts: string[] = [];
  const informer = new ResourceInformer<KubeObject>(reader, {
    ref: CONFIG_MAPS,
    namespace: name,
    labelSelector: 'of=test',
    observer: {
      informerRestarted: ({ reason, relist }) => restarts.push(relist ? `${reason} relist` : reason),
    },
    ...options,
  });
  /** The state that follows from what handlers were told, and what they were told that cannot be. */
  const told = new Map<string, string>();
  const impossible: string[] = [];
  informer.subscribe({
    onAdd(object) {
      if (told.has(object.metadata.name)) impossible.push(`${object.metadata.name} added twice`);
      told.set(object.metadata.name, object.metadata.resourceVersion!);
    },
    onUpdate(before, after) {
      if (told.get(after.metadata.name) !== before.metadata.resourceVersion)
        impossible.push(`${after.metadata.name} updated from a version that nobody was told of`);
      told.set(after.metadata.name, after.metadata.resourceVersion!);
    },
    onDelete(object) {
      if (!told.delete(object.metadata.name)) impossible.push(`${object.metadata.name} deleted twice`);
    },
  });
  const stop = new AbortController();
  const run = informer.run(stop.signal);
  cleanup.push(async () => {
    stop.abort(new Error('test over'));
    await run;
  });
  await informer.waitForSync(AbortSignal.timeout(30_000));
  const create = (object: string, data: Record<string, string> = {}) =>
    writer.create(
      CONFIG_MAPS,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: name, name: object, labels: { of: 'test' } },
        data,
      } as KubeObject,
      signal,
    );
  const change = (object: string, value: string) =>
    writer.mergePatch(CONFIG_MAPS, { namespace: name, name: object }, { data: { value } }, {}, signal);
  const remove = (object: string) =>
    writer.delete(CONFIG_MAPS, { namespace: name, name: object }, {}, signal);
  /** Waits until cache and handlers both agree with the server. */
  const agree = (limitMs = 30_000) =>
    eventually(
      `the cache of ${name} agrees with the server`,
      async () => {
        const items: KubeObject[] = [];
        let next: string | undefined;
        do {
          const page = await writer.list<KubeObject>(
            CONFIG_MAPS,
            {
              namespace: name,
              labelSelector: 'of=test',
              limit: 2_000,
              ...(next === undefined ? {} : { continue: next }),
            },
            signal,
          );
          items.push(...page.items);
          next = page.continue;
        } while (next !== undefined);
        const truth = state(items);
        expect(state(informer.store.list())).toEqual(truth);
        expect(told).toEqual(truth);
        expect(impossible).toEqual([]);
        return true;
      },
      limitMs,
    );
  return { proxy, informer, restarts, told, create, change, remove, agree };
}

function state(objects: readonly KubeObject[]): Map<string, string> {
  return new Map(objects.map(({ metadata }) => [metadata.name, metadata.resourceVersion!] as const));
}

const cutOff = () => ({ kind: 'reset' }) as const;

/** etcd's own compaction of all history up to now, through its gRPC gateway. */
async function compactEtcd(): Promise<void> {
  const list = await writer.list(NAMESPACES, { limit: 1 }, signal);
  const body = JSON.stringify({ revision: list.resourceVersion, physical: true });
  const socketPath = cluster.etcdUrl.replace(/^unixs?:(\/\/)?/, '');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const call = request({ socketPath, path: '/v3/kv/compaction', method: 'POST' }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    call.on('error', reject);
    call.end(body);
  });
  expect(status).toBe(200);
}

test('a watch that lives its time is resumed without a list, and bookmarks move its version on', async () => {
  const audit = await tailAuditLog(cluster.auditLogPath);
  const { create, agree, proxy, restarts } = await scene('calm', { lifetimeMs: [2_000, 2_000] });
  await create('a');
  await systemClock.sleep(5_000);
  await create('b');
  await agree();
  expect(restarts).toEqual([]);
  const starts = proxy.seen.map(({ query }) => query.get('resourceVersion'));
  expect(starts.length).toBeGreaterThanOrEqual(3);
  expect(starts.filter((version) => version === null)).toHaveLength(1);
  const asked = (await audit.read()).filter(({ user }) => user.username === 'test-2');
  expect(new Set(asked.map(({ verb }) => verb))).toEqual(new Set(['watch']));
}, 30_000);

describe('a cut connection', () => {
  test.each(['fin', 'reset'] as const)(
    '(%s) loses no event',
    async (how) => {
      const { proxy, create, change, remove, agree, restarts } = await scene(`cut-${how}`);
      await create('stays');
      await create('goes');
      await agree();
      proxy.rule = cutOff;
      expect(proxy.cutOpenConnections(how)).toBeGreaterThan(0);
      await change('stays', 'new');
      await remove('goes');
      await create('comes');
      proxy.rule = () => undefined;
      await agree();
      expect(restarts.length).toBeGreaterThan(0);
      expect(restarts.every((reason) => !reason.includes('relist'))).toBe(true);
    },
    60_000,
  );

  test('that goes silent is noticed when its lifetime is over, and loses no event', async () => {
    const { proxy, create, remove, agree, restarts } = await scene('silent', {
      lifetimeMs: [2_000, 3_000],
      graceMs: 500,
    });
    await create('a');
    await agree();
    await systemClock.sleep(3_500); // past the initial stream: from here on the server ends each watch
    expect(proxy.silenceOpenConnections()).toBeGreaterThan(0);
    await create('b');
    await remove('a');
    await agree();
    expect(restarts).toContain('KUBE_TIMEOUT');
  }, 60_000);
});

test('10,000 objects come in whole, lean, and stay true through cuts', async () => {
  const { proxy, informer, create, change, remove, agree, told } = await scene('many');
  const names = Array.from({ length: 10_000 }, (_, i) => `object-${i}`);
  const inParallel = async (list: readonly string[], work: (name: string) => Promise<unknown>) => {
    const queue = [...list];
    const worker = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) await work(name);
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  };
  await inParallel(names, (name) => create(name, { payload: name.repeat(20) }));
  await agree(60_000);
  expect(told.size).toBe(10_000);
  expect(informer.store.list().some(({ metadata }) => 'managedFields' in metadata)).toBe(false);

  // A second cache, from the whole state at once.
  const second = new ResourceInformer<KubeObject>(writer, {
    ref: CONFIG_MAPS,
    namespace: 'many',
    labelSelector: 'of=test',
    project: ({ metadata: { name, namespace, resourceVersion } }) => ({
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        resourceVersion: resourceVersion!,
      },
    }),
  });
  const stop = new AbortController();
  const run = second.run(stop.signal);
  await second.waitForSync(AbortSignal.timeout(30_000));
  expect(state(second.store.list())).toEqual(state(informer.store.list()));
  stop.abort(new Error('done'));
  await run;

  let cuts = 0;
  const cutter = setInterval(() => {
    cuts += 1;
    proxy.cutOpenConnections(cuts % 2 === 0 ? 'fin' : 'reset');
  }, 300);
  await inParallel(names.slice(0, 1_000), (name) => change(name, 'new'));
  await inParallel(names.slice(500, 1_500), remove);
  clearInterval(cutter);
  await agree(60_000);
  expect(cuts).toBeGreaterThan(0);
  expect(told.size).toBe(9_000);
}, 180_000);

describe('an API server that dies', () => {
  test('by kill -9 and comes back: what was deleted meanwhile is seen, nothing is lost', async () => {
    const { create, change, remove, agree, proxy, restarts } = await scene('killed');
    for (const name of ['a', 'b', 'c']) await create(name);
    await agree();
    await cluster.process('kube-apiserver').kill();
    await eventually('the informer notices', () => Promise.resolve(restarts.length > 0));
    proxy.rule = cutOff; // so that the changes below happen before the informer is back
    await cluster.process('kube-apiserver').start();
    await eventually('the server serves', () => remove('a').then(() => true));
    await change('b', 'new');
    await create('d');
    proxy.rule = () => undefined;
    await agree();
  }, 90_000);

  test('by an orderly restart is back without a word of ours', async () => {
    const { create, agree, informer } = await scene('restarted');
    await create('a');
    await agree();
    await cluster.process('kube-apiserver').restart();
    await eventually('the server serves', () => create('b').then(() => true));
    await agree();
    expect(informer.hasSynced).toBe(true);
  }, 90_000);
});

test('410 after compaction: a new list, the missed deletions, no event twice', async () => {
  const { proxy, create, change, remove, agree, restarts } = await scene('compacted');
  for (const name of ['a', 'b', 'c']) await create(name);
  await agree();
  proxy.rule = cutOff;
  proxy.cutOpenConnections('reset');
  await remove('a');
  for (let i = 0; i < 200; i += 1) await change('b', String(i));
  await create('d');
  await compactEtcd();
  // The API server's own cache of history would still know the old version: it goes with the process.
  await cluster.process('kube-apiserver').restart();
  await eventually('the server serves', () => create('e').then(() => true));
  const audit = await tailAuditLog(cluster.auditLogPath);
  proxy.rule = () => undefined;
  await agree();
  expect(restarts.filter((reason) => reason === 'KUBE_GONE relist')).toHaveLength(1);
  const asked = (await audit.read()).filter(({ user }) => user.username === 'test-2');
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.every((entry) => entry.verb === 'watch' && [200, 410].includes(code(entry)))).toBe(true);
}, 90_000);
