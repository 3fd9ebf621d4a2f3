/**
 * Two processes and one lease on a real API server. Who wrote when is read from its audit log: each process has a
 * user of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../e2e/cluster.ts';
import { eventually } from '../../e2e/eventually.ts';
import { systemClock } from '../clock.ts';
import { KubeClient } from '../kube/client.ts';
import { explicitConnection } from '../kube/connection.ts';
import { Transport } from '../kube/transport.ts';
import { type AuditEntry, code, isWrite, receivedAt, tailAuditLog } from '../testing/server-side.ts';
import { LEASES, type Lease } from './lease.ts';
import type { KubeObject, ResourceRef } from './types.ts';

const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: true };
const SCRIPT = fileURLToPath(new URL('../testing/leader-process.ts', import.meta.url));
const signal = new AbortController().signal;

/** test.concurrent does not wait for beforeAll. */
const started = Promise.withResolvers<void>();
const ready = started.promise;
let cluster: Cluster;
let admin: KubeClient;
let transport: Transport;
const children: ChildProcess[] = [];

beforeAll(async () => {
  cluster = await startCluster({ identities: { 'plain-1': [], 'plain-2': [] } });
  transport = new Transport(
    explicitConnection({ server: cluster.url, token: cluster.adminToken, tls: { ca: cluster.caData } }),
    { clock: systemClock },
  );
  admin = new KubeClient(transport);
  started.resolve();
}, 600_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await transport?.close();
  await cluster?.stop();
});

interface Candidate {
  readonly user: string;
  readonly words: readonly string[];
  readonly exited: Promise<number | null>;
  kill(how: NodeJS.Signals): void;
}

/** A candidate for the lease `name`, which counts in the ConfigMap `name`. */
function candidate(user: string, name: string): Candidate {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', SCRIPT, cluster.kubeconfigs[user]!, 'default', name, name],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  const words: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => words.push(...text.trim().split('\n')));
  return {
    user,
    words,
    exited: new Promise((resolve) => {
      child.once('exit', (exitCode) => resolve(exitCode));
    }),
    kill: (how) => child.kill(how),
  };
}

async function counter(name: string): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name } };
  await admin.create(CONFIG_MAPS, object, signal);
}

const says = (who: Candidate, word: string, limitMs = 30_000) =>
  eventually(`${who.user} says ${word}`, () => Promise.resolve(who.words.includes(word)), limitMs);

const lease = (name: string) => admin.get<Lease>(LEASES, { namespace: 'default', name }, signal);

/** What `user` wrote of `name`, lease and counter, that the server accepted. */
const writesOf = (entries: readonly AuditEntry[], user: string, name: string) =>
  entries.filter(
    (entry) =>
      isWrite(entry) && code(entry) < 300 && entry.user.username === user && entry.objectRef?.name === name,
  );
const counts = (entry: AuditEntry) => entry.objectRef?.resource === 'configmaps';

test.concurrent('a leader that is frozen for 20 s writes nothing when it wakes up, and exits; the other had taken over', async () => {
  await ready;
  const name = 'frozen';
  await counter(name);
  const audit = await tailAuditLog(cluster.auditLogPath);
  const first = candidate('test-1', name);
  await says(first, 'leading');
  const second = candidate('test-2', name);
  await says(second, 'ready');
  await systemClock.sleep(3_000);
  first.kill('SIGSTOP');
  const frozenAt = Date.now();
  await says(second, 'leading', 30_000);
  await systemClock.sleep(Math.max(0, frozenAt + 20_000 - Date.now()));
  first.kill('SIGCONT');
  const thawedAt = Date.now();
  expect(await first.exited).toBe(1);
  expect(first.words).toContain('lost');
  await systemClock.sleep(3_000);
  second.kill('SIGTERM');
  expect(await second.exited).toBe(0);

  const entries = await audit.read();
  const ex = writesOf(entries, 'test-1', name);
  const heir = writesOf(entries, 'test-2', name);
  expect(ex.filter(counts).length).toBeGreaterThan(10);
  expect(heir.filter(counts).length).toBeGreaterThan(10);
  const takenOverAt = Math.min(...heir.map(receivedAt));
  // Not before its time, and soon after it: two looks of up to 2.4 s lie around the lease of 15 s.
  expect(takenOverAt - Math.max(...ex.map(receivedAt))).toBeGreaterThan(10_000);
  expect(takenOverAt - frozenAt).toBeLessThan(25_000);
  expect(ex.filter((entry) => receivedAt(entry) >= takenOverAt)).toEqual([]);
  // It did not even try: no request that writes left the process after it woke up.
  const tries = entries.filter(
    (entry) =>
      entry.user.username === 'test-1' && isWrite(entry) && counts(entry) && receivedAt(entry) > thawedAt,
  );
  expect(tries).toEqual([]);
}, 120_000);

