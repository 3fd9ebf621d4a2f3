/** A spec as the pure rollout reads it: durations in milliseconds, nothing else changed. */
import type { ModelDeploymentSpec, Step as SpecStep } from '../../api/index.ts';
import { parseDurationMs } from '../../duration.ts';
import type { RolloutSettings, Step } from '../../rollout/types.ts';

export function settingsOf(spec: ModelDeploymentSpec, drainMs: number): RolloutSettings {
  const { steps, judge, progressDeadline, postPromotionWatch, paused, promote, abort, retry, undo } =
    spec.rollout;
  return {
    replicas: spec.server.replicas,
    steps: steps.map(stepOf),
    paused,
    promote,
    abort,
    retry,
    undo,
    judge: {
      maxDurationMs: parseDurationMs(judge.maxDuration),
      onInconclusive: judge.onInconclusive,
      onNoData: judge.onNoData,
    },
    progressDeadlineMs: parseDurationMs(progressDeadline),
    watchMs: parseDurationMs(postPromotionWatch),
    drainMs,
    historyLimit: spec.revisionHistoryLimit,
  };
}

function stepOf({ pause, ...step }: SpecStep): Step {
  if (pause === undefined) return step;
  return { pause: pause.duration === undefined ? {} : { durationMs: parseDurationMs(pause.duration) } };
}
