/** The steps that every part of the plan is made of. */
import type {
  Action,
  Attempt,
  Cause,
  Finding,
  Now,
  Observed,
  Outcome,
  Plan,
  RunEvent,
  RunState,
} from './types.ts';

export function plan({ state }: Pick<Observed, 'state'>, made: Partial<Plan> & { readonly now: Now }): Plan {
  return { state, actions: [], events: [], ...made };
}

/** Nothing has moved: do what is to be done. */
export function act(
  observed: Pick<Observed, 'state'>,
  actions: readonly Action[],
  now: Now,
  requeueAfterMs?: number,
): Plan {
  return plan(observed, { actions, now, requeueAfterMs });
}

/** The state moves on; what follows from it is done when it stands in status. */
export function move(state: RunState, now: Now, ...events: readonly RunEvent[]): Plan {
  return { state, actions: [], now, events };
}

/** @param before the attempt that ended, if there was one */
export function take(observed: Observed, before?: Attempt): Plan {
  const { state, settings, attempts, nowMs } = observed;
  // Nobody knows what it would have been allowed to be: an attempt on CPU would make those after it go by CPU, too.
  if (settings.refusal !== undefined) return act(observed, [], { phase: 'Pending', ...settings.refusal });
  const { ended } = before ?? {};
  const searches = searchesNext(observed, before);
  const wanted = (searches ? settings.searchNodes : undefined) ?? settings.nodes;
  const attempt: Attempt = {
    // Also above those that no status knows of: a number that was used is no fence.
    number: Math.max(before?.number ?? 0, ...attempts.map((each) => each.number)) + 1,
    ...(searches ? { searches } : {}),
    nodes: Math.min(ended?.nextNodes ?? wanted, wanted),
    onCpu: !settings.gpu || ended?.cause === 'CpuFallback' || before?.onCpu === true,
    createdAtMs: nowMs,
    ...(ended === undefined ? {} : { after: ended.cause }),
  };
  const { number, nodes } = attempt;
  const { progress: _, ...untold } = state;
  // Trials are no steps.
  const known = before === undefined || before.searches === searches ? state : untold;
  const message = `attempt ${number} ${searches ? 'searches' : 'starts'} with ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`;
  return move(
    { ...known, attempt, startedAtMs: state.startedAtMs ?? nowMs },
    { phase: 'Pending', reason: 'Starting', message },
    { type: 'Normal', reason: 'AttemptStarted', message },
  );
}

/** A search is over when its Job is complete, and then it stays over. */
function searchesNext({ settings }: Observed, before: Attempt | undefined): true | undefined {
  const open = before === undefined ? settings.searchNodes !== undefined : before.searches === true;
  return open && before?.ended?.cause !== 'Searched' ? true : undefined;
}

/** Ends that nothing is wrong with. */
const ORDERLY = new Set<Cause>(['Suspended', 'NeverStarted', 'Searched']);

export function end(
  observed: Observed,
  attempt: Attempt,
  finding: Finding & { readonly nextNodes?: number },
): Plan {
  const { state, nowMs } = observed;
  const { cause, message } = finding;
  return move(
    { ...state, attempt: { ...attempt, ended: { ...finding, atMs: nowMs } } },
    takingDown(attempt, finding),
    {
      type: ORDERLY.has(cause) ? 'Normal' : 'Warning',
      reason: `Attempt${cause}`,
      message: `attempt ${attempt.number} has ended: ${message}`,
    },
  );
}

export function takingDown({ number }: Attempt, { cause, message }: Finding): Now {
  if (cause === 'Searched') return { phase: 'Searching', reason: cause, message };
  return cause === 'Suspended'
    ? { phase: 'Suspended', reason: 'Stopping', message: 'the pods write a checkpoint and end' }
    : { phase: 'Pending', reason: cause, message: `attempt ${number} is taken down: ${message}` };
}

export function finish(
  observed: Observed,
  outcome: Omit<Outcome, 'atMs'>,
  more: Partial<RunState> = {},
): Plan {
  const { type, reason, message } = outcome;
  return move(
    { ...observed.state, ...more, outcome: { ...outcome, atMs: observed.nowMs } },
    { phase: type, reason, message },
    {
      type: type === 'Complete' ? 'Normal' : 'Warning',
      reason: type === 'Complete' ? 'RunCompleted' : 'RunFailed',
      message: `${reason}: ${message}`,
    },
  );
}
