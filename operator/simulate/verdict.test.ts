import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { HPA_DEFAULTS } from '../decision/reactive/tuning.ts';
import type { Objective } from '../decision/types.ts';
import { ridge } from '../forecast/ridge.ts';
import { seededRandom } from './generated.ts';
import { specFor } from './policies/decided.ts';
import { type Replay, replay, replaySpan } from './replay.ts';
import { noise, traceOf } from './testing/loads.ts';
import type { Trace } from './trace.ts';
import { type Judgement, judge, proofsNeeded, revise, VERDICT_RULES, type VerdictState } from './verdict.ts';

const DAY = 86_400_000;
const NEVER = new AbortController().signal;

/** Three days in which ours is good; parts replaced by the test. */
function replayed(part: Partial<Replay> = {}): Replay {
  return {
    fromMs: 0,
    toMs: 3 * DAY,
    ours: { underProvisionedMinutes: 10, replicaHours: 110, tauU: 0.23 },
    hpa: { underProvisionedMinutes: 90, replicaHours: 100, tauU: 2.1 },
    tunedHpaReplicaHours: 130,
    coverage: { asked: 0.99, realised: 0.99 },
    skill: 0.3,
    ...part,
  };
}

const side = (underProvisionedMinutes: number, replicaHours: number) => ({
  underProvisionedMinutes,
  replicaHours,
  tauU: (100 * underProvisionedMinutes) / (3 * 1440),
});

describe('the judgement of one replay', () => {
  test.each<[string, Objective, Partial<Replay>, string]>([
    ['less short for little more', 'Availability', {}, 'good BetterThanHpa'],
    ['no target of HPA is as tight', 'Availability', { tunedHpaReplicaHours: null }, 'good BetterThanHpa'],
    ['a forecast that knows nothing', 'Availability', { skill: 0.05 }, 'weak NotPredictable'],
    ['a forecast that said nothing', 'Availability', { skill: null }, 'weak NotPredictable'],
    [
      'a band that does not hold',
      'Availability',
      { coverage: { asked: 0.99, realised: 0.9 } },
      'weak CoverageMissed',
    ],
    [
      'an HPA that is never short',
      'Availability',
      { ours: side(1, 100), hpa: side(1, 100) },
      'weak NothingToGain',
    ],
    ['next to no gain', 'Availability', { ours: side(85, 101) }, 'weak NotBetter'],
    ['less short, but dear', 'Availability', { ours: side(10, 128) }, 'weak TooDear'],
    ['a lower target does the same', 'Availability', { tunedHpaReplicaHours: 105 }, 'weak TunedHpaIsCheaper'],
    ['short for longer', 'Availability', { ours: side(120, 90) }, 'bad WorseThanHpa'],
    ['ruinous', 'Availability', { ours: side(0, 151) }, 'bad TooDear'],
    [
      'cheaper, and hardly short',
      'Efficiency',
      { ours: side(80, 90), tunedHpaReplicaHours: 101 },
      'good BetterThanHpa',
    ],
    ['holds what HPA does not', 'Efficiency', {}, 'good BetterThanHpa'],
    ['the same for the same', 'Efficiency', { ours: side(88, 99.5) }, 'weak NotBetter'],
    ['cheaper, but breaks its word', 'Efficiency', { ours: side(130, 80) }, 'bad WorseThanHpa'],
    ['dearer and no better', 'Efficiency', { ours: side(95, 105) }, 'bad TooDear'],
  ])('%s (%s)', (_what, objective, part, expected) => {
    const { kind, reason, message } = judge(replayed(part), objective);
    expect(`${kind} ${reason}`).toBe(expected);
    expect(message).toContain('instead of');
  });
});

