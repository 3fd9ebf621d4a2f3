/** When the alarm came up and went. */
import type { DriftReport } from '../monitor.ts';
import type { DriftSign } from '../signs.ts';

export interface Alarm {
  readonly by: DriftSign;
  readonly fromMinute: number;
  /** Absent when it was still up at the end. */
  readonly toMinute?: number;
}

export function noteAlarm(
  alarms: Alarm[],
  { drifting, by }: Pick<DriftReport, 'drifting' | 'by'>,
  minute: number,
): void {
  const last = alarms.at(-1);
  const open = last !== undefined && last.toMinute === undefined;
  if (drifting && by !== undefined && !open) alarms.push({ by, fromMinute: minute });
  else if (!drifting && open) alarms[alarms.length - 1] = { ...last, toMinute: minute };
}
