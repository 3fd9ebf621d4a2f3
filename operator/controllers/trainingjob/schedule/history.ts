/** What is known of the runs that triggers have started. Pure; it stands in status, since history limits delete runs. */
import { MOST_BUDGET_RUNS, runCauseOf, type TrainingJob, type TriggerHistory } from '../../../api/index.ts';
import type { KubeObject } from '../../../runtime/index.ts';
import type { SignCause } from './signs.ts';

const BY_TRIGGER: ReadonlySet<string> = new Set<SignCause>(['Drift', 'ScoreBreach']);

/** Undefined: it is known that there were none. */
export function historyOf(
  { status }: Pick<TrainingJob, 'status'>,
  runs: readonly KubeObject[],
  nowMs: number,
): TriggerHistory | undefined {
  const { triggerHistory, lastTrigger } = status ?? {};
  if (triggerHistory !== undefined) return triggerHistory;
  // Written before there was a history: of those before the newest nobody knows.
  if (lastTrigger !== undefined) return { startedAt: [lastTrigger.time], unknownBefore: lastTrigger.time };
  // A status that was lost: the runs that are left are not all that there were.
  return runs.some((run) => BY_TRIGGER.has(runCauseOf(run)))
    ? { startedAt: [], unknownBefore: new Date(nowMs).toISOString() }
    : undefined;
}

/**
 * Counted when it is decided on, in the write that decides: a run that is then not made, as one of the schedule came
 * before it, counts too.
 */
export function withStart(history: TriggerHistory | undefined, atMs: number): TriggerHistory {
  const { startedAt = [] } = history ?? {};
  return {
    ...history,
    startedAt: [new Date(atMs).toISOString(), ...startedAt].slice(0, MOST_BUDGET_RUNS),
  };
}