describe('the verdict over many', () => {
  const good: Judgement = { kind: 'good', reason: 'BetterThanHpa', message: '' };
  const weak: Judgement = { kind: 'weak', reason: 'NotBetter', message: '' };
  const bad: Judgement = { kind: 'bad', reason: 'WorseThanHpa', message: '' };
  const after = (judgements: readonly Judgement[], from?: VerdictState) =>
    judgements.reduce<VerdictState | undefined>((state, one, i) => revise(state, one, i * 1000), from);
  const times = (count: number, one: Judgement) => Array.from({ length: count }, () => one);

  test('one good replay is no proof, two are', () => {
    expect(after([good])?.recommendation).toBe('Undecided');
    expect(after([good, good])).toMatchObject({ recommendation: 'Active', sinceMs: 1000 });
    expect(after([good, weak, good])?.recommendation).toBe('Shadow');
  });

  test('a clear loss ends it at once, a lack of proof when it lasts', () => {
    expect(after([good, good, bad])).toMatchObject({ recommendation: 'Shadow', losses: 1 });
    expect(after([good, good, weak, weak])?.recommendation).toBe('Active');
    expect(after([good, good, weak, weak, good, weak, weak])?.recommendation).toBe('Active');
    expect(after([good, good, weak, weak, weak])).toMatchObject({ recommendation: 'Shadow', losses: 1 });
  });

  test('each loss makes the next proof longer, up to a bound', () => {
    const once = after([good, good, bad]);
    expect(after(times(3, good), once)?.recommendation).toBe('Shadow');
    expect(after(times(4, good), once)?.recommendation).toBe('Active');
    expect([0, 1, 2, 3, 9].map(proofsNeeded)).toEqual([2, 4, 8, 16, 16]);
  });

  test('a load that flips from replay to replay hardly moves the mode', () => {
    let state: VerdictState | undefined;
    let changes = 0;
    for (let i = 0; i < 1000; i++) {
      const next = revise(state, Math.floor(i / 3) % 2 === 0 ? good : bad, i * 1000);
      if (next.recommendation !== state?.recommendation) changes += 1;
      state = next;
    }
    expect(changes).toBeLessThan(6);
  });

  test('a week in mode Active forgives old losses', () => {
    const active = after([good, good, bad, ...times(4, good)]);
    expect(active?.losses).toBe(1);
    expect(revise(active, good, VERDICT_RULES.forgivenMs + 10_000).losses).toBe(0);
  });

  test('never Active without as many good replays in a row as are needed, never Active after a bad one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(good, weak, bad), { maxLength: 60 }), (judgements) => {
        let state: VerdictState | undefined;
        let inRow = 0;
        for (const [i, one] of judgements.entries()) {
          const before = state;
          state = revise(state, one, i);
          inRow = one.kind === 'good' ? inRow + 1 : 0;
          if (one.kind === 'bad') expect(state.recommendation).not.toBe('Active');
          if (state.recommendation === 'Active' && before?.recommendation !== 'Active')
            expect(inRow).toBeGreaterThanOrEqual(proofsNeeded(before?.losses ?? 0));
        }
      }),
    );
  });
});

describe('replays', () => {
  /** In coarse steps, so that a test of days takes seconds. */
  const STEP = 600_000;
  const coarse = (days: number, load: (i: number, minuteOfDay: number) => number): Trace =>
    traceOf(
      Array.from({ length: days * 144 }, (_, i) => Math.max(0, load(i, (i * 10) % 1440))),
      'coarse',
      STEP,
    );
  const run = (trace: Trace, capacity: number) =>
    replay(
      {
        trace,
        spec: specFor('Auto', 'availability', 0.7, capacity),
        tuning: HPA_DEFAULTS,
        coverage: 0.95,
        startUpMs: 600_000,
        metricDelayMs: 30_000,
        capacity,
      },
      [ridge()],
      NEVER,
    );

  test.each([0.02, 0.5, 0.99])('half an hour, or less than a day, is no past (%f days)', (days) => {
    expect(replaySpan(noise(days))).toBeUndefined();
  });

  test('a past with more holes than values is none either', () => {
    const trace = noise(4);
    expect(replaySpan(trace)).toBeDefined();
    for (let i = 0; i < trace.values.length; i += 3) trace.values[i] = Number.NaN;
    expect(replaySpan(trace)).toBeUndefined();
  });

  test('a steep day that comes every day is proof', async () => {
    const random = seededRandom(3);
    // From idle to full within twenty minutes, each morning, each noon and each evening.
    const busy = (minute: number) => [480, 720, 1080].some((from) => minute >= from && minute < from + 120);
    const found = await run(
      coarse(12, (_i, minute) => (busy(minute) ? 1000 : 150) * (1 + 0.03 * (random() - 0.5))),
      50,
    );
    if (found === undefined) throw new Error('nothing was replayed');
    expect(found.ours.underProvisionedMinutes).toBeLessThan(found.hpa.underProvisionedMinutes / 2);
    expect(judge(found, 'Availability')).toMatchObject({ kind: 'good' });
  });

  test('white noise is none, whatever it happens to look like', async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed);
      const load = () => 200 + 40 * (random() + random() + random() + random() - 2) * 1.7;
      // oxlint-disable-next-line no-await-in-loop -- one after the other on one core
      const found = await run(coarse(6, load), 14);
      if (found === undefined) throw new Error('nothing was replayed');
      expect(found.skill).toBeLessThan(VERDICT_RULES.skill);
      for (const objective of ['Availability', 'Efficiency'] as const)
        expect(judge(found, objective).kind).not.toBe('good');
    }
  });
});
