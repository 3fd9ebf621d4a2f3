/** What a real API server shows of a TrainingJob where nothing is trained. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { eventually } from '../../../e2e/eventually.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { TRAINING_JOB, type TrainingJob } from '../../api/index.ts';
import { installCrd, resourcePath } from '../../api/testing/server.ts';
import { MINIMAL, trainingJob } from '../../api/trainingjob/testing/full-object.ts';
import { systemClock } from '../../clock.ts';
import { ForesailError } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import { explicitConnection, KubeClient, Transport } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { createRunStatusWriter } from './status.ts';
import { createSwitchedOff, type SwitchedOffOptions } from './switched-off.ts';

const cluster = sharedCluster();
let namespace: Namespace;
let transport: Transport;
let client: KubeClient;

beforeAll(async () => {
  await installCrd(cluster);
  namespace = await makeNamespace('off');
  transport = new Transport(
    explicitConnection({ server: cluster.url, token: cluster.adminToken, tls: { ca: cluster.caData } }),
    { clock: systemClock },
  );
  client = new KubeClient(transport);
}, 60_000);
afterAll(async () => {
  await transport?.close();
  await namespace?.delete();
});

const path = (name: string) => resourcePath(namespace.name, name, TRAINING_JOB);
const make = (name: string, spec: object = {}) =>
  request(cluster, 'POST', path(''), trainingJob({ ...MINIMAL, ...spec }, name, namespace.name));
const read = (name: string) => request<TrainingJob>(cluster, 'GET', path(name));
const reasonOf = async (name: string) =>
  (await read(name)).status?.conditions?.find(({ type }) => type === 'Progressing')?.reason;

function off(discovery: SwitchedOffOptions['discovery'], clock = systemClock) {
  const watch = { client, clock, log: silentLogger, observer: {}, namespaces: [namespace.name] };
  return createSwitchedOff({ watch, discovery, statusWriter: createRunStatusWriter(client) });
}

test('old and new objects are told so, and those that are over stay as they are', async () => {
  await make('old', { schedule: '0 3 * * *' });
  await make('over');
  const over = { phase: 'Complete', conditions: [] };
  await request(cluster, 'PATCH', `${path('over')}/status`, { status: over });
  const end = new AbortController();
  const run = off({ resolve: async () => ({}) as never }).run(end.signal);
  await eventually('the old one is told', async () => (await reasonOf('old')) === 'TrainingDisabled');
  await make('new');
  await eventually('the new one is told', async () => (await reasonOf('new')) === 'TrainingDisabled');
  expect((await read('over')).status).toEqual(over);
  const table = await kubectl(cluster, ['get', 'tjob', '-n', namespace.name]);
  expect(table).toMatch(/^new +Pending/m);
  expect(table).toMatch(/^over +Complete/m);
  end.abort();
  await run;
});

test('a cluster without the kind is asked once a minute', async () => {
  const clock = new FakeClock(0);
  const end = new AbortController();
  let asked = 0;
  const resolve = async () => {
    asked += 1;
    throw new ForesailError('KUBE_UNKNOWN_KIND', 'transient', 'no TrainingJob here');
  };
  const run = off({ resolve }, clock).run(end.signal);
  const seen: number[] = [];
  for (const ms of [0, 59_999, 1, 0, 59_999, 1, 0]) {
    // oxlint-disable-next-line no-await-in-loop -- one minute after the other
    await clock.advance(ms);
    seen.push(asked);
  }
  expect(seen).toEqual([1, 1, 2, 2, 2, 3, 3]);
  end.abort();
  await run;
});
