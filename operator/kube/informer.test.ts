/** The informer against streams that no healthy API server sends; the real one is in informer.cluster.test.ts. */
import { afterEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { systemClock } from '../clock.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../testing/fault-proxy.ts';
import { KubeClient } from './client.ts';
import { explicitConnection } from './connection.ts';
import { type InformerOptions, ResourceInformer } from './informer.ts';
import { keyOf } from './keys.ts';
import { Transport } from './transport.ts';
import type { KubeObject } from './types.ts';

const PODS = { group: '', version: 'v1', plural: 'pods', namespaced: true };

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0)) await each();
});

const pod = (name: string, version: number, extra: object = {}) => ({
  metadata: { name, namespace: 'shop', resourceVersion: String(version) },
  ...extra,
});
const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;
const added = (name: string, version: number) => line('ADDED', pod(name, version));
const deleted = (name: string, version: number) => line('DELETED', pod(name, version));
const bookmark = (version: number) => line('BOOKMARK', { metadata: { resourceVersion: String(version) } });
const end = (version: number) =>
  line('BOOKMARK', {
    metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } },
  });
const stream = (body: string | string[], after: 'end' | 'silence' | 'reset' = 'silence'): Fault => ({
  kind: 'answer',
  status: 200,
  body,
  after,
});
const status = (code: number, extra: object = {}, headers: Record<string, string> = {}): Fault => ({
  kind: 'answer',
  status: code,
  headers,
  body: JSON.stringify({ kind: 'Status', code, ...extra }),
});

interface Observed {
  readonly informer: ResourceInformer<KubeObject>;
  readonly proxy: FaultProxy;
  readonly log: string[];
  readonly restarts: string[];
  readonly garbage: string[];
  /** resourceVersion that each watch or list started from, '-' for a whole state. */
  readonly starts: () => string[];
}

/** Answers the n-th request with the n-th fault; after the last one, silence. */
async function observe(
  script: Fault[],
  options: Partial<InformerOptions<KubeObject>> = {},
): Promise<Observed> {
  const rule = (): Fault => script.shift() ?? stream([]);
  const proxy = await startFaultProxy(undefined, rule);
  const transport = new Transport(explicitConnection({ server: proxy.url }), { clock: systemClock });
  const client = new KubeClient(transport, { random: () => 0, deadlineMs: 30_000 });
  const log: string[] = [];
  const restarts: string[] = [];
  const garbage: string[] = [];
  const informer = new ResourceInformer<KubeObject>(client, {
    ref: PODS,
    random: () => 1, // halves every backoff
    observer: {
      informerRestarted: ({ reason, relist }) => restarts.push(relist ? `${reason} relist` : reason),
      informerGarbage: ({ reason }) => garbage.push(reason),
    },
    ...options,
  });
  informer.subscribe({
    onAdd: (object) => log.push(`+${object.metadata.name}@${object.metadata.resourceVersion}`),
    onUpdate: (before, after) =>
      log.push(
        `~${after.metadata.name}@${before.metadata.resourceVersion}→${after.metadata.resourceVersion}`,
      ),
    onDelete: (object) => log.push(`-${object.metadata.name}`),
  });
  const abort = new AbortController();
  const run = informer.run(abort.signal);
  cleanup.push(async () => {
    abort.abort(new Error('test over'));
    await run;
    await transport.close();
    await proxy[Symbol.asyncDispose]();
  });
  const starts = () =>
    proxy.seen.map(({ query, isWatch }) => `${isWatch ? '' : 'list '}${query.get('resourceVersion') ?? '-'}`);
  return { informer, proxy, log, restarts, garbage, starts };
}

/** A clock whose sleeps are over at once, for waits that other tests look at. */
const impatient = {
  ...systemClock,
  sleep: (_: number, signal?: AbortSignal) => systemClock.sleep(1, signal),
};

async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 45_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error('condition not met');
    await systemClock.sleep(5);
  }
}

