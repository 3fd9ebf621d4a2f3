/** A spec as the pure rollout reads it: durations in milliseconds, nothing else changed. */
import type { ModelDeploymentSpec, Server, Step as SpecStep } from '../../api/index.ts';
import { parseDurationMs } from '../../duration.ts';
import type { RolloutSettings, Step } from '../../rollout/types.ts';

const AUTO_FALLBACK_MS = 10 * 60_000;

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
    asksForGpu: spec.server.gpu !== undefined,
    gpuFallbackMs: gpuFallbackMs(spec.server),
    watchMs: parseDurationMs(postPromotionWatch),
    drainMs,
    historyLimit: spec.revisionHistoryLimit,
    variants: spec.abTest?.variants.map(({ name, storageUri, sha256, weight }) => ({
      name,
      storageUri,
      digest: sha256,
      weight,
    })),
  };
}

/** `auto` means that a CPU will do; `nvidia` that only a word of the user lets it. */
function gpuFallbackMs({ accelerator, gpu }: Server): number | undefined {
  if (gpu === undefined) return undefined;
  if (gpu.fallbackAfter !== undefined) return parseDurationMs(gpu.fallbackAfter);
  return accelerator === 'auto' ? AUTO_FALLBACK_MS : undefined;
}

function stepOf({ pause, ...step }: SpecStep): Step {
  if (pause === undefined) return step;
  return { pause: pause.duration === undefined ? {} : { durationMs: parseDurationMs(pause.duration) } };
}
