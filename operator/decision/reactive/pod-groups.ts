/**
 * Which pods speak for the load. A pod that goes away or failed is dropped; one that cannot serve yet is unready;
 * one that should serve but has no sample is missing. HPA treats each of them in its own careful way.
 */
import type { PodSample } from '../../observation.ts';
import type { PodView, ReactiveTuning } from '../types.ts';

export interface PodGroups {
  /** Pods with a sample that counts. */
  readonly readyCount: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  /** Going away or failed: their samples must not count. */
  readonly dropped: ReadonlySet<string>;
}

/** @param resource the resource's name for Resource and ContainerResource metrics, undefined for Pods metrics. */
export function groupPods(
  pods: readonly PodView[],
  samples: ReadonlyMap<string, PodSample>,
  resource: string | undefined,
  tuning: ReactiveTuning,
  nowMs: number,
): PodGroups {
  const unready = new Set<string>();
  const missing = new Set<string>();
  const dropped = new Set<string>();
  let readyCount = 0;
  for (const pod of pods) {
    const sample = samples.get(pod.name);
    if (pod.deleting || pod.phase === 'Failed') dropped.add(pod.name);
    else if (pod.phase === 'Pending') unready.add(pod.name);
    else if (sample === undefined) missing.add(pod.name);
    // Only CPU lies during a start (compiling, warming caches); other metrics count as soon as they exist.
    else if (resource === 'cpu' && cpuIsMisleading(pod, sample, tuning, nowMs)) unready.add(pod.name);
    else readyCount += 1;
  }
  return { readyCount, unready, missing, dropped };
}

function cpuIsMisleading(
  { ready, startTimeMs }: PodView,
  sample: PodSample,
  tuning: ReactiveTuning,
  nowMs: number,
): boolean {
  if (ready === undefined || startTimeMs === undefined) return true;
  const notReady = ready.status === 'False';
  if (startTimeMs + tuning.cpuInitializationMs > nowMs) {
    // Still starting: wait for one whole window of samples after the last change of readiness.
    return notReady || sample.at < ready.lastTransitionMs + sample.windowMs;
  }
  // Old enough to have started: its CPU counts unless it has never been ready at all.
  return notReady && startTimeMs + tuning.initialReadinessDelayMs > ready.lastTransitionMs;
}

/** Pods that are running and Ready: what Value targets multiply with. */
export function countReadyPods(pods: readonly PodView[]): number {
  return pods.filter((pod) => pod.phase === 'Running' && pod.ready?.status === 'True').length;
}
