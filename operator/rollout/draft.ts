/** What the phases of a plan hand on: the state as it will be, and what is told about the change. */
import { amend, ended } from './history.ts';
import type { Kept, Outcome, RolloutEvent, RolloutInput, RolloutState, Share } from './types.ts';

export interface Draft {
  readonly state: RolloutState;
  readonly events: readonly RolloutEvent[];
}

/** One phase: pure, and the same draft again when there is nothing to do. */
export type PlanPhase = (draft: Draft, input: RolloutInput) => Draft;

export function tell(draft: Draft, type: RolloutEvent['type'], reason: string, message: string): Draft {
  return { ...draft, events: [...draft.events, { type, reason, message }] };
}

export function withState(draft: Draft, state: RolloutState): Draft {
  return { ...draft, state };
}

export function weightOf(shares: readonly Share[], version: number | undefined): number {
  return shares.find((share) => share.version === version)?.weight ?? 0;
}

export function mirrorOf(shares: readonly Share[], version: number | undefined): number {
  return shares.find((share) => share.version === version)?.mirrorPercent ?? 0;
}

/** The version keeps its pods for a while; what it was kept for before is over. */
export function keep(kept: readonly Kept[], entry: Kept): readonly Kept[] {
  return [...kept.filter(({ version }) => version !== entry.version), entry];
}

export function release(kept: readonly Kept[], version: number): readonly Kept[] {
  return kept.filter((entry) => entry.version !== version);
}

/** Takes the canary out of the way: its weight is gone with this plan, its pods when it has drained. */
export function dropCanary(
  draft: Draft,
  { nowMs, settings }: RolloutInput,
  outcome: Extract<Outcome, 'Aborted' | 'Superseded' | 'Undone'>,
  reason: string,
  message: string,
): Draft {
  const { state } = draft;
  if (state.canary === undefined) return draft;
  const { version } = state.canary;
  const amended = amend(state, version, ended(outcome, nowMs, reason, message));
  const entry: Kept = { version, untilMs: nowMs + settings.drainMs, for: 'Drain' };
  const dropped = { ...amended, canary: undefined, kept: keep(state.kept, entry) };
  const type = outcome === 'Aborted' ? 'Warning' : 'Normal';
  return tell(withState(draft, dropped), type, `Canary${outcome}`, `version ${version}: ${message}`);
}
