import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { runDueMs, runName } from '../../../api/index.ts';
import type { MadeRun } from './plan.ts';
import type { Sign } from './signs.ts';
import { planTrigger, type TriggerInput } from './triggers.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 2, 1);
const DRIFT: Sign = { cause: 'Drift', message: 'shop/web reports ForecastDrift (ErrorsGrew)' };

function plan(input: Partial<TriggerInput> = {}) {
  return planTrigger({
    name: 'nightly',
    coolDown: '24h',
    suspend: false,
    runs: [],
    watched: true,
    sign: DRIFT,
    nowMs: START,
    ...input,
  });
}

const run = (dueMs: number, endedAtMs?: number): MadeRun => ({
  name: runName('nightly', dueMs),
  dueMs,
  endedAtMs,
  succeeded: endedAtMs !== undefined,
});

describe('what is said and done', () => {
  test.each<[string, Partial<TriggerInput>, string, string]>([
    ['a sign decides on a run', {}, 'True', 'Drift'],
    ['no sign', { sign: undefined }, 'False', 'NoSign'],
    ['nothing to watch', { sign: undefined, watched: false }, 'False', 'NoScalers'],
    ['a run that goes on', { runs: [run(START - HOUR)] }, 'True', 'Drift'],
    ['it is suspended', { suspend: true }, 'False', 'Suspended'],
    ['a run ended a day ago less a second', { lastEndMs: START - 24 * HOUR + 1000 }, 'False', 'CoolDown'],
    ['a run ended a day ago', { lastEndMs: START - 24 * HOUR }, 'True', 'Drift'],
  ])('%s', (what, input, status, reason) => {
    const { condition, decided, create } = plan(input);
    expect(condition).toMatchObject({ type: 'Triggered', status, reason });
    expect(create).toBeUndefined();
    expect(decided !== undefined).toBe(/decides|a day ago$/.test(what));
  });

  test('it looks again when it has cooled down', () => {
    expect(plan({ lastEndMs: START - HOUR })).toMatchObject({
      requeueAfterMs: 23 * HOUR,
      condition: { message: expect.stringContaining('2026-03-01T23:00:00.000Z') },
    });
  });
});

describe('what was decided', () => {
  const decided = { lastTriggerMs: START, lastTriggerCause: 'ScoreBreach' } as const;

  test('is made, though its sign is gone', () => {
    expect(plan({ ...decided, sign: undefined, nowMs: START + 5000 }).create).toEqual({
      name: runName('nightly', START),
      dueMs: START,
      cause: 'ScoreBreach',
    });
  });

  test.each<[string, Partial<TriggerInput>]>([
    ['it is there', { runs: [run(START)] }],
    ['it is over and gone', { lastEndMs: START + HOUR }],
    ['another run goes on', { runs: [run(START - MINUTE)] }],
    ['it is suspended', { suspend: true }],
  ])('is not made when %s', (_, input) => {
    expect(plan({ ...decided, nowMs: START + 2 * HOUR, ...input }).create).toBeUndefined();
  });
});

