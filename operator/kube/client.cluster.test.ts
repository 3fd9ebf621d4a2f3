/** The client against a real API server of its own; what counts is read from the server's audit log and sockets. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../e2e/cluster.ts';
import { systemClock } from '../clock.ts';
import { isForesailError } from '../errors.ts';
import { code, peersOf, receivedAt, tailAuditLog } from '../testing/server-side.ts';
import { KubeClient } from './client.ts';
import { explicitConnection, loadConnection } from './connection.ts';
import { CachedDiscovery } from './discovery.ts';
import { ResourceInformer } from './informer.ts';
import { Transport } from './transport.ts';
import type { KubeObject, ResourceRef } from './types.ts';

const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
const FLOW_GROUP = { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', namespaced: false };
const FLOW_SCHEMAS: ResourceRef = { ...FLOW_GROUP, plural: 'flowschemas' };
const PRIORITY_LEVELS: ResourceRef = { ...FLOW_GROUP, plural: 'prioritylevelconfigurations' };
const CRDS: ResourceRef = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

let cluster: Cluster;
let admin: KubeClient;
const transports: Transport[] = [];
const signal = new AbortController().signal;

function clientWithToken(token: string | undefined): KubeClient {
  const tls = { ca: cluster.caData };
  const connection = explicitConnection({
    server: cluster.url,
    tls,
    ...(token === undefined ? {} : { token }),
  });
  const transport = new Transport(connection, { clock: systemClock });
  transports.push(transport);
  return new KubeClient(transport, { qps: 5_000, burst: 5_000 });
}

beforeAll(async () => {
  cluster = await startCluster();
  const transport = new Transport(await loadConnection({ kubeconfig: cluster.kubeconfigPath }), {
    clock: systemClock,
  });
  transports.push(transport);
  admin = new KubeClient(transport, { qps: 5_000, burst: 5_000 });
}, 600_000);

afterAll(async () => {
  for (const transport of transports) await transport.close();
  await cluster?.stop();
});

const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'default', name },
  data,
});

test('2,000 calls use at most eight connections, and they are kept', async () => {
  await admin.create(CONFIG_MAPS, configMap('often'), signal);
  const before = await peersOf(cluster.url);
  const ours = async () => [...(await peersOf(cluster.url))].filter((port) => !before.has(port));
  const client = clientWithToken(cluster.adminToken);
  const audit = await tailAuditLog(cluster.auditLogPath);
  const burst = () =>
    Promise.all(
      Array.from({ length: 1_000 }, () =>
        client.get(CONFIG_MAPS, { namespace: 'default', name: 'often' }, signal),
      ),
    );
  await burst();
  const first = await ours();
  await burst();
  const second = await ours();
  expect(first.length).toBeGreaterThan(0);
  expect(first.length).toBeLessThanOrEqual(8);
  expect(new Set(second)).toEqual(new Set(first));
  const seen = (await audit.read()).filter(({ objectRef }) => objectRef?.name === 'often');
  expect(seen).toHaveLength(2_000);
}, 60_000);

describe('errors have a code', () => {
  const key = { namespace: 'default', name: 'errors' };
  let version = '';
  beforeAll(async () => {
    const made = await admin.create(CONFIG_MAPS, configMap('errors'), signal);
    version = made.metadata.namespace === 'default' ? (made as KubeObject).metadata.resourceVersion! : '';
    await admin.mergePatch(CONFIG_MAPS, key, { data: { moved: 'on' } }, {}, signal);
  });

  test.each([
    ['absent', () => admin.get(CONFIG_MAPS, { ...key, name: 'absent' }, signal), 'KUBE_NOT_FOUND'],
    ['made twice', () => admin.create(CONFIG_MAPS, configMap('errors'), signal), 'KUBE_ALREADY_EXISTS'],
    [
      'patched against an old version',
      () => admin.mergePatch(CONFIG_MAPS, key, { data: { a: 'b' } }, { resourceVersion: version }, signal),
      'KUBE_CONFLICT',
    ],
    [
      'replaced against an old version',
      () =>
        admin.update(
          CONFIG_MAPS,
          { ...configMap('errors'), metadata: { ...key, resourceVersion: version } },
          signal,
        ),
      'KUBE_CONFLICT',
    ],
    [
      'deleted with a wrong uid',
      () => admin.delete(CONFIG_MAPS, key, { uid: 'other' }, signal),
      'KUBE_CONFLICT',
    ],
    [
      'written with an unknown field',
      () => admin.mergePatch(CONFIG_MAPS, key, { dada: {} }, {}, signal),
      'KUBE_INVALID',
    ],
    [
      'asked for by nobody',
      () => clientWithToken(cluster.tokens['nobody']).get(CONFIG_MAPS, key, signal),
      'KUBE_FORBIDDEN',
    ],
    [
      'asked for with a wrong token',
      () => clientWithToken('wrong').get(CONFIG_MAPS, key, signal),
      'KUBE_UNAUTHORIZED',
    ],
    [
      'asked for without a token',
      () => clientWithToken(undefined).get(CONFIG_MAPS, key, signal),
      'KUBE_UNAUTHORIZED',
    ],
  ])('%s', async (_, call, expected) => {
    await expect(call()).rejects.toMatchObject({ code: expected });
  });

  test('an invalid object names its field', async () => {
    const patch = { metadata: { labels: { '!': 'x' } } };
    await expect(admin.mergePatch(CONFIG_MAPS, key, patch, {}, signal)).rejects.toMatchObject({
      code: 'KUBE_INVALID',
      subject: 'metadata.labels',
    });
  });

  test('a server that is not there is unreachable, and one with another CA is not trusted', async () => {
    const nowhere = new KubeClient(
      new Transport(explicitConnection({ server: 'https://127.0.0.1:1' }), { clock: systemClock }),
    );
    await expect(nowhere.get(CONFIG_MAPS, key, signal)).rejects.toMatchObject({ code: 'KUBE_UNREACHABLE' });
    const transport = new Transport(explicitConnection({ server: cluster.url, token: cluster.adminToken }), {
      clock: systemClock,
    });
    transports.push(transport);
    await expect(new KubeClient(transport).get(CONFIG_MAPS, key, signal)).rejects.toMatchObject({
      code: 'KUBE_UNREACHABLE',
      message: expect.stringMatching(/certificate|CERT|SIGNATURE/i),
    });
  });
});

describe('any kind', () => {
  const TILLS: ResourceRef = { group: 'test.foresail.io', version: 'v1', plural: 'tills', namespaced: true };
  const key = { namespace: 'default', name: 'front' };

  beforeAll(async () => {
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'tills.test.foresail.io' },
      spec: {
        group: TILLS.group,
        scope: 'Namespaced',
        names: { plural: 'tills', singular: 'till', kind: 'Till', listKind: 'TillList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema,
            subresources: {
              status: {},
              scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
            },
          },
        ],
      },
    };
    const discovery = new CachedDiscovery(admin);
    await expect(discovery.resolve('test.foresail.io/v1', 'Till', signal)).rejects.toMatchObject({
      code: 'KUBE_UNKNOWN_KIND',
    });
    await admin.create(CRDS, crd, signal);
    for (;;) {
      // A kind that was missing is found without a restart.
      const info = await discovery.resolve('test.foresail.io/v1', 'Till', signal).catch(() => undefined);
      if (info === undefined) await systemClock.sleep(500);
      else {
        expect(info).toEqual({ ref: TILLS, kind: 'Till', scalable: true });
        break;
      }
    }
  }, 60_000);

  test('is created, scaled, given a status by patch and by apply, listed in pages and deleted', async () => {
    const till = {
      apiVersion: 'test.foresail.io/v1',
      kind: 'Till',
      metadata: key,
      spec: { replicas: 1, unknown: { kept: true } },
    };
    await admin.create(TILLS, till, signal);
    const scale = await admin.getScale(TILLS, key, signal);
    expect(scale.spec.replicas).toBe(1);
    await admin.patchScale(TILLS, key, 3, { resourceVersion: scale.metadata.resourceVersion! }, signal);
    await expect(
      admin.patchScale(TILLS, key, 9, { resourceVersion: scale.metadata.resourceVersion! }, signal),
    ).rejects.toMatchObject({ code: 'KUBE_CONFLICT' });
    await admin.patchStatus(TILLS, key, { replicas: 2, note: 'patched' }, {}, signal);
    const applied = {
      apiVersion: 'test.foresail.io/v1',
      kind: 'Till',
      metadata: key,
      status: { applied: 'yes' },
    };
    await admin.applyStatus(TILLS, applied, 'foresail', signal);
    expect(await admin.get(TILLS, key, signal)).toMatchObject({
      spec: { replicas: 3, unknown: { kept: true } },
      status: { replicas: 2, note: 'patched', applied: 'yes' },
    });
    await admin.create(TILLS, { ...till, metadata: { ...key, name: 'back' } }, signal);
    const page = await admin.list(TILLS, { namespace: 'default', limit: 1 }, signal);
    const rest = await admin.list(
      TILLS,
      { namespace: 'default', limit: 1, continue: page.continue! },
      signal,
    );
    expect([page, rest].flatMap(({ items }) => items.map(({ metadata }) => metadata.name))).toEqual([
      'back',
      'front',
    ]);
    await admin.delete(TILLS, key, {}, signal);
    await expect(admin.get(TILLS, key, signal)).rejects.toMatchObject({ code: 'KUBE_NOT_FOUND' });
  });
});

test('reviews say who a token belongs to and what its owner may do', async () => {
  expect(await admin.reviewToken(cluster.tokens['nobody']!, [], signal)).toMatchObject({
    authenticated: true,
    user: { username: 'nobody' },
  });
  expect(await admin.reviewToken('wrong', [], signal)).toMatchObject({ authenticated: false });
  const metrics = { nonResourceAttributes: { path: '/metrics', verb: 'get' } };
  expect(await admin.reviewAccess({ user: 'nobody', ...metrics }, signal)).toBe(false);
  expect(await admin.reviewAccess({ user: 'x', groups: ['system:masters'], ...metrics }, signal)).toBe(true);
});

/**
 * A webhook that takes its time: a request that waits for it keeps its seat in the priority level. Resolves with a
 * function that lets all through.
 */
