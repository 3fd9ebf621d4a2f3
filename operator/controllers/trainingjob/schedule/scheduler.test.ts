import { expect, test } from '@jest/globals';
import type { TrainingJob } from '../../../api/index.ts';
import { NAME, Stage } from '../testing/stage.ts';

const HOUR = 3_600_000;
const runsOf = (stage: Stage) => stage.names('trainingjobs').filter((name) => name !== NAME);

async function hourly(spec: Record<string, unknown> = {}): Promise<Stage> {
  const stage = new Stage({ schedule: '30 * * * *', ...spec });
  await stage.settle();
  return stage;
}

test('a schedule makes runs that are its own, and trains nothing itself', async () => {
  const stage = await hourly();
  expect(stage.status).toMatchObject({ phase: 'Scheduled', nextScheduleTime: '2026-01-02T00:30:00.000Z' });
  await stage.after(HOUR / 2);
  const [name = ''] = runsOf(stage);
  expect(name).toBe(`${NAME}-${Date.UTC(2026, 0, 2, 0, 30) / 60_000}`);
  const run = stage.api.of('trainingjobs').get(`shop/${name}`) as unknown as TrainingJob;
  expect(run.metadata).toMatchObject({
    labels: { 'foresail.io/training-job': NAME },
    annotations: { 'foresail.io/training-cause': 'Schedule' },
    ownerReferences: [{ kind: 'TrainingJob', uid: stage.object.metadata.uid, controller: true }],
  });
  expect(run.spec).toMatchObject({ model: { family: 'patch-mixer' }, output: { registry: NAME } });
  expect(run.spec).not.toHaveProperty('schedule');
  expect(run.status).toMatchObject({ phase: 'Training' });
  expect(stage.names('jobs')).toEqual([`${name}-1`]);
  expect(stage.status).toMatchObject({
    lastScheduleTime: '2026-01-02T00:30:00.000Z',
    runs: [{ name, cause: 'Schedule', phase: 'Training', startedAt: '2026-01-02T00:30:00.000Z' }],
  });
});

test('the next one is left out while one goes on, and replaces it where it may', async () => {
  const forbid = await hourly();
  await forbid.after(HOUR / 2);
  await forbid.after(HOUR);
  expect(runsOf(forbid)).toHaveLength(1);
  expect(forbid.events.filter((event) => event.includes('RunStillActive'))).toHaveLength(1);
  const replace = await hourly({ concurrencyPolicy: 'Replace' });
  await replace.after(HOUR / 2);
  const [first] = runsOf(replace);
  await replace.after(HOUR);
  expect(runsOf(replace)).toHaveLength(1);
  expect(runsOf(replace)).not.toEqual([first]);
});

test('an operator that ends at any write of it makes no run twice', async () => {
  const stage = await hourly();
  const crash = new Error('gone');
  stage.api.afterWrite = (write) => {
    if (!write.startsWith('create trainingjobs')) return;
    stage.api.afterWrite = () => undefined;
    throw crash;
  };
  await expect(stage.after(HOUR / 2)).rejects.toBe(crash);
  stage.restart();
  await stage.settle();
  expect(runsOf(stage)).toHaveLength(1);
  expect(stage.status.runs).toHaveLength(1);
});

test('a suspended schedule makes nothing, and a deleted one leaves nothing', async () => {
  const stage = await hourly();
  await stage.after(HOUR / 2);
  stage.change({ suspend: true });
  await stage.after(2 * HOUR);
  expect(runsOf(stage)).toHaveLength(1);
  expect(stage.status).toMatchObject({ phase: 'Suspended' });
  stage.api.drop('trainingjobs', stage.object as never);
  for (let i = 0; i < 5; i += 1) stage.cluster();
  expect(
    ['trainingjobs', 'jobs', 'secrets', 'services', 'pods'].flatMap((plural) => stage.names(plural)),
  ).toEqual([]);
});

function report(stage: Stage, status: 'True' | 'False', name = 'web'): void {
  const condition = { type: 'ForecastDrift', status, reason: 'ErrorsGrew', message: '' };
  stage.api.put('predictivescalers', {
    metadata: { name, namespace: 'shop', uid: name, labels: { app: name } },
    status: { conditions: [condition] },
  } as never);
}

/** The run that goes on ends as somebody deletes it. */
function remove(stage: Stage): void {
  for (const name of runsOf(stage)) stage.api.drop('trainingjobs', { metadata: { name, namespace: 'shop' } });
}

async function drifting(spec: Record<string, unknown> = {}): Promise<Stage> {
  const stage = new Stage({ triggers: { drift: true }, ...spec });
  await stage.settle();
  return stage;
}

const triggered = ({ status }: Stage) => status.conditions?.find(({ type }) => type === 'Triggered');

test('a drift starts one run, and the next one when the last is over for as long as it was asked', async () => {
  const stage = await drifting({ coolDown: '1h' });
  expect(triggered(stage)).toMatchObject({ status: 'False', reason: 'NoScalers' });
  report(stage, 'True');
  await stage.settle();
  const [first = ''] = runsOf(stage);
  expect(stage.api.of('trainingjobs').get(`shop/${first}`)?.metadata.annotations).toMatchObject({
    'foresail.io/training-cause': 'Drift',
  });
  expect(stage.status).toMatchObject({ runs: [{ name: first, cause: 'Drift', phase: 'Training' }] });
  expect(triggered(stage)).toMatchObject({ status: 'True', reason: 'Drift' });
  await stage.after(2 * HOUR);
  expect(runsOf(stage)).toEqual([first]);
  remove(stage);
  await stage.settle();
  expect(triggered(stage)).toMatchObject({ status: 'False', reason: 'CoolDown' });
  await stage.after(HOUR / 2);
  stage.restart();
  await stage.settle();
  expect(runsOf(stage)).toEqual([]);
  await stage.after(HOUR / 2);
  expect(runsOf(stage)).toHaveLength(1);
  expect(runsOf(stage)).not.toEqual([first]);
});

