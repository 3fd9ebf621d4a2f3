/**
 * How many runs triggers may start yet. Pure; schedule and `foresail train status` count the same. The window moves on
 * with the clock, so there is no hour at which all of it comes back.
 */
import { parseDurationMs } from '../../duration.ts';
import type { TrainingJobStatus } from './status.ts';
import type { TriggerBudget } from './triggers.ts';

export type TriggerHistory = NonNullable<TrainingJobStatus['triggerHistory']>;

export type BudgetReason = 'BudgetSpent' | 'BudgetUnknown';

export interface BudgetUse {
  /** Runs within the window, of those that are known. */
  readonly used: number;
  /** Why none may start now: it is spent, or nobody knows whether it is. */
  readonly spent?: { readonly reason: BudgetReason; readonly untilMs: number };
}

/** @param history undefined: it is known that triggers have started none */
export function budgetUse(
  { runs, per }: TriggerBudget,
  history: TriggerHistory | undefined,
  nowMs: number,
): BudgetUse {
  const perMs = parseDurationMs(per);
  const ends = (history?.startedAt ?? [])
    .map((time) => Date.parse(time) + perMs)
    .filter((end) => end > nowMs)
    .toSorted((a, b) => b - a);
  // When it leaves the window, one fewer than `runs` are in it.
  const spentMs = ends[runs - 1] ?? -Infinity;
  const unknownMs =
    history?.unknownBefore === undefined ? -Infinity : Date.parse(history.unknownBefore) + perMs;
  const untilMs = Math.max(spentMs, unknownMs);
  if (untilMs <= nowMs) return { used: ends.length };
  const reason = spentMs >= unknownMs ? 'BudgetSpent' : 'BudgetUnknown';
  return { used: ends.length, spent: { reason, untilMs } };
}