async function slowWebhook(): Promise<() => Promise<void>> {
  const gate = Promise.withResolvers<void>();
  const [cert, key] = await Promise.all([readFile(cluster.serving.cert), readFile(cluster.serving.key)]);
  const server = createServer({ cert, key }, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const { uid } = (JSON.parse(text) as { request: { uid: string } }).request;
      const review = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid, allowed: true },
      };
      void (async () => {
        await gate.promise;
        response.end(JSON.stringify(review));
      })();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const webhook = {
    name: 'slow.test.foresail.io',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 30,
    clientConfig: {
      url: `https://localhost:${port}/`,
      caBundle: Buffer.from(cluster.caData).toString('base64'),
    },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
    matchConditions: [{ name: 'slow', expression: "object.metadata.name.startsWith('slow')" }],
  };
  await admin.create(
    {
      group: 'admissionregistration.k8s.io',
      version: 'v1',
      plural: 'validatingwebhookconfigurations',
      namespaced: false,
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'slow' },
      webhooks: [webhook],
    } as KubeObject,
    signal,
  );
  return async () => {
    gate.resolve();
    server.closeIdleConnections();
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 500).unref();
    });
  };
}

describe('429 from a priority level whose only seat is taken', () => {
  const apf = { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', metadata: { name: 'jail' } };
  const rbac = 'rbac.authorization.k8s.io';

  beforeAll(async () => {
    const limited = {
      nominalConcurrencyShares: 0,
      lendablePercent: 0,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Reject' },
    };
    const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] };
    const level = { ...apf, kind: 'PriorityLevelConfiguration', spec: { type: 'Limited', limited } };
    const schema = {
      ...apf,
      kind: 'FlowSchema',
      spec: {
        priorityLevelConfiguration: { name: 'jail' },
        matchingPrecedence: 2,
        rules: [{ subjects: [{ kind: 'User', user: { name: 'nobody' } }], resourceRules: [everything] }],
      },
    };
    const binding = {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'nobody' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', name: 'nobody', apiGroup: rbac }],
    };
    const bindings = { group: rbac, version: 'v1', plural: 'clusterrolebindings', namespaced: false };
    await admin.create(bindings, binding, signal);
    await admin.create(PRIORITY_LEVELS, level, signal);
    await admin.create(FLOW_SCHEMAS, schema, signal);
  });

  test('calls and informers wait as long as they are told, and go on by themselves', async () => {
    const client = clientWithToken(cluster.tokens['nobody']);
    const key = { namespace: 'default', name: 'errors' };
    const letThrough = await slowWebhook();
    const abort = AbortSignal.timeout(40_000);
    const impatient = new KubeClient(transports.at(-1)!, { deadlineMs: 900 });
    const seats: Promise<unknown>[] = [];
    try {
      // The API server takes up new levels and webhooks within a moment; until then the seat is not kept.
      for (let i = 0; ; i += 1) {
        seats.push(client.create(CONFIG_MAPS, configMap(`slow-${i}`), abort).catch(() => undefined));
        await systemClock.sleep(200, abort);
        const answer: unknown = await impatient.get(CONFIG_MAPS, key, abort).catch((error: unknown) => error);
        if (isForesailError(answer, 'KUBE_TOO_MANY_REQUESTS')) break;
      }
      const audit = await tailAuditLog(cluster.auditLogPath);
      const informer = new ResourceInformer<KubeObject>(client, {
        ref: CONFIG_MAPS,
        namespace: 'kube-system',
      });
      const stop = new AbortController();
      const run = informer.run(stop.signal);
      const call = client.get(CONFIG_MAPS, key, abort);
      await systemClock.sleep(3_500);
      expect(informer.hasSynced).toBe(false);
      await letThrough();
      expect(await call).toMatchObject({ metadata: { name: 'errors' } });
      await informer.waitForSync(abort);
      stop.abort(new Error('test over'));
      await run;

      const entries = (await audit.read()).filter(({ user }) => user.username === 'nobody');
      for (const verb of ['get', 'watch']) {
        const tries = entries.filter((entry) => entry.verb === verb);
        const refused = tries.filter((entry) => code(entry) === 429);
        expect(refused.length).toBeGreaterThanOrEqual(2);
        // The server said one second each time.
        for (const [i, entry] of tries.entries())
          if (i > 0 && code(tries[i - 1]!) === 429)
            expect(receivedAt(entry) - receivedAt(tries[i - 1]!)).toBeGreaterThanOrEqual(990);
      }
      expect(entries.some((entry) => entry.verb === 'get' && code(entry) === 200)).toBe(true);
    } finally {
      await letThrough();
      await Promise.all(seats);
    }
  }, 60_000);
});
