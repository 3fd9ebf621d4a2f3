/** Phase "accelerator": a version for which no node with a GPU has had room in time is served by CPU from then on. */
import { type PlanPhase, tell, withState } from './draft.ts';
import { amend, recordOf } from './history.ts';
import type { RolloutCondition, RolloutInput, RolloutState } from './types.ts';

export const fallBackToCpu: PlanPhase = (draft, { settings: { gpuFallbackMs }, pods, nowMs }) => {
  if (gpuFallbackMs === undefined) return draft;
  return [...pods].reduce((next, [version, { unschedulableSinceMs: since }]) => {
    const record = recordOf(next.state, version);
    if (since === undefined || nowMs - since < gpuFallbackMs || record === undefined || record.onCpu === true)
      return next;
    const state = amend(next.state, version, (each) => ({ ...each, onCpu: true }));
    const message = `version ${version}: no node with a GPU had room in time, so it is served by CPU`;
    return tell(withState(next, state), 'Warning', 'CpuFallback', message);
  }, draft);
};

/** Present where a GPU is asked for. */
export function acceleratedCondition(
  state: RolloutState,
  { settings: { asksForGpu, gpuFallbackMs }, pods }: RolloutInput,
): readonly RolloutCondition[] {
  if (asksForGpu !== true) return [];
  const live = [state.stable, state.canary?.version];
  const onCpu = state.history.filter(({ version, onCpu: is }) => is === true && live.includes(version));
  const type = 'Accelerated';
  const waiting = live.filter(
    (version) =>
      version !== undefined &&
      pods.get(version)?.unschedulableSinceMs !== undefined &&
      recordOf(state, version)?.onCpu !== true,
  );
  if (waiting.length > 0) {
    const then =
      gpuFallbackMs === undefined
        ? ''
        : `; it is served by CPU when none has for ${gpuFallbackMs / 60_000} minutes`;
    const message = `version ${waiting.join(', ')}: no node with a GPU has room${then}`;
    return [{ type, status: 'Unknown', reason: 'WaitingForGpu', message }];
  }
  if (onCpu.length === 0)
    return [{ type, status: 'True', reason: 'Gpu', message: 'every version has the GPU that it asks for' }];
  const versions = onCpu.map(({ version }) => version).join(', ');
  return [{ type, status: 'False', reason: 'CpuFallback', message: `served by CPU: version ${versions}` }];
}