describe('a budget', () => {
  const budget = { runs: 2, per: '168h' };
  const ago = (hours: number) => new Date(START - hours * HOUR).toISOString();
  const spent = { budget, history: { startedAt: [ago(30), ago(100)] } };

  test.each<[string, Partial<TriggerInput>, string, number]>([
    ['that is spent holds a sign back', spent, 'BudgetSpent', 68],
    [
      'that nobody can count does too',
      { budget, history: { startedAt: [], unknownBefore: ago(60) } },
      'BudgetUnknown',
      108,
    ],
    ['that is spent is said before a cool-down', { ...spent, lastEndMs: START }, 'BudgetSpent', 68],
    [
      'gives way to a cool-down that lasts longer',
      { ...spent, lastEndMs: START, coolDown: '100h' },
      'BudgetSpent',
      100,
    ],
    ['that is not spent leaves the cool-down', { budget, lastEndMs: START }, 'CoolDown', 24],
  ])('%s', (_, input, reason, hours) => {
    const made = plan(input);
    expect(made).toMatchObject({
      condition: { status: 'False', reason, message: expect.stringContaining(ago(-hours)) },
      requeueAfterMs: hours * HOUR,
    });
    expect([made.decided, made.history]).toEqual([undefined, input.history]);
  });

  test('is told of by the decision that spends it, and not by the one before', () => {
    expect(plan({ budget }).decided).toEqual({ atMs: START, cause: 'Drift' });
    const last = plan({ budget, history: { startedAt: [ago(30)] } });
    expect(last.history).toEqual({ startedAt: [ago(0), ago(30)] });
    expect(last.decided?.spent).toBe(
      `triggers.budget of 2 within 168h is spent; the next run may start at ${ago(30 - 168)}`,
    );
  });

  test('takes back no decision', () => {
    const decided = { lastTriggerMs: START, lastTriggerCause: 'Drift' } as const;
    const history = { startedAt: [ago(0), ago(30)] };
    expect(plan({ ...decided, budget, history, nowMs: START + 5000 }).create?.dueMs).toBe(START);
  });

  test('does not concern what nobody has limited', () => {
    expect(plan({ history: spent.history }).decided).toEqual({ atMs: START, cause: 'Drift' });
  });
});

type Step = 'pass' | 'end' | 'sign' | 'wait' | 'crash';

test('whatever happens: one run at a time, none before its cool-down is over, none twice, none beyond the budget', () => {
  const steps = fc.array(fc.constantFrom<Step>('pass', 'pass', 'end', 'sign', 'wait', 'crash'), {
    maxLength: 120,
    size: 'max',
  });
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 3 }),
      (story, minutes, most) => {
        let nowMs = START;
        let sign: Sign | undefined;
        let runs: MadeRun[] = [];
        let written: Pick<TriggerInput, 'lastTriggerMs' | 'lastTriggerCause' | 'lastEndMs' | 'history'> = {};
        const budget = { runs: most, per: '12h' };
        const made: { readonly name: string; readonly atMs: number }[] = [];
        const ends: number[] = [];
        const decisions: number[] = [];
        for (const step of story) {
          nowMs += 1_000;
          if (step === 'wait') nowMs += 20 * MINUTE;
          if (step === 'sign') sign = sign === undefined ? DRIFT : undefined;
          if (step === 'end') {
            runs = runs.map((each) => ({ ...each, endedAtMs: each.endedAtMs ?? nowMs }));
            if (runs.length > 0) ends.push(nowMs);
          }
          if (step !== 'pass' && step !== 'crash') continue;
          const lastEndMs = ends.at(-1);
          const input = { ...written, lastEndMs, coolDown: `${minutes}m`, budget, sign, runs, nowMs };
          const { create, decided, history } = plan(input);
          if (create !== undefined) {
            expect(made.map(({ name }) => name)).not.toContain(create.name);
            expect(runs.every(({ endedAtMs }) => endedAtMs !== undefined)).toBe(true);
            made.push({ name: create.name, atMs: runDueMs(create.name) });
            runs = [...runs, { ...create, succeeded: false }];
          }
          // A crash comes after what was made and before what is written.
          if (step === 'crash') continue;
          if (decided !== undefined) decisions.push(decided.atMs);
          written =
            decided === undefined
              ? { ...written, lastEndMs }
              : { lastTriggerMs: decided.atMs, lastTriggerCause: decided.cause, lastEndMs, history };
        }
        for (const at of decisions)
          expect(decisions.filter((each) => each <= at && each > at - 12 * HOUR).length).toBeLessThanOrEqual(
            most,
          );
        for (const { atMs } of made)
          for (const end of ends)
            if (end < atMs) expect(atMs + MINUTE - end).toBeGreaterThanOrEqual(minutes * MINUTE);
      },
    ),
  );
});
