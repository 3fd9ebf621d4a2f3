/**
 * Killed at each write of a whole life (train, fail, suspend, resume, gate, register; one that searches first, with a
 * worker that fails; and one whose gate finds no room, twice), before the server has it and after:
 * whoever goes on ends where an undisturbed one does, with one gang at a time and nothing left over.
 */
import { expect, test } from '@jest/globals';
import { type CrashPoint, type Life, live } from '../testing/crash-sweep.ts';
import { NAME, Stage } from './testing/stage.ts';

const MINUTES_4 = 240_000;

const TRAINS: Life<Stage> = [
  () => undefined,
  (stage) => stage.exit(`${NAME}-${stage.status.attempt?.number}-1`, 1),
  (stage) => stage.change({ suspend: true }),
  (stage) => stage.change({ suspend: false }),
  (stage) => stage.trained(),
  (stage) => stage.judged(),
];

const WAITS_FOR_ROOM: Life<Stage> = [
  () => undefined,
  (stage) => stage.trained(),
  (stage) => stage.exit(`${NAME}-gate-0`, 74, { error: { code: 'ARTIFACT_NO_SPACE', message: 'no space' } }),
  (stage) => stage.exit(`${NAME}-gate-0`, 74, { error: { code: 'ARTIFACT_NO_SPACE', message: 'no space' } }),
  (stage) => stage.judged(),
];

const SEARCHES: Life<Stage> = [
  () => undefined,
  (stage) => stage.exit(stage.running('search', 1), 1),
  (stage) => {
    for (const index of [0, 1]) stage.exit(stage.running('search', index), 0);
  },
  (stage) => stage.trained(),
  (stage) => stage.judged(),
];

const [starts, fails, ...rest] = SEARCHES;
const SEARCHES_HELD: Life<Stage> = [
  starts!,
  fails!,
  (stage) => stage.change({ suspend: true }),
  (stage) => stage.change({ suspend: false }),
  ...rest,
];

async function lived(life: Life<Stage>, spec: object, point: CrashPoint) {
  const stage = new Stage({ workers: { nodes: 2 }, ...spec });
  const writes = await live(stage, life, point, comeToRest, expectAlone);
  const { phase, restarts, producedVersion, gate, gateWait } = stage.status;
  const { cutOff: _, ...causes } = restarts ?? {};
  return {
    writes,
    end: {
      phase,
      causes,
      version: producedVersion?.version,
      verdict: gate?.verdict,
      waits: gateWait?.count,
      // The number of the last attempt is another where a start was cut off.
      jobs: stage.names('jobs').length,
      running: stage.pods.filter(({ status }) => status.phase === 'Running').length,
      versions: (JSON.parse(stage.index ?? '{}') as { versions?: unknown[] }).versions?.length,
      events: stage.events.filter((event) => event.includes('RunCompleted')).length > 0,
    },
    stage,
  };
}

async function comeToRest(stage: Stage): Promise<void> {
  await stage.settle();
  await stage.after(MINUTES_4);
  // What waits for its turn has had it then.
  await stage.after(MINUTES_4);
}

function expectAlone(stage: Stage): void {
  // The gate's pod is of no attempt.
  const gangs = stage.pods
    .filter(({ status }) => status.phase === 'Running')
    .flatMap(({ metadata }) => metadata.labels?.['foresail.io/training-attempt'] ?? []);
  expect(new Set(gangs).size).toBeLessThanOrEqual(1);
}

test.each([
  ['trains', TRAINS, {}, { causes: { error: 1, suspended: 1 }, jobs: 2 }, 25],
  [
    'searches first',
    SEARCHES,
    { search: { trials: 6, parallelism: 2 } },
    { causes: { error: 1 }, jobs: 2 },
    20,
  ],
  [
    'searches by a database and is held in between',
    SEARCHES_HELD,
    {
      search: {
        trials: 6,
        parallelism: 2,
        storage: { rdb: { urlSecretRef: { name: 'search', key: 'url' } } },
      },
    },
    { causes: { error: 1, suspended: 1 }, jobs: 2 },
    25,
  ],
  ['finds its gate’s volume full', WAITS_FOR_ROOM, {}, { causes: {}, jobs: 2, waits: 2 }, 18],
] as const)(
  'every crash of one that %s ends where none would, and deletion leaves nothing',
  async (_, life, spec, wanted, least) => {
    const { writes, end } = await lived(life, spec, { at: 0, when: 'before' });
    expect(end).toEqual({
      phase: 'Complete',
      ...wanted,
      version: 1,
      verdict: 'Pass',
      running: 0,
      versions: 1,
      events: true,
    });
    expect(writes).toBeGreaterThan(least);
    for (let at = 1; at <= writes; at += 1)
      for (const when of ['before', 'after'] as const) {
        // oxlint-disable-next-line no-await-in-loop -- one life after the other
        const { end: same, stage } = await lived(life, spec, { at, when });
        // An event is told after its status was written; a process may end between the two.
        expect([at, when, { ...same, events: true }]).toEqual([at, when, end]);
        stage.api.drop('trainingjobs', stage.object as never);
        for (let i = 0; i < 5; i += 1) stage.cluster();
        expect(['jobs', 'secrets', 'services', 'pods'].flatMap((plural) => stage.names(plural))).toEqual([]);
      }
  },
  120_000,
);
