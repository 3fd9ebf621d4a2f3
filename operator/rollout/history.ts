/** The record of versions: numbers only grow, and what was once promoted is remembered as such. */
import type { Outcome, RolloutState, VersionRecord } from './types.ts';

export function recordOf(
  { history }: Pick<RolloutState, 'history'>,
  version: number | undefined,
): VersionRecord | undefined {
  return history.find((record) => record.version === version);
}

export function newestRecord({ history }: Pick<RolloutState, 'history'>): VersionRecord | undefined {
  return history.reduce<VersionRecord | undefined>(
    (newest, record) => (newest === undefined || record.version > newest.version ? record : newest),
    undefined,
  );
}

/** The newest that was to become stable: a variant of a test says nothing about what the model asked for before. */
export function newestRollout({ history }: Pick<RolloutState, 'history'>): VersionRecord | undefined {
  const tests: readonly Outcome[] = ['Testing', 'Tested'];
  return newestRecord({ history: history.filter(({ outcome }) => !tests.includes(outcome)) });
}

export function newestOfDigest(
  { history }: Pick<RolloutState, 'history'>,
  digest: string,
): VersionRecord | undefined {
  return newestRecord({ history: history.filter((record) => record.digest === digest) });
}

/** The state with one record changed. */
export function amend(
  state: RolloutState,
  version: number,
  change: (record: VersionRecord) => VersionRecord,
): RolloutState {
  return {
    ...state,
    history: state.history.map((record) => (record.version === version ? change(record) : record)),
  };
}

export function ended(
  outcome: Exclude<Outcome, 'Rolling' | 'Serving' | 'Testing'>,
  endedAtMs: number,
  reason: string,
  message: string,
): (record: VersionRecord) => VersionRecord {
  return (record) => ({ ...record, outcome, endedAtMs, reason, message });
}

/** A version that was given up for what it did or for what a person said, and is not begun again by itself. */
export function wasGivenUp({ outcome }: VersionRecord): boolean {
  return outcome === 'Aborted' || outcome === 'RolledBack' || outcome === 'Undone';
}

/**
 * Drops the oldest records beyond the limit. What has pods is never dropped, and the highest number stays, since the
 * next version counts on from it.
 */
export function prune(state: RolloutState, limit: number): RolloutState {
  const live = new Set([
    state.stable,
    state.canary?.version,
    ...[...state.kept, ...(state.variants ?? [])].map(({ version }) => version),
  ]);
  const newest = [newestRecord(state)?.version, newestRollout(state)?.version];
  const past = state.history.filter(({ version }) => !live.has(version) && !newest.includes(version));
  const dropped = new Set(past.slice(0, Math.max(0, past.length - limit)));
  return dropped.size === 0
    ? state
    : { ...state, history: state.history.filter((record) => !dropped.has(record)) };
}
