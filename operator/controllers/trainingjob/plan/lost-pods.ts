/** Pods that should be gone and are on a node that is lost: nobody but the operator takes them away. */
import { soonest, stuckSince } from './time.ts';
import type { Action, Observed, SeenPod } from './types.ts';

export interface LostPods {
  readonly actions: readonly Action[];
  /** Until the next of them is taken for lost. */
  readonly lookInMs: number | undefined;
}

export function lostPods(
  pods: readonly SeenPod[],
  { settings, nowMs }: Pick<Observed, 'settings' | 'nowMs'>,
): LostPods {
  const lostIn = pods.map((pod) => stuckSince(pod, settings.fencingMs) - nowMs);
  return {
    actions: pods
      .filter((_, i) => lostIn[i]! <= 0)
      .map(({ name }): Action => ({ kind: 'deletePod', name, graceMs: 0 })),
    lookInMs: soonest(...lostIn.filter((time) => time > 0 && time < Infinity)),
  };
}
