import { describe, expect, test } from '@jest/globals';
import { triggersOf } from '../../../api/index.ts';
import { type MadeRun, planSchedule, type ScheduleInput } from './plan.ts';

const at = (text: string) => Date.parse(`2026-03-${text}Z`);
const minutes = (text: string) => at(text) / 60_000;

function plan(spec: Parameters<typeof triggersOf>[0], input: Partial<ScheduleInput> = {}) {
  const triggers = triggersOf({ schedule: '0 3 * * *', ...spec });
  if (triggers === undefined) throw new Error('no schedule');
  return planSchedule({
    name: 'nightly',
    uid: '80000000-0000-4000-8000-000000000000',
    triggers,
    suspend: false,
    createdAtMs: at('10T12:00:00'),
    runs: [],
    nowMs: at('11T03:00:10'),
    ...input,
  });
}

const run = (name: string, due: string, ended?: boolean, succeeded = false): MadeRun => ({
  name,
  dueMs: at(due),
  endedAtMs: ended === true ? at(due) + 3_600_000 : undefined,
  succeeded,
});

test('the run that is due is made, once, and named after its minute', () => {
  const first = plan({});
  expect(first).toMatchObject({
    create: { name: `nightly-${minutes('11T03:00:00')}`, dueMs: at('11T03:00:00') },
    lastDueMs: at('11T03:00:00'),
    nextDueMs: at('12T03:00:00'),
    remove: [],
  });
  expect(plan({}, { lastDueMs: first.lastDueMs }).create).toBeUndefined();
});

test.each<[string, Parameters<typeof plan>[0], Partial<ScheduleInput>]>([
  ['before it is due', {}, { nowMs: at('11T02:59:59') }],
  ['that was due before the object was made', {}, { createdAtMs: at('11T03:00:05') }],
  ['while it is suspended', {}, { suspend: true }],
  ['before its jitter is over', { jitter: '1h' }, { nowMs: at('11T03:29:00') }],
])('none is made %s', (_, spec, input) => {
  expect(plan(spec, input)).toMatchObject({ remove: [] });
  expect(plan(spec, input).create).toBeUndefined();
});

test('the jitter of an object is the same each time, and a part of what is allowed', () => {
  expect(plan({ jitter: '1h' }, { nowMs: at('11T03:30:00') }).create?.dueMs).toBe(at('11T03:00:00'));
  expect(plan({ jitter: '1h' }, { nowMs: at('11T03:00:00') }).requeueAfterMs).toBe(30 * 60_000);
});

test('of many that were missed the newest is made, if it is not too late', () => {
  const late = { nowMs: at('14T04:00:00'), lastDueMs: at('11T03:00:00') };
  expect(plan({}, late).create?.dueMs).toBe(at('14T03:00:00'));
  const missed = plan({ startingDeadlineSeconds: 600 }, late);
  expect(missed).toMatchObject({
    lastDueMs: at('14T03:00:00'),
    leftOut: { reason: 'StartingDeadlineExceeded' },
  });
  expect(missed.create).toBeUndefined();
});

test('the hours are those of its time zone, over a change of clocks too', () => {
  const zone = { timeZone: 'Europe/Berlin' };
  expect(plan(zone, { nowMs: at('28T02:00:30') }).create?.dueMs).toBe(at('28T02:00:00'));
  expect(plan(zone, { nowMs: at('29T01:00:30') }).create?.dueMs).toBe(at('29T01:00:00'));
});

describe('while one goes on', () => {
  const runs = [run('nightly-1', '10T03:00:00')];

  test('the next is left out by Forbid', () => {
    expect(plan({}, { runs })).toMatchObject({
      remove: [],
      lastDueMs: at('11T03:00:00'),
      leftOut: { reason: 'RunStillActive' },
    });
    expect(plan({}, { runs }).create).toBeUndefined();
  });

  test('it gives way by Replace', () => {
    const replaced = plan({ concurrencyPolicy: 'Replace' }, { runs });
    expect(replaced.remove).toEqual(['nightly-1']);
    expect(replaced.create?.dueMs).toBe(at('11T03:00:00'));
  });
});

test('finished runs are kept up to their limits, the newest of each kind, once their end is written, and those that go on always', () => {
  const runs = [
    run('good-1', '05T03:00:00', true, true),
    run('bad-1', '06T03:00:00', true),
    run('good-2', '07T03:00:00', true, true),
    run('bad-2', '08T03:00:00', true),
    run('on', '09T03:00:00'),
  ];
  const limits = { successfulHistoryLimit: 1, failedHistoryLimit: 0 };
  expect(plan(limits, { runs, lastDueMs: at('11T03:00:00') }).remove).toEqual([]);
  const seen = { runs, lastDueMs: at('11T03:00:00'), lastEndMs: at('08T04:00:00') };
  expect(plan(limits, seen).remove.toSorted()).toEqual(['bad-1', 'bad-2', 'good-1']);
});