describe('a watch-list', () => {
  test('has synced at the end of the initial events and not before', async () => {
    const { informer, log } = await observe([stream([added('a', 5), added('b', 3)])]);
    await until(() => log.length === 2);
    expect(informer.hasSynced).toBe(false);
    const second = await observe([stream([added('a', 5), added('b', 3), end(9)])]);
    await second.informer.waitForSync(AbortSignal.timeout(30_000));
    expect(second.informer.store.list().map(keyOf)).toEqual(['shop/a', 'shop/b']);
  });

  test('that is refused becomes a paged list, then a watch from its version', async () => {
    const page = (items: object[], more?: string): Fault => ({
      kind: 'answer',
      status: 200,
      body: JSON.stringify({
        metadata: { resourceVersion: '7', ...(more ? { continue: more } : {}) },
        items,
      }),
    });
    const { informer, proxy, log, starts } = await observe([
      status(422, { reason: 'Invalid', message: 'sendInitialEvents: Forbidden' }),
      page([pod('a', 1)], 'next'),
      page([pod('b', 2)]),
      stream([line('MODIFIED', pod('a', 8))]),
    ]);
    await until(() => log.length === 3);
    expect(log).toEqual(['+a@1', '+b@2', '~a@1→8']);
    expect(informer.hasSynced).toBe(true);
    expect(starts()).toEqual(['-', 'list -', 'list -', '7']);
    expect(proxy.seen[2]?.query.get('continue')).toBe('next');
  });

  test('that breaks in the middle proves nothing about what it did not name', async () => {
    const { log } = await observe([
      stream([added('a', 1), added('b', 2), end(2), line('ERROR', { code: 410, reason: 'Expired' })], 'end'),
      stream([added('a', 1)], 'reset'),
      stream([added('a', 1), added('b', 2), end(4), added('c', 5)]),
    ]);
    await until(() => log.includes('+c@5'));
    expect(log).toEqual(['+a@1', '+b@2', '+c@5']);
  });
});

describe('a watch-list that ends in the middle in good order', () => {
  test('begins anew and does not resume from the version of some object', async () => {
    const { informer, starts } = await observe([
      stream([added('a', 7)], 'end'),
      stream([added('a', 7), added('b', 2), end(9)]),
    ]);
    await informer.waitForSync(AbortSignal.timeout(30_000));
    expect(starts()).toEqual(['-', '-']);
    expect(informer.store.size).toBe(2);
  });
});

describe('a watch resumes', () => {
  test.each(['end', 'reset'] as const)(
    'from the last bookmark after its connection ends (%s)',
    async (after) => {
      const { log, starts } = await observe([
        stream([end(5), bookmark(40)], after),
        stream([added('a', 41)], after),
        stream([added('b', 50)]),
      ]);
      await until(() => log.length === 2);
      expect(starts()).toEqual(['-', '40', '41']);
      expect(log).toEqual(['+a@41', '+b@50']);
    },
  );

  test.each([
    ['429', status(429, {}, { 'retry-after': '0' }), 'KUBE_TOO_MANY_REQUESTS'],
    ['500', status(500), 'KUBE_INTERNAL'],
    ['503', status(503, {}, { 'retry-after': '0' }), 'KUBE_UNAVAILABLE'],
    ['401', status(401), 'KUBE_UNAUTHORIZED'],
    ['403', status(403), 'KUBE_FORBIDDEN'],
    ['a reset', { kind: 'reset' }, 'KUBE_UNREACHABLE'],
  ] satisfies [string, Fault, string][])('after %s at its start', async (name, fault, reason) => {
    const faults = name === '401' ? [fault, fault] : [fault]; // a 401 is tried twice
    const { log, restarts, starts } = await observe([
      stream([end(5)], 'end'),
      ...faults,
      stream([added('a', 6)]),
    ]);
    await until(() => log.length === 1);
    expect(restarts).toEqual([reason]);
    expect(starts().at(-1)).toBe('5');
  });
});

