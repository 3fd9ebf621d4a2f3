/** Phases "promote" and "release": the canary becomes stable, and what it replaced keeps its pods for a while. */
import { enoughReady } from './capacity.ts';
import { stepsOf } from './course.ts';
import { keep, type PlanPhase, tell, weightOf, release as without, withState } from './draft.ts';
import { amend, ended } from './history.ts';
import { undoInForce } from './retarget.ts';
import type { Kept } from './types.ts';

export const promote: PlanPhase = (draft, input) => {
  const { state } = draft;
  const { canary, stable } = state;
  if (canary === undefined || canary.step < stepsOf(state, input).length) return draft;
  // A pause keeps one version from giving way to another; the first of all takes nothing from anybody.
  if (!enoughReady(state, input) || (input.settings.paused && stable !== undefined)) return draft;
  const { nowMs, settings } = input;
  const { version } = canary;
  let next = amend(state, version, (record) => ({ ...record, outcome: 'Serving', proven: true }));
  // What was watched until now has nothing to be watched for any more.
  const drainUntilMs = nowMs + settings.drainMs;
  let kept: readonly Kept[] = state.kept.map((entry) =>
    entry.for === 'Drain'
      ? entry
      : { ...entry, for: 'Drain', untilMs: Math.min(entry.untilMs, drainUntilMs) },
  );
  if (stable !== undefined) {
    const undone = undoInForce(state, input) !== undefined;
    const message = undone ? `undone in favour of version ${version}` : `replaced by version ${version}`;
    next = amend(
      next,
      stable,
      undone
        ? ended('Undone', nowMs, 'UndoneByUser', message)
        : ended('Replaced', nowMs, 'Promoted', message),
    );
    kept = keep(kept, {
      version: stable,
      untilMs: undone ? drainUntilMs : nowMs + settings.watchMs,
      for: undone ? 'Drain' : 'Watch',
    });
  }
  const promoted = { ...next, stable: version, canary: undefined, kept: without(kept, version) };
  return tell(
    withState(draft, promoted),
    'Normal',
    'Promoted',
    `version ${version} serves all of the traffic`,
  );
};

/** Pods whose time is over may go, once no published weight points at them. */
export const releaseKept: PlanPhase = (draft, { nowMs, state: before }) => {
  const { state } = draft;
  const carries = (version: number) =>
    weightOf(before.traffic, version) > 0 || weightOf(state.traffic, version) > 0;
  const kept = state.kept.filter(({ version, untilMs }) => nowMs < untilMs || carries(version));
  return kept.length === state.kept.length ? draft : withState(draft, { ...state, kept });
};
