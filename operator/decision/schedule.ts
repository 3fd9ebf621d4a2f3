/**
 * Which schedules are active at an instant. A schedule starts at the wall-clock times of its cron expression in its
 * own time zone and lasts for a duration of real time. On the days when clocks change:
 * - a start inside the hour that is skipped happens at the first instant after it;
 * - a start inside the hour that comes twice happens once, the first time, if the hour is fixed; an hourly schedule
 *   starts in both.
 * While it is active its bounds apply exactly as if someone had put them into the spec.
 */
import { Cron } from 'croner';
import type { ActiveSchedule } from './types.ts';

export interface SchedulePlan {
  readonly name: string;
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly schedule: string;
  readonly durationMs: number;
  readonly timeZone: string;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
}

export interface CompiledSchedule {
  readonly plan: SchedulePlan;
  readonly cron: Cron;
}

/** Parsing is the dear part: do it once per generation of the object. Throws what croner throws for a bad text. */
export function compileSchedule(plan: SchedulePlan): CompiledSchedule {
  return { plan, cron: compileCron(plan) };
}

/** Throws what croner throws for a bad text. */
export function compileCron({ schedule, timeZone }: Pick<SchedulePlan, 'schedule' | 'timeZone'>): Cron {
  return new Cron(schedule, { timezone: timeZone, paused: true, mode: '5-part' });
}

/** Active from the start (included) to start + duration (excluded). */
export function activeSchedules(schedules: readonly CompiledSchedule[], atMs: number): ActiveSchedule[] {
  const active: ActiveSchedule[] = [];
  for (const { plan, cron } of schedules) {
    const start = lastStart(cron, atMs);
    if (start === undefined || atMs >= start + plan.durationMs) continue;
    active.push({
      name: plan.name,
      ...(plan.minReplicas === undefined ? {} : { minReplicas: plan.minReplicas }),
      ...(plan.maxReplicas === undefined ? {} : { maxReplicas: plan.maxReplicas }),
      untilMs: start + plan.durationMs,
    });
  }
  return active;
}

/** The next instant at which the answer of `activeSchedules` may change; undefined when it never will. */
export function nextScheduleChange(schedules: readonly CompiledSchedule[], atMs: number): number | undefined {
  let next: number | undefined;
  for (const { plan, cron } of schedules) {
    const start = lastStart(cron, atMs);
    const end = start === undefined ? undefined : start + plan.durationMs;
    const upcoming = cron.nextRun(new Date(atMs))?.getTime();
    for (const change of [end, upcoming]) {
      if (change !== undefined && change > atMs && (next === undefined || change < next)) next = change;
    }
  }
  return next;
}

/** The latest start at or before the instant. croner looks strictly before its reference, hence one more millisecond. */
export function lastStart(cron: Cron, atMs: number): number | undefined {
  return cron.previousRuns(1, new Date(atMs + 1))[0]?.getTime();
}
