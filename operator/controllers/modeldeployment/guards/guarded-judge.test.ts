/** Guards in the whole of a rollout: what pods count and what a Prometheus server says becomes a version's fate. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { silentLogger } from '../../../logger.ts';
import { serverEntry, sourcesFor } from '../../../metricsources/testing/requests.ts';
import {
  json,
  type ScriptedServer,
  scriptedServer,
  vector,
} from '../../../metricsources/testing/scripted-server.ts';
import type { MetricSources, NumberSource } from '../../../metricsources/types.ts';
import type { FullJudgement, Judge } from '../judge.ts';
import { Stage } from '../testing/stage.ts';
import type { PodCounters } from './exposition.ts';
import { createGuardedJudge } from './guarded-judge.ts';

const A = 'a'.repeat(64);
const B = { model: { storageUri: 's3://models/b', sha256: 'b'.repeat(64) } };
const PERIOD_MS = 15_000;
const ended: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ended.splice(0).map((end) => end()));
});

/** Requests per look of each version, and how many of them fail. */
type Load = Readonly<
  Record<number, { readonly requests: number; readonly failures?: number; readonly silent?: boolean }>
>;

async function setUp(judge: object = {}, task = 'generic', numbers?: MetricSources, forecasts?: Judge) {
  const stage = new Stage({
    task,
    model: { storageUri: 's3://models/a', sha256: A },
    rollout: { steps: [{ shadow: {} }, { analysis: {} }, { setWeight: 50 }, { pause: {} }], judge },
  });
  const questions = { underWay: 0 };
  const counted: NumberSource | undefined = numbers && {
    async number(...asked) {
      questions.underWay += 1;
      try {
        return await numbers.number(...asked);
      } finally {
        questions.underWay -= 1;
      }
    },
  };
  const world: { load: Load } = { load: { 1: { requests: 200 }, 2: { requests: 200 } } };
  const totals = new Map<number, { ok: number; failed: number }>();
  const guarded = () =>
    createGuardedJudge({
      forecasts,
      clock: stage.clock,
      log: silentLogger,
      podsOf: (_, version) =>
        stage.children.deployments.get(`shop/loadcast-v${version}`) === undefined ? [] : [podOf(version)],
      numbers: counted ?? { number: () => Promise.reject(new Error('nobody asks')) },
      counters: {
        read: async ({ version }): Promise<PodCounters | undefined> => {
          const { requests = 0, failures = 0, silent = false } = world.load[version] ?? {};
          const total = totals.get(version) ?? { ok: 0, failed: 0 };
          totals.set(version, { ok: total.ok + requests - failures, failed: total.failed + failures });
          if (silent) return undefined;
          const { ok, failed } = totals.get(version) ?? total;
          const outcomes = new Map([
            ['success', ok],
            ['backend', failed],
          ]);
          return {
            startedAt: 1,
            outcomes,
            nonFinite: 0,
            latency: new Map([
              [0.01, ok],
              [Infinity, ok],
            ]),
          };
        },
      },
    });
  let running = new AbortController();
  const start = () => {
    const made = guarded();
    running.abort(new Error('the process is gone'));
    running = new AbortController();
    const run = made.run(running.signal);
    stage.judge = made;
    return run;
  };
  let done = start();
  ended.push(async () => {
    running.abort(new Error('the test is over'));
    await done;
  });
  await stage.settle();
  stage.change(B);
  await stage.settle();
  return {
    stage,
    world,
    /** Looks of the guards, with a look of the reconciler after each. */
    async looks(count: number) {
      for (let i = 0; i < count; i++) {
        // oxlint-disable-next-line no-await-in-loop -- time goes on step by step
        await stage.clock.advance(PERIOD_MS);
        // A real server answers in its own time.
        // oxlint-disable-next-line no-await-in-loop -- again and again
        do await sleep(numbers === undefined ? 0 : 10);
        while (questions.underWay > 0);
        // oxlint-disable-next-line no-await-in-loop
        await stage.settle();
      }
    },
    restart() {
      stage.restart();
      done = start();
    },
    get last() {
      return stage.status.history?.at(-1);
    },
  };
}

