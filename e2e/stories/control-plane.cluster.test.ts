/** The API server dies, leaders die and freeze: the workload never notices, and nobody writes who must not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { code, isWrite, receivedAt } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import type { OperatorProcess } from '../operator.ts';
import type { ReplicaRecord } from './replica-record.ts';
import { SHOP, type Stage, setStage, targetWrites } from './stage.ts';

/** Each has a user of its own, so the audit log tells who wrote. */
const [FIRST, SECOND] = ['test-1', 'test-2'] as const;
const MIN = 2;
const MAX = 8;

let stage: Stage;
let first: OperatorProcess;
let second: OperatorProcess;
let record: ReplicaRecord;

beforeAll(async () => {
  stage = await setStage();
  first = await stage.operator({}, FIRST);
  stage.load.set('web', 140);
  await stage.deploy('web', { replicas: 3 });
  record = stage.record('web');
  await stage.scale('web', { minReplicas: MIN, maxReplicas: MAX });
  await stage.conditionBecomes('web', 'Ready', { status: 'True' });
  second = await stage.operator({}, SECOND);
}, 600_000);

afterAll(() => stage?.close());

const holder = async () => {
  const path = '/apis/coordination.k8s.io/v1/namespaces/foresail-system/leases/foresail-operator';
  const { spec } = await request<{ spec: { holderIdentity?: string } }>(stage.cluster, 'GET', path);
  return spec.holderIdentity;
};

const podUids = async () => {
  const path = `/api/v1/namespaces/${SHOP}/pods?labelSelector=app%3Dweb`;
  const { items } = await request<{ items: { metadata: { uid: string } }[] }>(stage.cluster, 'GET', path);
  return items.map(({ metadata }) => metadata.uid).sort();
};

type Audit = Awaited<ReturnType<Stage['audit']>>;

/** Accepted ones. A cache that is behind makes the server refuse a write by its version, and that is as it should be. */
async function writesTo(audit: Audit) {
  const writes = targetWrites(await audit.read(), 'web');
  expect(writes.map(code).filter((status) => status !== 200 && status !== 409)).toEqual([]);
  return writes.filter((entry) => code(entry) === 200);
}

/** Another one beside the leader; resolves when it watches. */
const standby = (user: string) => stage.operator({}, user);

/** The exit code; fails when the process lives on. */
async function ended(operator: OperatorProcess): Promise<number | null> {
  let code: { readonly exit: number | null } | undefined;
  void operator.exited.then((exit) => {
    code = { exit };
  });
  return (await eventually('the process ends', async () => code)).exit;
}

describe('the API server is killed', () => {
  test('and is back in seconds: my pods run on, the same leader goes on', async () => {
    const pods = await podUids();
    const audit = await stage.audit(FIRST);
    const server = stage.cluster.process('kube-apiserver');
    await server.kill();
    stage.load.set('web', 190);
    await server.start();
    await stage.replicasBecome('web', 4, 30_000);
    expect(await podUids()).toEqual(expect.arrayContaining(pods));
    await stage.looks(first, 'web', 3);
    expect(await writesTo(audit)).toHaveLength(1);
    expect(record.seen).toEqual([3, 4]);
  }, 120_000);

  test('for longer than a lease: the leader ends itself, the other goes on within 30 s of its return', async () => {
    const audits = await Promise.all([FIRST, SECOND].map((user) => stage.audit(user)));
    const server = stage.cluster.process('kube-apiserver');
    await server.kill();
    stage.load.set('web', 240);
    expect(await ended(first)).toBe(1);
    await server.start();
    await stage.replicasBecome('web', 5, 30_000);
    const [byFirst, bySecond] = await Promise.all(audits.map(writesTo));
    expect(byFirst).toEqual([]);
    expect(bySecond).toHaveLength(1);
    expect(record.seen).toEqual([3, 4, 5]);
  }, 120_000);
});

test('the leader is killed: the other takes over within 20 s and writes alone', async () => {
  const [audit, late] = await Promise.all([FIRST, SECOND].map((user) => stage.audit(user)));
  first = await standby(FIRST);
  const before = await holder();
  second.signal('SIGKILL');
  await second.exited;
  stage.load.set('web', 290);
  await stage.replicasBecome('web', 6, 60_000);
  expect(await holder()).not.toBe(before);
  expect(await writesTo(audit as Audit)).toHaveLength(1);
  expect(await writesTo(late as Audit)).toEqual([]);
}, 120_000);

test('the leader freezes for 20 s: when it thaws it writes nothing, and ends itself', async () => {
  const [audit, others] = await Promise.all([FIRST, SECOND].map((user) => stage.audit(user)));
  second = await standby(SECOND);
  first.signal('SIGSTOP');
  const frozenAt = Date.now();
  stage.load.set('web', 340);
  await stage.replicasBecome('web', 7, 60_000);
  await sleep(Math.max(0, frozenAt + 20_000 - Date.now()));
  // It would have something to write.
  stage.load.set('web', 1_000);
  first.signal('SIGCONT');
  const thawedAt = Date.now();
  expect(await ended(first)).toBe(1);
  await stage.replicasBecome('web', MAX);
  await stage.looks(second, 'web', 3);
  const tried = (await (audit as Audit).read()).filter(
    (entry) => isWrite(entry) && receivedAt(entry) > thawedAt,
  );
  expect(tried.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  expect(await writesTo(others as Audit)).toHaveLength(2);
}, 120_000);

test('through all of it every number of replicas was one that the load asked for, inside the bounds', async () => {
  stage.load.set('web', 20);
  await stage.replicasBecome('web', MIN);
  expect(record.seen).toEqual([3, 4, 5, 6, 7, MAX, MIN]);
}, 60_000);