test.concurrent('a stolen lease stops its leader at the next renewal; a released one is taken over within seconds', async () => {
  await ready;
  const name = 'stolen';
  await counter(name);
  const audit = await tailAuditLog(cluster.auditLogPath);
  const first = candidate('test-3', name);
  await says(first, 'leading');
  await systemClock.sleep(1_000);
  const spec = { holderIdentity: 'thief', renewTime: '2026-01-01T00:00:00.000000Z' };
  await admin.mergePatch(LEASES, { namespace: 'default', name }, { spec }, {}, signal);
  const stolenAt = Date.now();
  expect(await first.exited).toBe(1);
  const late = writesOf(await audit.read(), 'test-3', name).filter(
    (entry) => receivedAt(entry) > stolenAt + 6_000,
  );
  expect(late).toEqual([]);

  const second = candidate('test-3', name);
  await says(second, 'leading'); // after the thief's time, since it renews nothing
  const third = candidate('test-4', name);
  await says(third, 'ready');
  await systemClock.sleep(500);
  second.kill('SIGTERM');
  expect(await second.exited).toBe(0);
  await says(third, 'leading', 10_000);
  expect((await lease(name)).spec).toMatchObject({
    holderIdentity: expect.stringMatching(/^leader-process-/),
  });

  // Deleted under its leader: made anew, and nobody else gets in between.
  const before = (await lease(name)).metadata.uid;
  await admin.delete(LEASES, { namespace: 'default', name }, {}, signal);
  await eventually('the lease is back', async () => (await lease(name)).metadata.uid !== before);
  expect(third.words).toEqual(['ready', 'leading']);
  third.kill('SIGTERM');
  expect(await third.exited).toBe(0);
  const entries = await audit.read();
  const last = Math.max(...writesOf(entries, 'test-3', name).map(receivedAt));
  const next = Math.min(...writesOf(entries, 'test-4', name).map(receivedAt));
  expect(next).toBeGreaterThan(last);
}, 120_000);

test.concurrent('a leader whose rights on the lease are taken away stops at its deadline', async () => {
  await ready;
  const name = 'revoked';
  await counter(name);
  const metadata = { namespace: 'default', name };
  const rules = [
    { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
  ];
  const roles: ResourceRef = { ...RBAC, plural: 'roles' };
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules };
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: RBAC.group, kind: 'Role', name },
    subjects: [{ apiGroup: RBAC.group, kind: 'User', name: 'plain-1' }],
  };
  await admin.create<KubeObject>(roles, role, signal);
  await admin.create<KubeObject>({ ...RBAC, plural: 'rolebindings' }, binding, signal);
  const audit = await tailAuditLog(cluster.auditLogPath);
  const first = candidate('plain-1', name);
  await says(first, 'leading');
  await systemClock.sleep(2_500);
  await admin.mergePatch(roles, metadata, { rules: [rules[0]] }, {}, signal);
  const revokedAt = Date.now();
  expect(await first.exited).toBe(1);
  const entries = await audit.read();
  const counted = writesOf(entries, 'plain-1', name).filter(counts).map(receivedAt);
  // It may go on until its deadline of 10 s, for the lease is still its own; not a moment longer.
  expect(Math.max(...counted) - revokedAt).toBeLessThan(10_500);
  const refused = entries.filter(
    (entry) =>
      entry.user.username === 'plain-1' && entry.objectRef?.resource === 'leases' && code(entry) === 403,
  );
  expect(refused.length).toBeGreaterThanOrEqual(2);
  expect(refused.length).toBeLessThan(20);
}, 120_000);
