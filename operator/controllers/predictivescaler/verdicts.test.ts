import { describe, expect, test } from '@jest/globals';
import { parsePredictiveScaler } from '../../api/index.ts';
import { decisionSpec } from '../../decision/from-spec.ts';
import { HPA_DEFAULTS } from '../../decision/reactive/tuning.ts';
import { persistence } from '../../forecast/persistence.ts';
import { MemoryHistory } from '../../history/memory-store.ts';
import { silentLogger } from '../../logger.ts';
import type { ReplayJob } from '../../replay/messages.ts';
import type { Replay } from '../../simulate/replay.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { seriesKeyOf } from './outlook.ts';
import { createScalerMemories, type ScalerMemory } from './scaler-memory.ts';
import { parseVerdict, provenCondition, verdictStatus } from './stored-verdict.ts';
import { queue } from './testing/stage.ts';
import { createVerdicts, type VerdictRequest } from './verdicts.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 20, 12);

const GOOD: Replay = {
  fromMs: NOW - 72 * 60 * MINUTE,
  toMs: NOW,
  ours: { underProvisionedMinutes: 10, replicaHours: 110, tauU: 0.2 },
  hpa: { underProvisionedMinutes: 90, replicaHours: 100, tauU: 2 },
  tunedHpaReplicaHours: null,
  coverage: { asked: 0.99, realised: 0.991 },
  skill: 0.4,
};
const NOISE: Replay = { ...GOOD, skill: 0 };

/** The thread is the fault that is injected: it answers what the test says. */
function setUp(answer: (job: ReplayJob) => Promise<Replay | undefined>, knownHours = 48) {
  const clock = new FakeClock(NOW);
  const history = new MemoryHistory({ now: () => clock.now() });
  const jobs: ReplayJob[] = [];
  let atOnce = 0;
  const verdicts = createVerdicts({
    replayer: {
      async replay(job) {
        jobs.push(job);
        atOnce += 1;
        expect(atOnce).toBe(1);
        await clock.sleep(2_000);
        atOnce -= 1;
        return await answer(job);
      },
      close: () => Promise.resolve(),
    },
    history,
    clock,
    log: silentLogger,
    everyMs: 30 * MINUTE,
    metricDelayMs: 30_000,
    tuning: HPA_DEFAULTS,
    model: { ...persistence, id: 'loadcast' },
    random: () => 0.5,
    signal: new AbortController().signal,
  });
  const memories = createScalerMemories(
    () => undefined,
    () => 0,
  );
  const requestOf = (uid: string, spec: object = {}): VerdictRequest => {
    const scaler = parsePredictiveScaler({
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'PredictiveScaler',
      metadata: { name: uid, namespace: 'shop', uid, generation: 1 },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        maxReplicas: 20,
        metrics: [queue()],
        ...spec,
      },
    });
    const memory: ScalerMemory = memories.of(`shop/${uid}`, uid, 'web');
    const decision = decisionSpec(scaler.spec, HPA_DEFAULTS);
    for (const plan of decision.metrics) {
      const key = seriesKeyOf(uid, plan);
      if (history.span(key) === undefined) {
        history.declare(key, { stepMs: MINUTE });
        const steps = knownHours * 60;
        const values = Float64Array.from({ length: steps }, (_, i) => i);
        history.fill(key, { startMs: NOW - steps * MINUTE, stepMs: MINUTE, values });
      }
      memory.learned.forecast(plan, MINUTE, 0.99, 'loadcast');
    }
    const more = { views: [], learnedCapacityMilli: [undefined], coverage: 0.99, leadMs: 120_000 };
    return { key: `shop/${uid}`, memory, spec: decision, nowMs: clock.now(), ...more };
  };
  /** Looks every 15 s. */
  const look = async (minutes: number, uids = ['u1'], spec: object = {}) => {
    for (let i = 0; i < minutes * 4; i++) {
      for (const uid of uids) verdicts.of(requestOf(uid, spec));
      // oxlint-disable-next-line no-await-in-loop -- time goes on between two looks
      await clock.advance(15_000);
    }
  };
  return { clock, history, jobs, verdicts, requestOf, look };
}

