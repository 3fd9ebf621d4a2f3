import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { CapacityLearner } from './capacity.ts';
import { Contest } from './contest.ts';
import { LeadTimeLearner } from './lead-time.ts';
import { ForecastLearner } from './learner.ts';
import { persistence } from './persistence.ts';
import { dailyLoad, MINUTE, readerOf } from './testing/series.ts';
import { MODEL_LEVELS, type PodStart, type QuantileForecast } from './types.ts';
import { buildWindow } from './window.ts';

describe('the lead time', () => {
  const pod = (uid: string, tookMs?: number, restarts = 0): PodStart => ({
    uid,
    createdMs: 1000,
    readyMs: tookMs === undefined ? undefined : 1000 + tookMs,
    restarts,
  });
  const witness = (learner: LeadTimeLearner, uid: string, tookMs: number): boolean => {
    learner.observe(pod(uid));
    return learner.observe(pod(uid, tookMs));
  };

  test('is unknown without a pod, then P50 and P90 of the starts that were seen', () => {
    const learner = new LeadTimeLearner();
    expect(learner.leadTime()).toBeUndefined();
    for (let i = 1; i <= 10; i++) expect(witness(learner, `p${i}`, i * 1000)).toBe(true);
    expect(learner.leadTime()).toEqual({ p50Ms: 5000, p90Ms: 9000, samples: 10 });
  });

  test('counts each pod once, however often it is seen or loses readiness', () => {
    const learner = new LeadTimeLearner();
    for (const uid of ['a', 'b', 'c']) witness(learner, uid, 2000);
    for (let i = 0; i < 5; i++) {
      learner.observe(pod('a'));
      learner.observe(pod('a', 900_000));
    }
    expect(learner.leadTime()).toEqual({ p50Ms: 2000, p90Ms: 2000, samples: 3 });
  });

  test('pods that never become ready or that restarted teach nothing', () => {
    const learner = new LeadTimeLearner();
    for (let i = 0; i < 9; i++) learner.observe(pod(`stuck${i}`));
    learner.observe(pod('crashed', undefined, 3));
    learner.observe(pod('crashed', 600_000, 3));
    learner.observe(pod('backwards', -5));
    expect(learner.leadTime()).toBeUndefined();
  });

  test('after a restart pods that are ready already are hearsay: used, limited, and forgotten for witnessed ones', () => {
    const learner = new LeadTimeLearner();
    for (let i = 0; i < 9; i++) learner.observe(pod(`old${i}`, 4000));
    learner.observe(pod('flapped', 20 * 60_000));
    learner.observe(pod('flapped2', 20 * 60_000));
    expect(learner.leadTime()).toEqual({ p50Ms: 4000, p90Ms: 12_000, samples: 0 });
    for (const uid of ['a', 'b', 'c']) witness(learner, uid, 7000);
    expect(learner.leadTime()).toEqual({ p50Ms: 7000, p90Ms: 7000, samples: 3 });
  });

  test('survives a restart and does not count the same pods again', () => {
    const learner = new LeadTimeLearner();
    for (const uid of ['a', 'b', 'c']) witness(learner, uid, 7000);
    const restored = LeadTimeLearner.fromState(JSON.parse(JSON.stringify(learner.toState())));
    for (const uid of ['a', 'b', 'c']) restored.observe(pod(uid, 7000));
    expect(restored.leadTime()).toEqual(learner.leadTime());
  });
});

describe('the capacity', () => {
  const many = (learner: CapacityLearner, count: number, load: number, healthy = true): void => {
    for (let i = 0; i < count; i++) learner.observe({ load, readyReplicas: 10, healthy }, 50);
  };

  test('is unknown without evidence above the target', () => {
    const learner = new CapacityLearner();
    many(learner, 500, 499);
    many(learner, 59, 700);
    expect(learner.capacity(50)).toBeUndefined();
  });

  test('is what was borne for an hour', () => {
    const learner = new CapacityLearner();
    many(learner, 60, 700);
    expect(learner.capacity(50)).toBeCloseTo(70, 3);
  });

  test('stays below what made pods fail', () => {
    const learner = new CapacityLearner();
    many(learner, 100, 800);
    many(learner, 1, 700, false);
    expect(learner.capacity(50)).toBeCloseTo(63, 3);
    const restored = CapacityLearner.fromState(JSON.parse(JSON.stringify(learner.toState())));
    expect(restored.capacity(50)).toBeCloseTo(63, 3);
  });

  test('is never below the target nor above twice the target', () => {
    const load = fc.double({ min: 0, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(load, fc.nat(20), fc.boolean()), { minLength: 100 }), (seen) => {
        const learner = new CapacityLearner();
        for (const [total, readyReplicas, healthy] of seen) {
          learner.observe({ load: total, readyReplicas, healthy }, 50);
        }
        const capacity = learner.capacity(50);
        if (capacity === undefined) return;
        expect(capacity).toBeGreaterThan(50);
        expect(capacity).toBeLessThanOrEqual(100);
      }),
    );
  });
});

