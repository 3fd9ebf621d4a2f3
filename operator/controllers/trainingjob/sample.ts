/** What one pass has moved, for whoever counts runs. */
import { RUN_ENDS, type RunEnd, type RunSample } from '../../observability/training-metrics.ts';
import { CAUSES, type Phase, type RunState } from './plan/types.ts';

/** @param restartName the cause as status and metrics write it */
export function sampleOf(
  run: { readonly namespace: string; readonly name: string; readonly phase: Phase },
  before: RunState,
  after: RunState,
  restartName: (cause: (typeof CAUSES)[number]) => string,
): RunSample {
  const { outcome, startedAtMs } = after;
  const ended = before.outcome === undefined && outcome !== undefined;
  return {
    ...run,
    progress: after.progress,
    restarted: Object.fromEntries(
      CAUSES.map((cause) => [
        restartName(cause),
        (after.restarts[cause] ?? 0) - (before.restarts[cause] ?? 0),
      ]),
    ),
    ended: ended
      ? { how: endOf(outcome), seconds: (outcome.atMs - (startedAtMs ?? outcome.atMs)) / 1000 }
      : undefined,
  };
}

function endOf({ type, reason }: NonNullable<RunState['outcome']>): RunEnd {
  const word = type === 'Complete' ? type : reason;
  return RUN_ENDS.find((each) => each === word) ?? 'Other';
}