describe('replays in the background', () => {
  test('come soon after the start, then now and then, and two good ones are proof', async () => {
    const { jobs, look, verdicts, requestOf } = setUp(async () => GOOD);
    await look(7);
    expect(jobs).toHaveLength(1);
    expect(verdicts.of(requestOf('u1'))?.state.recommendation).toBe('Undecided');
    await look(30);
    expect(jobs).toHaveLength(2);
    expect(verdicts.of(requestOf('u1'))?.state).toMatchObject({
      recommendation: 'Active',
      reason: 'BetterThanHpa',
    });
    // Asked for another thing, nothing is proven.
    expect(verdicts.of(requestOf('u1', { objective: 'Efficiency' }))).toBeUndefined();
    expect(verdicts.of(requestOf('u1', { mode: 'Shadow' }))?.state.recommendation).toBe('Active');
  });

  test('one at a time, with rests: a fleet shares a quarter of a core', async () => {
    const { jobs, look } = setUp(async () => NOISE);
    const fleet = Array.from({ length: 60 }, (_, i) => `u${i}`);
    await look(6, fleet);
    // Each takes 2 s here and is followed by 6 s of rest; they come from the fifth minute on.
    expect(jobs.length).toBeGreaterThan(4);
    expect(jobs.length).toBeLessThanOrEqual(60 / 8 + 2);
    expect(new Set(jobs.map(({ trace }) => trace.name)).size).toBe(jobs.length);
  });

  test('too short a past, or a thread that dies, leaves the verdict as it was', async () => {
    const answers: (() => Promise<Replay | undefined>)[] = [
      () => Promise.resolve(undefined),
      () => Promise.reject(new Error('died')),
    ];
    const { look, verdicts, requestOf, jobs } = setUp(() => (answers.shift() ?? (async () => NOISE))());
    await look(60);
    expect(jobs.length).toBe(2);
    expect(verdicts.of(requestOf('u1'))).toBeUndefined();
    await look(30);
    expect(verdicts.of(requestOf('u1'))?.state).toMatchObject({
      recommendation: 'Shadow',
      reason: 'NotPredictable',
    });
  });

  test('half an hour of load is not even sent to the thread', async () => {
    const { jobs, look, verdicts, requestOf } = setUp(async () => GOOD, 0.5);
    await look(70);
    expect(jobs).toEqual([]);
    expect(verdicts.of(requestOf('u1'))).toBeUndefined();
  });

  test('of several metrics the worst one counts', async () => {
    const two = { metrics: [queue('a'), queue('b')] };
    let asked = 0;
    const { look, verdicts, requestOf } = setUp(async () => (asked++ % 2 === 0 ? NOISE : GOOD));
    await look(100, ['u1'], two);
    expect(asked).toBe(8);
    expect(verdicts.of(requestOf('u1', two))?.state).toMatchObject({
      recommendation: 'Shadow',
      reason: 'NotPredictable',
    });
  });

  test('a job carries the scaler’s own terms; without a capacity a replica carries what HPA lets it carry', async () => {
    const { jobs, look } = setUp(async () => GOOD);
    await look(6);
    expect(jobs[0]).toMatchObject({
      coverage: 0.99,
      startUpMs: 120_000,
      capacity: 110,
      spec: { maxReplicas: 20, metrics: [{ target: { kind: 'AverageValue', milli: 100_000 } }] },
      forecasters: ['loadcast', 'ridge'],
    });
    expect(jobs[0]?.trace.values.slice(0, 3)).toEqual(Float64Array.of(0, 1, 2));
  });
});

describe('a stored verdict', () => {
  const verdict = {
    of: 'x',
    state: { recommendation: 'Active', sinceMs: NOW, reason: 'BetterThanHpa', good: 2, weak: 0, losses: 0 },
    message: 'better than HPA',
    replay: GOOD,
  } as const;

  test('survives JSON, and nonsense is none', () => {
    expect(parseVerdict(JSON.parse(JSON.stringify(verdict)))).toEqual(verdict);
    expect(
      parseVerdict({ ...verdict, state: { ...verdict.state, recommendation: 'Maybe' } }),
    ).toBeUndefined();
    expect(parseVerdict(undefined)).toBeUndefined();
  });

  test('is told in the status and by a condition', () => {
    expect(verdictStatus(verdict)).toEqual({
      recommendation: 'Active',
      reason: 'BetterThanHpa',
      since: '2026-01-20T12:00:00Z',
      window: '72h',
      underProvisionedMinutes: '10',
      replicaHours: '110',
      hpaUnderProvisionedMinutes: '90',
      hpaReplicaHours: '100',
      coverage: '0.9910',
      againstHpa: '-89 % short minutes at +10 % replica-hours',
    });
    const { metrics } = setUp(async () => GOOD).requestOf('u1').spec;
    expect(provenCondition(verdict, metrics)).toMatchObject({ status: 'True', reason: 'BetterThanHpa' });
    expect(provenCondition(undefined, metrics)).toMatchObject({ status: 'Unknown', reason: 'LowConfidence' });
    expect(provenCondition(undefined, [])).toMatchObject({ status: 'False', reason: 'NoForecastableMetric' });
  });
});