function flat(value: number, t: number): QuantileForecast {
  return {
    originMs: t * MINUTE,
    stepMs: MINUTE,
    horizon: 64,
    levels: MODEL_LEVELS,
    values: new Float32Array(64 * 13).fill(value),
    model: { name: 'flat', version: '1', digest: 'builtin' },
  };
}

describe('the contest', () => {
  const play = (contest: Contest, from: number, to: number, forecasts: Record<string, number>): void => {
    for (let t = from; t < to; t++) {
      contest.settle(t * MINUTE, () => 100);
      for (const [id, value] of Object.entries(forecasts)) contest.enter(id, flat(value, t));
    }
  };

  test('keeps its leader against one that is hardly better, and leaves it for one that clearly is', () => {
    const contest = new Contest('model', { stepMs: MINUTE });
    play(contest, 0, 300, { model: 110, naive: 109.8 });
    expect(contest.leader).toBe('model');
    play(contest, 300, 1000, { model: 110, naive: 105 });
    expect(contest.leader).toBe('naive');
  });

  test('does not judge before there is enough to judge by', () => {
    const contest = new Contest('model', { stepMs: MINUTE });
    play(contest, 0, 25, { model: 200, naive: 100 });
    expect(contest.leader).toBe('model');
  });

  test('another preferred one takes the place of its predecessor, also over a restart', () => {
    const contest = new Contest('mine@1', { stepMs: MINUTE });
    play(contest, 0, 300, { 'mine@1': 105, naive: 110 });
    contest.prefer('mine@2');
    expect(contest.leader).toBe('mine@2');
    expect(contest.order()).toEqual(['mine@2', 'naive']);
    play(contest, 300, 600, { 'mine@2': 105, naive: 110 });
    expect(contest.leader).toBe('mine@2');
    const state = JSON.parse(JSON.stringify(contest.toState()));
    const restored = Contest.fromState(state, { stepMs: MINUTE }, 'mine@3');
    expect(restored.leader).toBe('mine@3');
    expect(restored.order()).not.toContain('mine@2');
  });

  test('one that has earned its place keeps it when another one is preferred', () => {
    const contest = new Contest('mine@1', { stepMs: MINUTE });
    play(contest, 0, 300, { 'mine@1': 300, naive: 105 });
    contest.prefer('mine@2');
    expect(contest.leader).toBe('naive');
    play(contest, 300, 301, { 'mine@2': 100, naive: 105 });
    expect(contest.order()).toEqual(['naive', 'mine@2']);
  });

  test('a bad one does not stay, and the result survives a restart', () => {
    const contest = new Contest('model', { stepMs: MINUTE });
    play(contest, 0, 300, { model: 300, naive: 105 });
    expect(contest.leader).toBe('naive');
    const restored = Contest.fromState(JSON.parse(JSON.stringify(contest.toState())), { stepMs: MINUTE });
    expect(restored.leader).toBe('naive');
    expect(restored.losses()).toEqual(contest.losses());
  });
});

describe('the learner of one load', () => {
  test('keeps a calibration per forecaster and gives it back after a restart', async () => {
    const load = dailyLoad(1200, 2);
    const options = { stepMs: MINUTE, coverage: 0.9, preferred: 'persistence' };
    const learner = new ForecastLearner(options);
    const { signal } = new AbortController();
    let newest: QuantileForecast | undefined;
    for (let t = 600; t < 1200; t++) {
      learner.settle(t * MINUTE, (atMs) => load[atMs / MINUTE] ?? Number.NaN);
      // oxlint-disable-next-line no-await-in-loop -- in order of time
      [newest] = await persistence.forecast([buildWindow('k', t * MINUTE, MINUTE, readerOf(load))], signal);
      if (newest !== undefined) learner.issue('persistence', newest);
    }
    if (newest === undefined) throw new Error('no forecast');
    const window = { fromMs: 1200 * MINUTE, windowMs: 5 * MINUTE };
    const path = learner.upperPath('persistence', newest, window);
    expect(path?.confidence).toBe('Calibrated');
    expect(learner.realised('persistence', 5 * MINUTE).realised).toBeGreaterThan(0.8);
    expect(learner.upperPath('other', newest, window)?.confidence).toBe('None');

    const state = JSON.parse(JSON.stringify(learner.toState()));
    const restored = ForecastLearner.fromState(state, options);
    const again = restored.upperPath('persistence', newest, window);
    path?.loadMilli.forEach((load, i) => expect(again?.loadMilli[i]).toBeCloseTo(load, -3));
    const otherStep = ForecastLearner.fromState(state, { ...options, stepMs: 30_000 });
    expect(otherStep.upperPath('persistence', newest, window)?.confidence).toBe('None');
  });
});
