/** Gangs by what the cluster offers. The order of a launch and its crashes: reconciler.test.ts, crash-sweep.test.ts. */
import { expect, test } from '@jest/globals';
import { runtime } from '../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../api/index.ts';
import { MINIMAL, trainingJob } from '../../api/trainingjob/testing/full-object.ts';
import { ForesailError } from '../../errors.ts';
import { IndexedStore, type Store } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type Child, createOwnedObjects } from '../owned-objects.ts';
import { MemoryApi, type Stored } from '../testing/memory-api.ts';
import type { WatchedJob } from './informers.ts';
import { createLauncher } from './launcher.ts';
import type { Attempt } from './plan/types.ts';

const COSCHEDULED = { schedulerName: 'scheduler-plugins-scheduler' };
const PLURALS = ['trainingjobs', 'jobs', 'pods', 'services', 'secrets', 'podgroups'];

interface Setup {
  readonly spec?: Record<string, unknown>;
  readonly runtimeSpec?: Record<string, unknown>;
  readonly attempt?: Partial<Attempt>;
  /** Kinds are asked for as often. */
  readonly offers?: boolean | 'nothing is asked';
  /** What there is already. */
  readonly before?: (api: MemoryApi) => void;
}

async function launch({
  spec = {},
  runtimeSpec = COSCHEDULED,
  attempt = {},
  offers = true,
  before,
}: Setup = {}) {
  const api = new MemoryApi(
    Object.fromEntries(PLURALS.map((plural) => [plural, new IndexedStore<Stored>()])),
  );
  const workers = { nodes: 4 };
  const stored = api.put('trainingjobs', trainingJob({ ...MINIMAL, workers, ...spec }));
  before?.(api);
  const ref = { group: 'scheduling.x-k8s.io', version: 'v1alpha1', plural: 'podgroups', namespaced: true };
  let asked = 0;
  const launcher = createLauncher({
    client: api.client,
    owned: createOwnedObjects(api.client, new FakeClock()),
    jobs: api.of('jobs') as unknown as Store<WatchedJob>,
    services: api.of('services') as unknown as Store<Child>,
    ...(offers === 'nothing is asked'
      ? {}
      : {
          discovery: {
            async resolve(_: string, kind: string) {
              asked += 1;
              if (offers) return { ref, kind, scalable: false };
              throw new ForesailError('KUBE_UNKNOWN_KIND', 'transient', 'no PodGroup');
            },
          },
        }),
  });
  await launcher.launch(
    {
      run: parseTrainingJob(stored),
      runtime: parseClusterTrainingRuntime(runtime({ image: 'trainer:1', cpu: {}, ...runtimeSpec })).spec,
      attempt: { number: 2, nodes: 4, onCpu: true, createdAtMs: 0, ...attempt },
      settings: {},
    },
    new AbortController().signal,
  );
  const group = api.of('podgroups').get('shop/loadcast-2');
  return { api, asked, group, job: api.of('jobs').get('shop/loadcast-2') };
}

const LABEL = '"scheduling.x-k8s.io/pod-group":"loadcast-2"';

test('a gang gets its PodGroup before its pods may start, and the group goes with its Job', async () => {
  const { api, group, job } = await launch();
  expect(api.writes).toEqual([
    'create services/loadcast',
    'create jobs/loadcast-2',
    'create podgroups/loadcast-2',
    'create secrets/loadcast-2-token',
    'patch jobs/loadcast-2',
  ]);
  expect(group?.spec).toEqual({ minMember: 4 });
  expect(group?.metadata.ownerReferences).toMatchObject([{ kind: 'Job', uid: job?.metadata.uid }]);
  expect(JSON.stringify(job?.spec)).toContain(LABEL);
});

test('an elastic one starts with the fewest that it goes on with', async () => {
  const { group } = await launch({ spec: { workers: { nodes: 4, elastic: { minNodes: 2 } } } });
  expect(group?.spec).toEqual({ minMember: 2 });
});

test.each([
  ['podgroups', 'loadcast-2'],
  ['secrets', 'loadcast-2-token'],
])(
  'a namesake’s among the %s that is not gone yet is left alone, and the start given up',
  async (plural, name) => {
    let writes: readonly string[] = [];
    const before = (api: MemoryApi) => {
      api.put(plural, { metadata: { namespace: 'shop', name, uid: 'of another' } });
      writes = api.writes;
    };
    await expect(launch({ before })).rejects.toMatchObject({ code: 'CACHE_BEHIND' });
    expect(writes).not.toContain('patch jobs/loadcast-2');
  },
);

test.each<[string, Setup, number]>([
  ['where the cluster has no PodGroups', { offers: false }, 1],
  ['where the administrator wants none', { offers: 'nothing is asked' }, 0],
  ['for the default scheduler', { runtimeSpec: {} }, 0],
  ['for the default scheduler by its name', { runtimeSpec: { schedulerName: 'default-scheduler' } }, 0],
  ['for Volcano, which makes its own', { runtimeSpec: { schedulerName: 'volcano' } }, 0],
  ['for a pod that is alone', { attempt: { nodes: 1 } }, 0],
  ['for a search, whose workers are each worth having', { attempt: { searches: true } }, 0],
])('none is made %s', async (_, setup, asked) => {
  const made = await launch(setup);
  expect([made.group, made.asked]).toEqual([undefined, asked]);
  expect(JSON.stringify(made.job?.spec)).not.toContain('scheduling.x-k8s.io');
  expect(made.api.writes.at(-1)).toBe('patch jobs/loadcast-2');
});
