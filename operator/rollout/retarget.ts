/**
 * Phase "retarget": which version should be rolling out, if any. A person's undo comes first, then what the model's
 * source asks for. When another one is on its way already, that one goes back first: the new one begins in a later
 * plan, when no published weight is anything but stable's.
 */
import { type Draft, dropCanary, type PlanPhase, release, tell, withState } from './draft.ts';
import { amend, newestOfDigest, newestRecord, newestRollout, recordOf, wasGivenUp } from './history.ts';
import type { RolloutInput, RolloutState, VersionRecord } from './types.ts';
import { isTested } from './variants.ts';

export const retarget: PlanPhase = (draft, input) => {
  const undo = undoInForce(draft.state, input);
  return undo === undefined ? followModel(draft, input) : bringBack(draft, input, undo);
};

/** The version to return to, while the model asks for the one that is undone and no newer one exists. */
export function undoInForce(
  state: RolloutState,
  { settings: { undo }, wanted }: Pick<RolloutInput, 'settings' | 'wanted'>,
): VersionRecord | undefined {
  if (undo === undefined || undo.to === undo.version) return undefined;
  const newest = newestRollout(state);
  if (newest?.version !== undo.version) return undefined;
  const to = recordOf(state, undo.to);
  if (to === undefined || !to.proven || wasGivenUp(to)) return undefined;
  return wanted === undefined || [newest.digest, to.digest].includes(wanted.digest) ? to : undefined;
}

function bringBack(draft: Draft, input: RolloutInput, to: VersionRecord): Draft {
  const { stable, canary } = draft.state;
  if (canary?.version === to.version) return draft;
  if (canary !== undefined)
    return dropCanary(draft, input, 'Undone', 'UndoneByUser', `undone in favour of version ${to.version}`);
  if (stable === to.version || !isQuiet(draft.state)) return draft;
  return begin(draft, input, to, `returning to version ${to.version}`);
}

function followModel(draft: Draft, input: RolloutInput): Draft {
  const { wanted } = input;
  const { state } = draft;
  if (wanted === undefined) return draft;
  const stable = recordOf(state, state.stable);
  const canary = recordOf(state, state.canary?.version);
  const current = [stable, canary].find((record) => record?.digest === wanted.digest);
  if (current !== undefined) {
    const next = withState(draft, moved(state, current, wanted.storageUri));
    return current === stable
      ? dropCanary(next, input, 'Superseded', 'ModelChanged', 'the model is that of stable again')
      : next;
  }
  if (state.canary !== undefined)
    return dropCanary(draft, input, 'Superseded', 'ModelChanged', 'the model asks for another version');
  if (isTested(state, input.settings)) return draft;
  const known = newestOfDigest(state, wanted.digest);
  const newest = newestRollout(state)?.version ?? 0;
  const retried = known !== undefined && input.settings.retry?.version === known.version;
  // An aborted version is not revived: it takes a person, or another model in between.
  if (known !== undefined && wasGivenUp(known) && known.version === newest && !retried) return draft;
  if (!isQuiet(state)) return draft;
  if (known?.outcome === 'Replaced')
    return begin(draft, input, known, `returning to version ${known.version}, which has served before`);
  if (known?.outcome === 'Tested')
    return begin(draft, input, known, `version ${known.version}, which was tested, has begun`);
  const version = (newestRecord(state)?.version ?? 0) + 1;
  const { nowMs: startedAtMs } = input;
  const record: VersionRecord = { version, ...wanted, outcome: 'Rolling', proven: false, startedAtMs };
  const added = withState(draft, { ...state, history: [...state.history, record] });
  return begin(added, input, record, `version ${version} has begun`);
}

/** The same file behind another address is the same version. */
function moved(state: RolloutState, { version, storageUri }: VersionRecord, to: string): RolloutState {
  return storageUri === to ? state : amend(state, version, (record) => ({ ...record, storageUri: to }));
}

/** What is published may still be acted on: none begins while one that was dropped may get traffic. */
function isQuiet({ traffic, stable, kept, variants = [] }: RolloutState): boolean {
  const others = [...kept.filter((entry) => entry.for === 'Watch'), ...variants].map(
    ({ version }) => version,
  );
  return traffic.every(({ version }) => version === stable || others.includes(version));
}

function begin(draft: Draft, { nowMs }: RolloutInput, record: VersionRecord, message: string): Draft {
  const { state } = draft;
  const { version } = record;
  // What is begun anew waits for a GPU anew.
  const { endedAtMs: _endedAtMs, reason: _reason, message: _message, onCpu: _onCpu, ...rest } = record;
  const begun = amend(state, version, () => ({ ...rest, outcome: 'Rolling' }));
  const canary = { version, startedAtMs: nowMs, step: 0, stepStartedAtMs: nowMs };
  const next = { ...begun, canary, kept: release(state.kept, version) };
  return tell(withState(draft, next), 'Normal', 'RolloutStarted', message);
}
