/** What the steps say of the canary at the one that it is at: its weight, and what is copied to it. */
import { recordOf } from './history.ts';
import type { RolloutInput, RolloutState, Step } from './types.ts';

/** The first version of all has nothing to be compared with, and one that was promoted before needs no proof again. */
export function stepsOf(state: RolloutState, { settings }: Pick<RolloutInput, 'settings'>): readonly Step[] {
  const proven = recordOf(state, state.canary?.version)?.proven === true;
  return proven || state.stable === undefined ? [] : settings.steps;
}

export function nameOfKind({
  shadow,
  setWeight,
  pause,
}: Step): 'shadow' | 'setWeight' | 'pause' | 'analysis' {
  if (shadow !== undefined) return 'shadow';
  if (setWeight !== undefined) return 'setWeight';
  return pause === undefined ? 'analysis' : 'pause';
}

/** The weight that the canary should have at its step. */
export function targetWeight(steps: readonly Step[], step: number): number {
  return steps.slice(0, step + 1).findLast(({ setWeight }) => setWeight !== undefined)?.setWeight ?? 0;
}

/** Per cent of the requests that should be copied to the canary at its step. */
export function targetMirror(steps: readonly Step[], step: number): number {
  return steps.slice(0, step + 1).findLast(({ shadow }) => shadow !== undefined)?.shadow?.percent ?? 0;
}