describe('failures in a row', () => {
  test('of the network never cost a new list', async () => {
    const { log, starts } = await observe(
      [
        stream([end(5)], 'end'),
        ...Array.from({ length: 12 }, (): Fault => ({ kind: 'reset' })),
        stream([added('a', 6)]),
      ],
      { clock: impatient },
    );
    await until(() => log.length === 1);
    expect(new Set(starts().slice(1))).toEqual(new Set(['5']));
  });

  test('that are bad answers make the version suspicious', async () => {
    const { log, starts } = await observe(
      [
        stream([end(5)], 'end'),
        ...Array.from({ length: 8 }, () => status(500)),
        stream([added('a', 6), end(7)]),
      ],
      { clock: impatient },
    );
    await until(() => log.length === 1);
    expect(starts()).toEqual(['-', ...Array.from({ length: 8 }, () => '5'), '-']);
  });
});

describe('410 Gone', () => {
  test.each([
    ['as an HTTP status', status(410, { reason: 'Expired' })],
    ['inside the stream', stream([line('ERROR', { kind: 'Status', code: 410, reason: 'Gone' })], 'end')],
    [
      'as a version from the future (a restored backup)',
      status(504, { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
    ],
  ])('%s: a new list, with the deletions that were missed', async (_, gone) => {
    const { log, restarts, starts } = await observe([
      stream([added('a', 1), added('b', 2), added('c', 3), end(3)], 'end'),
      gone,
      stream([line('ADDED', pod('b', 2)), added('c', 90), added('d', 91), end(95)]),
    ]);
    await until(() => log.includes('-a'));
    expect(restarts).toEqual(['KUBE_GONE relist']);
    expect(starts()).toEqual(['-', '3', '-']);
    expect(log.slice(3)).toEqual(['~c@3→90', '+d@91', '-a']);
  });
});

describe('garbage', () => {
  test.each([
    ['half a JSON line', '{"type":"ADDED","object":{"metadata":{"na\n'],
    ['an unknown type', line('RENAMED', pod('a', 9))],
    ['a line that ends with the stream', added('a', 9).slice(0, 30)],
    ['HTML', '<html>\n'],
  ])('%s is counted, restarts the stream and loses nothing', async (_, rubbish) => {
    const { log, garbage, starts } = await observe([
      stream([end(5), added('x', 6), rubbish], 'end'),
      stream([added('a', 9)]),
    ]);
    await until(() => log.length === 2);
    expect(garbage).toHaveLength(1);
    expect(starts()).toEqual(['-', '6']);
    expect(log).toEqual(['+x@6', '+a@9']);
  });

  test('an object beyond the limit is counted at each try, and read once it fits again', async () => {
    const big = line('ADDED', pod('big', 6, { data: 'x'.repeat(100_000) }));
    const { log, garbage } = await observe(
      [stream([end(5), big], 'end'), stream([big], 'end'), stream([added('big', 8)])],
      { maxLineBytes: 50_000 },
    );
    await until(() => log.length === 1);
    expect(garbage).toHaveLength(2);
    expect(log).toEqual(['+big@8']);
  });

  test('an object of 2 MB is no garbage', async () => {
    const big = line('ADDED', pod('big', 6, { data: 'x'.repeat(2_000_000) }));
    const { log, garbage } = await observe([stream([end(5), big])]);
    await until(() => log.length === 1);
    expect(garbage).toEqual([]);
  });
});

describe('silence', () => {
  test('on a watch is noticed after its lifetime, and the next one goes on from the same version', async () => {
    const { log, starts, restarts } = await observe(
      [stream([end(5)], 'end'), stream([added('a', 6)]), stream([added('b', 7)])],
      { lifetimeMs: [1_000, 1_000], graceMs: 1_000 },
    );
    await until(() => log.includes('+b@7'));
    expect(starts().slice(0, 3)).toEqual(['-', '5', '6']);
    expect(restarts[0]).toBe('KUBE_TIMEOUT');
  });

  test.each([
    ['during', [added('a', 1)]],
    ['before', []],
  ])('%s the initial state is noticed by the watchdog', async (_, told) => {
    const { informer, restarts } = await observe([stream(told), stream([added('a', 1), end(2)])], {
      silenceMs: 2_000,
    });
    await informer.waitForSync(AbortSignal.timeout(30_000));
    expect(restarts).toEqual(['KUBE_TIMEOUT relist']);
  });
});

describe('handlers', () => {
  test('that come late are told what is there; those that left hear nothing; one that throws harms nobody', async () => {
    const { informer, log } = await observe([stream([added('a', 1), end(1)]), stream([])]);
    await informer.waitForSync(AbortSignal.timeout(30_000));
    const late: string[] = [];
    informer.subscribe({
      onAdd: () => {
        throw new Error('my bug');
      },
    });
    const leave = informer.subscribe({ onAdd: (object) => late.push(keyOf(object)) });
    leave();
    expect(late).toEqual(['shop/a']);
    expect(log).toEqual(['+a@1']);
  });

  test('an unchanged object in a second list is no update', async () => {
    const { log, proxy } = await observe([
      stream([added('a', 1), end(1)], 'end'),
      status(410),
      stream([added('a', 1), end(9), added('z', 10)]),
    ]);
    await until(() => log.includes('+z@10'));
    expect(log).toEqual(['+a@1', '+z@10']);
    expect(proxy.seen).toHaveLength(3);
  });
});

test('a projection keeps memory small, and bookkeeping never gets in', async () => {
  const fat = pod('a', 1, { spec: { replicas: 3, template: 'x'.repeat(1000) } });
  Object.assign(fat.metadata, { managedFields: [1, 2, 3] });
  const { informer } = await observe([stream([line('ADDED', fat), end(1)])], {
    project: (object) =>
      ({
        metadata: object.metadata,
        replicas: (object as { spec?: { replicas?: number } }).spec?.replicas,
      }) as KubeObject,
    indexes: { replicas: (object) => [String((object as { replicas?: number }).replicas)] },
  });
  await informer.waitForSync(AbortSignal.timeout(30_000));
  expect(informer.store.byIndex('replicas', '3')).toEqual([
    { metadata: { name: 'a', namespace: 'shop', resourceVersion: '1' }, replicas: 3 },
  ]);
});

test('whatever history the streams cut apart, the cache ends where the server is', async () => {
  const change = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), remove: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.array(fc.constantFrom<'end' | 'gone'>('end', 'gone'), { minLength: 12, maxLength: 12 }),
      async (changes, endings) => {
        const server = new Map<string, number>();
        const script: Fault[] = [stream([end(1)], 'end')];
        let version = 1;
        for (const [i, { name, remove }] of changes.entries()) {
          version += 1;
          if (remove && !server.has(name)) continue;
          const event = remove
            ? deleted(name, version)
            : server.has(name)
              ? line('MODIFIED', pod(name, version))
              : added(name, version);
          if (remove) server.delete(name);
          else server.set(name, version);
          if (endings[i] === 'gone') {
            // The event itself was missed: only a new list shows its effect.
            const state = [...server].map(([each, at]) => added(each, at));
            script.push(status(410), stream([...state, end(version)], 'end'));
          } else script.push(stream([event], 'end'));
        }
        script.push(stream([added('last', version + 1)]));
        server.set('last', version + 1);
        const { informer, log } = await observe(script);
        await until(() => informer.store.get('shop/last') !== undefined);
        const cache = informer.store.list().map((o) => [o.metadata.name, Number(o.metadata.resourceVersion)]);
        expect(new Map(cache as [string, number][])).toEqual(server);
        // What handlers were told adds up to the same.
        const told = new Set<string>();
        for (const entry of log) {
          const name = entry.slice(1).split('@')[0]!;
          if (entry.startsWith('-')) told.delete(name);
          else told.add(name);
        }
        expect(told).toEqual(new Set(server.keys()));
        for (const each of cleanup.splice(0)) await each();
      },
    ),
    { numRuns: 10 },
  );
});
