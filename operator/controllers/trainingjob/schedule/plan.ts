/**
 * What a TrainingJob that repeats does now: the run that is due, those that give way to it, and those that are too many.
 * Pure; runs are named after the minute in which they were due, so making one twice makes one.
 */
import { runName, type Triggers } from '../../../api/index.ts';
import { compileCron, lastStart } from '../../../decision/schedule.ts';
import { parseDurationMs } from '../../../duration.ts';
import { phaseOf } from '../../phase.ts';

export interface MadeRun {
  readonly name: string;
  readonly dueMs: number;
  /** Absent while it goes on. */
  readonly endedAtMs?: number | undefined;
  /** It made a version. */
  readonly succeeded: boolean;
}

export interface ScheduleInput {
  readonly name: string;
  readonly uid: string;
  readonly triggers: Triggers;
  readonly suspend: boolean;
  readonly createdAtMs: number;
  /** Of the run that was made, or left out, last. */
  readonly lastDueMs?: number | undefined;
  readonly runs: readonly MadeRun[];
  /** When a run ended last, as it is written: what ended later is not forgotten yet. */
  readonly lastEndMs?: number | undefined;
  readonly nowMs: number;
}

export interface SchedulePlan {
  readonly create?: { readonly name: string; readonly dueMs: number };
  /** Runs that go: they are replaced, or old. */
  readonly remove: readonly string[];
  readonly lastDueMs?: number | undefined;
  readonly nextDueMs?: number | undefined;
  /** Why the run that was due is not made. */
  readonly leftOut?: { readonly reason: string; readonly message: string };
  readonly requeueAfterMs?: number | undefined;
}

export function planSchedule(input: ScheduleInput): SchedulePlan {
  const old = tooMany(input);
  const { schedule, timeZone } = input.triggers;
  if (schedule === undefined) return { remove: old, lastDueMs: input.lastDueMs };
  const cron = compileCron({ schedule, timeZone });
  const { nowMs, suspend, triggers, runs } = input;
  const jitterMs = parseDurationMs(triggers.jitter) * phaseOf(input.uid);
  const due = lastStart(cron, nowMs - jitterMs);
  const upcoming = cron.nextRun(new Date(nowMs - jitterMs))?.getTime();
  const plan: SchedulePlan = {
    remove: old,
    lastDueMs: input.lastDueMs,
    nextDueMs: suspend ? undefined : upcoming,
    requeueAfterMs: suspend || upcoming === undefined ? undefined : Math.max(1, upcoming + jitterMs - nowMs),
  };
  if (suspend || due === undefined || due <= (input.lastDueMs ?? input.createdAtMs)) return plan;
  const done = { ...plan, lastDueMs: due };
  const late = nowMs - jitterMs - due;
  if (late > triggers.startingDeadlineMs) {
    const message = `the run of ${new Date(due).toISOString()} could not start for ${Math.round(late / 1000)} s`;
    return { ...done, leftOut: { reason: 'StartingDeadlineExceeded', message } };
  }
  const active = runs.filter(({ endedAtMs }) => endedAtMs === undefined);
  if (active.length > 0 && triggers.concurrencyPolicy === 'Forbid') {
    const message = `the run of ${new Date(due).toISOString()} is left out: ${active[0]?.name} goes on`;
    return { ...done, leftOut: { reason: 'RunStillActive', message } };
  }
  return {
    ...done,
    remove: [...old, ...active.map(({ name }) => name)],
    create: { name: runName(input.name, due), dueMs: due },
  };
}

function tooMany({ runs, triggers, lastEndMs = 0 }: ScheduleInput): string[] {
  const beyond = (succeeded: boolean, limit: number) =>
    runs
      .filter((run) => run.endedAtMs !== undefined && run.succeeded === succeeded)
      .toSorted((a, b) => b.dueMs - a.dueMs)
      .slice(limit)
      .filter(({ endedAtMs = Infinity }) => endedAtMs <= lastEndMs)
      .map(({ name }) => name);
  return [...beyond(true, triggers.successfulHistoryLimit), ...beyond(false, triggers.failedHistoryLimit)];
}
