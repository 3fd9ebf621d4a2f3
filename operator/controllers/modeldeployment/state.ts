/** The rollout's memory, out of a status and into one: a new leader goes on where the old one was. */
import type { ModelDeploymentStatus, VersionRecord as RecordStatus } from '../../api/index.ts';
import type { Kept, Pods, RolloutState, Share, VersionRecord } from '../../rollout/types.ts';

export function stateOf(status: ModelDeploymentStatus | undefined): RolloutState {
  const { stable, canary, kept = [], traffic = [], history = [], variants } = status ?? {};
  return {
    stable: stable?.version,
    canary:
      canary === undefined
        ? undefined
        : {
            version: canary.version,
            step: canary.step,
            startedAtMs: Date.parse(canary.startedAt),
            stepStartedAtMs: Date.parse(canary.stepStartedAt),
            unreadySinceMs: canary.unreadySince === undefined ? undefined : Date.parse(canary.unreadySince),
          },
    kept: kept.map(
      (entry): Kept => ({
        version: entry.version,
        untilMs: Date.parse(entry.until),
        for: entry.for,
      }),
    ),
    ...(variants === undefined ? {} : { variants: variants.map(({ name, version }) => ({ name, version })) }),
    traffic: traffic.map(
      ({ version, weight, mirrorPercent = 0 }): Share => ({ version, weight, mirrorPercent }),
    ),
    history: history.map(recordOf),
  };
}

function recordOf({
  startedAt,
  endedAt,
  reason,
  message,
  proven = false,
  ...rest
}: RecordStatus): VersionRecord {
  return {
    ...rest,
    proven,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    startedAtMs: Date.parse(startedAt),
    ...(endedAt === undefined ? {} : { endedAtMs: Date.parse(endedAt) }),
  };
}

/** The part of a status that is the rollout's memory. `steps` is the number of the canary's steps. */
export function statusOfState(
  state: RolloutState,
  pods: ReadonlyMap<number, Pods>,
  steps: number,
): Pick<ModelDeploymentStatus, 'stable' | 'canary' | 'variants' | 'kept' | 'traffic' | 'history'> {
  const shown = (version: number) => {
    const share = state.traffic.find((each) => each.version === version);
    return {
      version,
      digest: state.history.find((each) => each.version === version)?.digest ?? '',
      readyReplicas: pods.get(version)?.ready ?? 0,
      weight: share?.weight ?? 0,
    };
  };
  const { stable, canary } = state;
  const mirror = state.traffic.find(({ version }) => version === canary?.version)?.mirrorPercent ?? 0;
  return {
    stable: stable === undefined ? undefined : shown(stable),
    canary:
      canary === undefined
        ? undefined
        : {
            ...shown(canary.version),
            startedAt: timeText(canary.startedAtMs),
            step: canary.step,
            steps,
            stepStartedAt: timeText(canary.stepStartedAtMs),
            unreadySince: canary.unreadySinceMs === undefined ? undefined : timeText(canary.unreadySinceMs),
            shadowPercent: mirror === 0 ? undefined : mirror,
          },
    variants:
      state.variants === undefined || state.variants.length === 0
        ? undefined
        : state.variants.map(({ name, version }) => ({ name, ...shown(version) })),
    kept: state.kept.map(({ version, untilMs, for: why }) => ({
      version,
      until: timeText(untilMs),
      for: why,
    })),
    traffic: state.traffic.map(({ version, weight, mirrorPercent }) => ({
      version,
      weight,
      ...(mirrorPercent === 0 ? {} : { mirrorPercent }),
    })),
    history: state.history.map(({ startedAtMs, endedAtMs, proven, ...rest }) => ({
      ...rest,
      ...(proven ? { proven } : {}),
      startedAt: timeText(startedAtMs),
      ...(endedAtMs === undefined ? {} : { endedAt: timeText(endedAtMs) }),
    })),
  };
}

/** With milliseconds: a step of a second must not end early. */
function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