const podOf = (version: number) => ({
  metadata: { name: `p${version}`, uid: `p${version}` },
  status: {
    podIP: `10.0.0.${version}`,
    startTime: '2026-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

describe('a generic model', () => {
  test('is promoted through its analysis when its pods do as stable’s', async () => {
    const { stage, looks } = await setUp();
    await looks(2);
    expect(stage.condition('Judged')).toMatchObject({ reason: 'Inconclusive' });
    expect(stage.status.judge?.guards?.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'Errors Waiting',
      'Latency Waiting',
      'NaN Waiting',
    ]);
    await looks(4);
    expect(stage.traffic).toBe('1:50 2:50');
    expect(stage.condition('Judged')).toMatchObject({ status: 'True', reason: 'Promote' });
  });

  test('goes back when it fails more often, at any step, and says by what', async () => {
    const world = await setUp();
    await world.looks(6);
    expect(world.stage.traffic).toBe('1:50 2:50');
    world.world.load = { 1: { requests: 200 }, 2: { requests: 200, failures: 40 } };
    await world.looks(3);
    expect(world.stage.traffic).toBe('1:100');
    expect(world.last).toMatchObject({
      outcome: 'Aborted',
      reason: 'ErrorsGuardBreached',
      message: 'guard Errors: it fails more often than stable',
    });
    expect(world.stage.events.at(-1)).toContain('CanaryAborted');
  });

  test('is held while its pods cannot be asked, and goes back at the deadline where that is wanted', async () => {
    const world = await setUp({ maxDuration: '10m', onNoData: 'Rollback', onInconclusive: 'Promote' });
    world.world.load = { 1: { requests: 200 }, 2: { requests: 200, silent: true } };
    await world.looks(20);
    expect(world.stage.status.judge).toMatchObject({ verdict: 'Inconclusive', reason: 'GuardBlind' });
    expect(world.stage.traffic).toBe('1:100 2:0');
    expect(world.last).toMatchObject({ outcome: 'Rolling' });
    await world.looks(25);
    expect(world.last).toMatchObject({ outcome: 'Aborted', reason: 'NoData' });
  });

  test('is counted anew by the next operator, and never promoted sooner', async () => {
    const world = await setUp();
    await world.looks(3);
    world.restart();
    await world.looks(2);
    expect(world.stage.traffic).toBe('1:100 2:0');
    await world.looks(4);
    expect(world.stage.traffic).toBe('1:50 2:50');
  });

  test('causes no write of the status while nothing but counts moves', async () => {
    const world = await setUp({ guards: [{ type: 'Errors' }] });
    await world.looks(3);
    world.world.load = { 1: { requests: 1 }, 2: { requests: 1 } };
    await world.looks(2);
    const writes = world.stage.writes.length;
    await world.looks(5);
    expect(world.stage.writes.length - writes).toBeLessThanOrEqual(1);
  });
});

describe('a Prometheus guard', () => {
  const guards = [
    {
      type: 'Prometheus',
      prometheus: {
        serverRef: { name: 'default' },
        query: 'errors{version="{{canary}}"} / errors{version="{{stable}}"}',
        max: '0.0004',
        interval: '15s',
        count: 3,
        consecutiveErrorLimit: 2,
      },
    },
  ];
  let server: ScriptedServer;

  async function withServer(answer: object, task = 'generic', forecasts?: Judge) {
    server = await scriptedServer(json(answer));
    const entry = serverEntry(server.url, { freshnessProbe: false });
    const sources = sourcesFor([entry]);
    ended.push(async () => {
      await sources.close();
      await server[Symbol.asyncDispose]();
    });
    return setUp({ guards }, task, sources, forecasts);
  }

  test('asks for these two versions, and lets go on what stays inside', async () => {
    const world = await withServer(vector(['0.0003']));
    await world.looks(6);
    expect(server.asked[0]?.params.get('query')).toBe('errors{version="2"} / errors{version="1"}');
    expect(world.stage.traffic).toBe('1:50 2:50');
  });

  test('sends back what is above, by numbers below a thousandth', async () => {
    const world = await withServer(vector(['0.0005']));
    await world.looks(2);
    expect(world.last).toMatchObject({ outcome: 'Aborted', reason: 'PrometheusGuardBreached' });
  });

  test.each<[string, object]>([
    ['an empty answer', vector([])],
    ['NaN', vector(['NaN'])],
    ['several numbers', vector(['1', '2'])],
    ['a warning', vector(['0'], Date.now(), { warnings: ['data are missing'] })],
  ])('%s neither passes nor fails', async (_, answer) => {
    const world = await withServer(answer);
    await world.looks(8);
    expect(world.stage.traffic).toBe('1:100 2:0');
    expect(world.last).toMatchObject({ outcome: 'Rolling' });
    expect(world.stage.status.judge).toMatchObject({ verdict: 'Inconclusive', reason: 'GuardBlind' });
  });

  test('holds a forecaster whose forecasts would promote it while the server is lost, and lets it go on after', async () => {
    const good: Judge = {
      judgementOf: ({ candidate, baseline }): FullJudgement => ({
        candidate,
        baseline,
        verdict: 'Promote',
        labels: 700,
      }),
    };
    const world = await withServer({ status: 'error', errorType: 'unavailable' }, 'forecast', good);
    await world.looks(8);
    expect(world.stage.traffic).toBe('1:100 2:0');
    expect(world.stage.status.judge).toMatchObject({ verdict: 'Inconclusive', labels: 700 });
    server.answer(json(vector(['0'])));
    await world.looks(10);
    expect(world.stage.traffic).toBe('1:50 2:50');
  });
});

test('another list of guards is another comparison', async () => {
  const world = await setUp();
  await world.looks(2);
  world.stage.change({ rollout: { judge: { guards: [{ type: 'NaN' }] } } });
  await world.looks(1);
  expect(world.stage.status.judge?.guards).toMatchObject([{ name: 'NaN' }]);
});