const spentEvents = (stage: Stage) => stage.events.filter((event) => event.includes('BudgetSpent'));

/** The run of a trigger ends in failure, after it was made and before anything else is looked at. */
async function failed(stage: Stage): Promise<void> {
  const going = stage.status.runs?.find(({ endedAt }) => endedAt === undefined)?.name ?? '';
  stage.exit(`${going}-1-0`, 78);
  await stage.settle();
}

test('a budget holds back as many runs as it says, though none of them is left, and a restart forgets none', async () => {
  const stage = await drifting({
    triggers: { drift: true, budget: { runs: 2, per: '24h' } },
    coolDown: '1h',
    failedHistoryLimit: 0,
  });
  report(stage, 'True');
  await stage.settle();
  await failed(stage);
  expect(spentEvents(stage)).toEqual([]);
  await stage.after(HOUR);
  expect(spentEvents(stage)).toHaveLength(1);
  await failed(stage);
  expect(runsOf(stage)).toEqual([]);
  expect(stage.status.triggerHistory).toEqual({
    startedAt: ['2026-01-02T01:00:00.000Z', '2026-01-02T00:00:00.000Z'],
  });
  expect(triggered(stage)).toMatchObject({
    status: 'False',
    reason: 'BudgetSpent',
    message: expect.stringContaining('2026-01-03T00:00:00.000Z'),
  });
  stage.restart();
  report(stage, 'False');
  await stage.after(10 * HOUR);
  report(stage, 'True');
  await stage.after(13 * HOUR - 1000);
  expect(runsOf(stage)).toEqual([]);
  expect(spentEvents(stage)).toHaveLength(1);
  await stage.after(1000);
  expect(runsOf(stage)).toHaveLength(1);
  expect(stage.status.triggerHistory?.startedAt).toHaveLength(3);
});

test('a budget counts runs of triggers alone', async () => {
  const stage = await drifting({
    schedule: '30 * * * *',
    triggers: { drift: true, budget: { runs: 1, per: '24h' } },
    coolDown: '1m',
  });
  await stage.after(HOUR / 2);
  await failed(stage);
  expect(stage.status.runs).toMatchObject([{ cause: 'Schedule', phase: 'Failed' }]);
  report(stage, 'True');
  await stage.after(HOUR / 60);
  expect(stage.status.runs).toMatchObject([{ cause: 'Drift' }, { cause: 'Schedule' }]);
  await failed(stage);
  await stage.after(HOUR);
  expect(stage.status.runs?.[0]).toMatchObject({ cause: 'Schedule', phase: 'Training' });
  expect(stage.status.triggerHistory?.startedAt).toHaveLength(1);
});

test.each<[string, object]>([
  [
    'of which only the newest run is known',
    { lastTrigger: { cause: 'Drift', time: '2026-01-01T00:00:00Z' } },
  ],
  ['that lost its status, beside a run of a trigger', {}],
])('a budget of one %s starts none before the window has passed', async (_, status) => {
  const stage = await drifting({
    triggers: { drift: true, budget: { runs: 3, per: '48h' } },
    coolDown: '1m',
  });
  const before = stage.api.of('trainingjobs').get(`shop/${NAME}`);
  stage.api.put('trainingjobs', { ...before, status } as never);
  stage.api.put('trainingjobs', {
    ...before,
    spec: {},
    status: { phase: 'Failed', completionTime: '2026-01-01T00:00:00Z' },
    metadata: {
      name: `${NAME}-1`,
      namespace: 'shop',
      labels: { 'foresail.io/training-job': NAME },
      annotations: { 'foresail.io/training-cause': 'Drift' },
      ownerReferences: [
        { apiVersion: '', kind: 'TrainingJob', name: NAME, uid: before?.metadata.uid, controller: true },
      ],
    },
  } as never);
  report(stage, 'True');
  await stage.pass();
  await stage.pass();
  expect(triggered(stage)).toMatchObject({ status: 'False', reason: 'BudgetUnknown' });
  expect(stage.status.triggerHistory?.unknownBefore).toBeDefined();
});

test('a drift of a scaler that is not selected starts none', async () => {
  const data = { predictiveScalers: { selector: { matchLabels: { app: 'api' } } } };
  const stage = await drifting({ data });
  report(stage, 'True');
  await stage.settle();
  expect(runsOf(stage)).toEqual([]);
  report(stage, 'False', 'api');
  await stage.settle();
  expect(triggered(stage)).toMatchObject({ status: 'False', reason: 'NoSign' });
});

test.each(['status trainingjobs', 'create trainingjobs'])(
  'an operator that ends after each %s makes one run of a drift',
  async (kind) => {
    const stage = await drifting();
    report(stage, 'True');
    const crash = new Error('gone');
    let crashes = 0;
    stage.api.afterWrite = (write) => {
      if (!write.startsWith(kind) || crashes === 4) return;
      crashes += 1;
      throw crash;
    };
    for (let i = 0; i < 8; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one life after the other
      await stage.settle().catch((error: unknown) => expect(error).toBe(crash));
      stage.restart();
    }
    expect(crashes).toBeGreaterThan(0);
    expect(runsOf(stage)).toHaveLength(1);
    expect(stage.status.runs).toHaveLength(1);
  },
);
