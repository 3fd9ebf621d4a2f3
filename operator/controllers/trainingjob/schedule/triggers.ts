/**
 * Whether a sign starts a run now. Pure, and its memory is the status alone: the decision is written first, and the run
 * is made from what was written, under a name that follows from it; so a crash anywhere makes one run, never two.
 */
import {
  type BudgetReason,
  budgetUse,
  runDueMs,
  runName,
  type TriggerBudget,
  type TriggerHistory,
} from '../../../api/index.ts';
import { parseDurationMs } from '../../../duration.ts';
import type { NewCondition } from '../../../runtime/index.ts';
import { withStart } from './history.ts';
import type { MadeRun } from './plan.ts';
import type { Sign } from './signs.ts';

export interface Decision {
  readonly name: string;
  /** Those that are there, and the one that the schedule makes now. */
  readonly runs: readonly MadeRun[];
  readonly lastTriggerMs?: number | undefined;
  readonly lastTriggerCause?: Sign['cause'] | undefined;
  /** When a run ended last, by whatever it was started. */
  readonly lastEndMs?: number | undefined;
}

export interface TriggerInput extends Decision {
  readonly coolDown: string;
  readonly budget?: TriggerBudget | undefined;
  /** Undefined: triggers have started none. */
  readonly history?: TriggerHistory | undefined;
  readonly suspend: boolean;
  /** There is something to watch. */
  readonly watched: boolean;
  readonly sign: Sign | undefined;
  readonly nowMs: number;
}

export interface TriggerPlan {
  /** To be written; acted on in the next pass. */
  readonly decided?: {
    readonly atMs: number;
    readonly cause: Sign['cause'];
    /** It is the last that the budget allows, in a sentence for people. */
    readonly spent?: string;
  };
  readonly create?: { readonly name: string; readonly dueMs: number; readonly cause: Sign['cause'] };
  /** With what is decided on. */
  readonly history: TriggerHistory | undefined;
  readonly condition: NewCondition;
  readonly requeueAfterMs?: number | undefined;
}

export function planTrigger(input: TriggerInput): TriggerPlan {
  return { history: input.history, ...step(input) };
}

function step(input: TriggerInput): Partial<TriggerPlan> & Pick<TriggerPlan, 'condition'> {
  const { sign, runs, suspend, nowMs } = input;
  const active = runs.find(({ endedAtMs }) => endedAtMs === undefined);
  const waiting = decidedRun(input);
  // A run that was started meanwhile by something else is the answer to the sign.
  if (waiting !== undefined && active === undefined && !suspend)
    return {
      create: waiting,
      condition: said('True', waiting.cause, sign?.message ?? `${waiting.name} is made`),
    };
  if (active !== undefined && sign !== undefined)
    return { condition: said('True', sign.cause, `${sign.message}; ${active.name} goes on`) };
  if (sign === undefined)
    return {
      condition: input.watched
        ? said('False', 'NoSign', 'no selected PredictiveScaler reports what triggers wait for')
        : said('False', 'NoScalers', 'data.predictiveScalers.selector selects none'),
    };
  if (suspend) return { condition: said('False', 'Suspended', `${sign.message}; spec.suspend is set`) };
  const rest = restOf(input);
  if (nowMs < rest.untilMs) {
    return {
      condition: said('False', rest.reason, `${sign.message}; ${wordsOf(rest)}`),
      requeueAfterMs: rest.untilMs - nowMs,
    };
  }
  const history = withStart(input.history, nowMs);
  const spent = restOf({ ...input, history });
  return {
    decided: {
      atMs: nowMs,
      cause: sign.cause,
      ...(spent.reason === 'BudgetSpent' ? { spent: wordsOf(spent) } : {}),
    },
    history,
    condition: said('True', sign.cause, sign.message),
  };
}

interface Rest {
  readonly reason: 'CoolDown' | BudgetReason;
  readonly budget?: TriggerBudget;
  readonly untilMs: number;
}

/** How long a sign starts nothing. Of two that hold it back the budget is said: it is the one that people have to know of. */
function restOf({ lastEndMs, lastTriggerMs, coolDown, budget, history, nowMs }: TriggerInput): Rest {
  const coolMs = Math.max(lastEndMs ?? -Infinity, lastTriggerMs ?? -Infinity) + parseDurationMs(coolDown);
  const spent = budget && budgetUse(budget, history, nowMs).spent;
  return budget === undefined || spent === undefined
    ? { reason: 'CoolDown', untilMs: coolMs }
    : { reason: spent.reason, budget, untilMs: Math.max(coolMs, spent.untilMs) };
}

function wordsOf({ reason, budget, untilMs }: Rest): string {
  const until = `the next run may start at ${new Date(untilMs).toISOString()}`;
  if (budget === undefined) return until;
  const { runs, per } = budget;
  return reason === 'BudgetSpent'
    ? `triggers.budget of ${runs} within ${per} is spent; ${until}`
    : `how much of triggers.budget is spent is not known; ${until}`;
}

/** The run that was decided on, while it has not been made. */
export function decidedRun({ name, runs, lastTriggerMs, lastTriggerCause, lastEndMs }: Decision) {
  if (lastTriggerMs === undefined || (lastEndMs !== undefined && lastEndMs >= lastTriggerMs))
    return undefined;
  const made = runName(name, lastTriggerMs);
  if (runs.some((run) => run.name === made)) return undefined;
  return { name: made, dueMs: runDueMs(made), cause: lastTriggerCause ?? 'Drift' } as const;
}

function said(status: NewCondition['status'], reason: string, message: string): NewCondition {
  return { type: 'Triggered', status, reason, message };
}
