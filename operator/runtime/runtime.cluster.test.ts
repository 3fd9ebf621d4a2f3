/**
 * All parts together on a real API server: a controller of thirty lines that copies spec to status, tells an event, and
 * is judged by the server's audit log.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ClusterFacts } from '../../e2e/cluster.ts';
import { eventually } from '../../e2e/eventually.ts';
import { kubectl } from '../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../e2e/shared-cluster.ts';
import { systemClock } from '../clock.ts';
import { code, isWrite, tailAuditLog } from '../testing/server-side.ts';
import {
  alwaysLeading,
  createController,
  createEventRecorder,
  createManager,
  createStatusWriter,
  explicitConnection,
  fencedClient,
  informerSource,
  KubeClient,
  type KubeObject,
  parseKey,
  ResourceInformer,
  type ResourceRef,
  type StatusCondition,
  setCondition,
  Transport,
} from './index.ts';

interface Till extends KubeObject {
  readonly spec: { readonly price: number; readonly boom?: boolean };
  readonly status?: {
    readonly price?: number;
    readonly observedGeneration?: number;
    readonly conditions?: readonly StatusCondition[];
  };
}

const GROUP = 'runtime.test.foresail.io';
const TILLS: ResourceRef = { group: GROUP, version: 'v1', plural: 'tills', namespaced: true };
const CRDS: ResourceRef = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const signal = new AbortController().signal;

let cluster: ClusterFacts;
let home: Namespace;
let admin: KubeClient;
const transports: Transport[] = [];

function clientOf(user: string): KubeClient {
  const token = cluster.tokens[user]!;
  const transport = new Transport(
    explicitConnection({ server: cluster.url, token, tls: { ca: cluster.caData } }),
    {
      clock: systemClock,
    },
  );
  transports.push(transport);
  return new KubeClient(transport);
}

beforeAll(async () => {
  cluster = sharedCluster();
  home = await makeNamespace('runtime', cluster);
  admin = clientOf('admin');
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `tills.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural: 'tills', singular: 'till', kind: 'Till', listKind: 'TillList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          subresources: { status: {} },
        },
      ],
    },
  };
  await admin.create<KubeObject>(CRDS, crd, signal);
  await eventually('the kind is served', async () => {
    await admin.list(TILLS, { limit: 1 }, signal);
    return true;
  });
}, 30_000);

afterAll(async () => {
  for (const transport of transports) await transport.close();
  await home?.delete();
});

/** The operator under test, as user test-1; ends when the returned function is called. */
function startOperator(): () => Promise<void> {
  const client = fencedClient(clientOf('test-1'), alwaysLeading);
  const reader = clientOf('test-1');
  const informer = new ResourceInformer<Till>(reader, { ref: TILLS, namespace: home.name });
  const statusWriter = createStatusWriter(client);
  const events = createEventRecorder({ client, component: 'till-controller', instance: 'test' });
  const manager = createManager({ shutdownMs: 5_000 });
  manager.addInformer(informer);
  manager.addController(
    createController({
      name: 'tills',
      sources: [informerSource(informer)],
      async reconcile(key, reconcileSignal) {
        const till = informer.store.get(key);
        if (till === undefined) return {};
        if (till.spec.boom === true) throw new Error(`boom ${parseKey(key).name}`);
        const generation = till.metadata.generation ?? 0;
        const ready = { type: 'Ready', status: 'True', reason: 'PriceCopied', message: 'all well' } as const;
        const conditions = setCondition(
          till.status?.conditions ?? [],
          { ...ready, observedGeneration: generation },
          Date.now(),
        );
        const next = { price: till.spec.price, observedGeneration: generation, conditions };
        const written = await statusWriter.write(TILLS, till, next, reconcileSignal);
        if (written !== undefined) {
          const regarding = { apiVersion: `${GROUP}/v1`, kind: 'Till', metadata: till.metadata };
          events.event(regarding, 'Normal', 'PriceCopied', `price is ${till.spec.price}`, {
            'foresail.io/decision': `d-${till.spec.price}`,
          });
        }
        return { requeueAfterMs: 200 };
      },
    }),
  );
  const stop = new AbortController();
  const run = manager.run(stop.signal);
  return async () => {
    stop.abort(new Error('test over'));
    await run;
    await events.flush(AbortSignal.timeout(5_000));
  };
}

const till = (name: string, spec: Till['spec']): Till => ({
  apiVersion: `${GROUP}/v1`,
  kind: 'Till',
  metadata: { namespace: home.name, name },
  spec,
});

const settled = (name: string, price: number) =>
  eventually(`${name} shows ${price}`, async () => {
    const { status } = await admin.get<Till>(TILLS, { namespace: home.name, name }, signal);
    return status?.price === price;
  });

test('status follows spec, steady state writes nothing, and a user sees the story in kubectl describe', async () => {
  const stop = startOperator();
  await admin.create(TILLS, till('front', { price: 1 }), signal);
  await admin.create(TILLS, till('broken', { price: 1, boom: true }), signal);
  await settled('front', 1);
  for (const price of [2, 3]) {
    await admin.mergePatch(TILLS, { namespace: home.name, name: 'front' }, { spec: { price } }, {}, signal);
    await settled('front', price);
  }
  const { status } = await admin.get<Till>(TILLS, { namespace: home.name, name: 'front' }, signal);
  expect(status).toMatchObject({
    observedGeneration: 3,
    conditions: [{ type: 'Ready', observedGeneration: 3 }],
  });

  const story = await eventually('the event counts three', async () => {
    const text = await kubectl(cluster, ['-n', home.name, 'describe', `tills.${GROUP}`, 'front']);
    return /Normal\s+PriceCopied\s+.*\(x3 over .*\)\s+till-controller\s+price is 3/.test(text) && text;
  });
  expect(story).toContain('Events:');
  const events = JSON.parse(
    await kubectl(cluster, [
      '-n',
      home.name,
      'get',
      'events',
      '-o',
      'json',
      '--field-selector',
      'reason=PriceCopied',
    ]),
  ) as { items: { count: number; metadata: { annotations: object } }[] };
  expect(events.items).toMatchObject([
    { count: 3, metadata: { annotations: { 'foresail.io/decision': 'd-3' } } },
  ]);

  // Ten reconciles a second, with one object that always fails, and not one write.
  const audit = await tailAuditLog(cluster.auditLogPath);
  await systemClock.sleep(3_000);
  const writes = (await audit.read()).filter(
    (entry) => entry.objectRef?.namespace === home.name && isWrite(entry),
  );
  expect(writes).toEqual([]);

  // The broken one comes back by itself once its spec is mended.
  await admin.mergePatch(
    TILLS,
    { namespace: home.name, name: 'broken' },
    { spec: { boom: null, price: 5 } },
    {},
    signal,
  );
  await settled('broken', 5);
  await stop();
}, 60_000);

test('a storm of changes costs the controller conflicts at most, never a wrong end', async () => {
  const stop = startOperator();
  const audit = await tailAuditLog(cluster.auditLogPath);
  await admin.create(TILLS, till('busy', { price: 0 }), signal);
  for (let price = 1; price <= 100; price += 1)
    await admin.mergePatch(TILLS, { namespace: home.name, name: 'busy' }, { spec: { price } }, {}, signal);
  await settled('busy', 100);
  await stop();
  const writes = (await audit.read()).filter(
    (entry) => entry.objectRef?.namespace === home.name && entry.objectRef.subresource === 'status',
  );
  expect(writes.every((entry) => [200, 409].includes(code(entry)))).toBe(true);
  expect(writes.length).toBeLessThanOrEqual(202);
}, 60_000);
