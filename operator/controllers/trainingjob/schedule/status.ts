/** Status of a TrainingJob that repeats: its runs, and the memory of when the last one was due, triggered and over. */
import {
  runCauseOf,
  runDueMs,
  type TrainingJob,
  type TrainingJobStatus,
  type TrainingRun,
} from '../../../api/index.ts';
import type { KubeObject, NewCondition } from '../../../runtime/index.ts';
import { mergeConditions } from '../status.ts';
import type { MadeRun, SchedulePlan } from './plan.ts';
import type { TriggerPlan } from './triggers.ts';

export type StoredRun = KubeObject & { readonly status?: TrainingJobStatus };

const MOST_RUNS = 256;

export function madeRun({ metadata: { name }, status = {} }: StoredRun): MadeRun {
  return {
    name,
    dueMs: runDueMs(name),
    endedAtMs: timeOf(status.completionTime),
    succeeded: status.phase === 'Complete',
  };
}

/**
 * When a run ended last. One that went on when it was seen last and is not there any more has ended by somebody's hand,
 * or has been deleted by its own wish before its end was seen.
 */
export function lastEndOf(
  { status }: Pick<TrainingJob, 'status'>,
  runs: readonly MadeRun[],
  nowMs: number,
): number | undefined {
  const vanished = status?.runs?.some(
    ({ name, endedAt }) => endedAt === undefined && !runs.some((run) => run.name === name),
  );
  const ends = [
    timeOf(status?.lastEndTime),
    vanished === true ? nowMs : undefined,
    ...runs.map(({ endedAtMs }) => endedAtMs),
  ].filter((ms) => ms !== undefined);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

export interface ScheduleReport {
  readonly object: TrainingJob;
  readonly schedule: SchedulePlan;
  /** Absent without `triggers`. */
  readonly trigger: TriggerPlan | undefined;
  readonly runs: readonly StoredRun[];
  readonly lastEndMs: number | undefined;
  readonly nowMs: number;
}

export function scheduleStatus(report: ScheduleReport): TrainingJobStatus {
  const { object, schedule, trigger, runs, lastEndMs, nowMs } = report;
  const { generation } = object.metadata;
  const { suspend } = object.spec;
  const succeeded = runs
    .filter(({ status }) => status?.producedVersion !== undefined)
    .map(({ status }) => status?.completionTime ?? '')
    .sort()
    .at(-1);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase: suspend ? 'Suspended' : 'Scheduled',
    lastScheduleTime: textOf(schedule.lastDueMs),
    nextScheduleTime: textOf(schedule.nextDueMs),
    lastSuccessfulTime: succeeded ?? object.status?.lastSuccessfulTime,
    lastEndTime: textOf(lastEndMs),
    lastTrigger:
      trigger?.decided === undefined
        ? object.status?.lastTrigger
        : { cause: trigger.decided.cause, time: new Date(trigger.decided.atMs).toISOString() },
    triggerHistory: trigger === undefined ? object.status?.triggerHistory : trigger.history,
    runs: runs
      .map(runStatus)
      .sort((a, b) => b.startedAt.localeCompare(a.startedAt))
      .slice(0, MOST_RUNS),
    conditions: mergeConditions(
      object,
      [suspended(suspend), ...(trigger === undefined ? [] : [trigger.condition])],
      nowMs,
    ),
  };
}

function suspended(suspend: boolean): NewCondition {
  const type = 'Suspended';
  return suspend
    ? { type, status: 'True', reason: 'Suspended', message: 'spec.suspend is set; no run is made' }
    : { type, status: 'False', reason: 'Scheduled', message: 'runs are made when they are due' };
}

function runStatus(run: StoredRun): TrainingRun {
  const { metadata, status = {} } = run;
  const { phase = 'Pending', completionTime, producedVersion, conditions = [] } = status;
  const reason = conditions.find(({ type }) => type === phase)?.reason;
  return {
    name: metadata.name,
    cause: runCauseOf(run),
    phase,
    startedAt: new Date(runDueMs(metadata.name)).toISOString(),
    ...(reason === undefined ? {} : { reason }),
    ...(completionTime === undefined ? {} : { endedAt: completionTime }),
    ...(producedVersion === undefined ? {} : { version: producedVersion.version }),
  };
}

export function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function textOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
