/** The label on real pods: who is asked must be who leads. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../../e2e/api.ts';
import { eventually } from '../../e2e/eventually.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../e2e/shared-cluster.ts';
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { KubeClient } from '../kube/client.ts';
import { explicitConnection } from '../kube/connection.ts';
import { Transport } from '../kube/transport.ts';
import { silentLogger } from '../logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createLeaderMark, LEADER_LABEL } from './leader-mark.ts';

const cluster = sharedCluster();
let namespace: Namespace;
let transport: Transport;
let client: KubeClient;

beforeAll(async () => {
  namespace = await makeNamespace('mark');
  transport = new Transport(
    explicitConnection({ server: cluster.url, token: cluster.adminToken, tls: { ca: cluster.caData } }),
    { clock: systemClock },
  );
  client = new KubeClient(transport);
  await eventually('the namespace takes pods', () => makePod('probe'));
}, 60_000);
afterAll(async () => {
  await transport?.close();
  await namespace?.delete();
});

const pods = () => `/api/v1/namespaces/${namespace.name}/pods`;
const makePod = (name: string, labels: object = {}) =>
  request(cluster, 'POST', pods(), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { containers: [{ name: 'operator', image: 'example.invalid/operator' }], nodeName: 'none' },
  });
const marked = async () =>
  (
    await request<{ items: { metadata: { name: string } }[] }>(
      cluster,
      'GET',
      `${pods()}?labelSelector=${encodeURIComponent(`${LEADER_LABEL}=true`)}`,
    )
  ).items.map(({ metadata }) => metadata.name);
const mark = (pod: string) =>
  createLeaderMark({ client, namespace: namespace.name, pod, clock: systemClock, log: silentLogger });

test('lies on the leader alone, also after one that was killed, and goes with its end', async () => {
  await makePod('killed', { [LEADER_LABEL]: 'true' });
  await makePod('leader');
  const end = new AbortController();
  const run = mark('leader').run(end.signal);
  await eventually('one mark', async () => (await marked()).join() === 'leader');
  end.abort();
  await run;
  expect(await marked()).toEqual([]);
});

test('stays on the leader of another release', async () => {
  const instance = (name: string) => ({ 'app.kubernetes.io/instance': name });
  await makePod('theirs', { [LEADER_LABEL]: 'true', ...instance('theirs') });
  await makePod('ours-killed', { [LEADER_LABEL]: 'true', ...instance('ours') });
  await makePod('ours', instance('ours'));
  const end = new AbortController();
  const run = mark('ours').run(end.signal);
  await eventually('two marks', async () => (await marked()).sort().join() === 'ours,theirs');
  end.abort();
  await run;
  expect(await marked()).toEqual(['theirs']);
  await request(cluster, 'DELETE', `${pods()}/theirs?gracePeriodSeconds=0`);
});

test('a process without a pod leads without a mark', async () => {
  const end = new AbortController();
  await makePod('old', { [LEADER_LABEL]: 'true' });
  const run = mark('not-a-pod').run(end.signal);
  await eventually('no mark', async () => (await marked()).length === 0);
  end.abort();
  await run;
});

test('is tried again when the API server does not answer', async () => {
  await makePod('patient');
  const clock = new FakeClock();
  let fails = 2;
  // A fault that the real server cannot be made to have.
  const flaky = {
    list: ((...args: Parameters<KubeClient['list']>) =>
      fails-- > 0
        ? Promise.reject(new ForesailError('KUBE_UNAVAILABLE', 'transient', 'no answer'))
        : client.list(...args)) as KubeClient['list'],
    mergePatch: client.mergePatch.bind(client),
  };
  const end = new AbortController();
  const options = { client: flaky, namespace: namespace.name, pod: 'patient', clock, log: silentLogger };
  const run = createLeaderMark(options).run(end.signal);
  await eventually('a mark', async () => {
    await clock.advance(5_000);
    return (await marked()).join() === 'patient';
  });
  end.abort();
  await run;
});
