/** What each look at a target's pods teaches: how long a pod takes to start, and what a replica has been seen to carry. */
import { perReplica } from '../../decision/need/per-replica.ts';
import type { DecisionSpec, MetricPlan, PodView } from '../../decision/types.ts';
import type { PodStart } from '../../forecast/types.ts';
import type { Learned } from './learned.ts';
import { isReady, type Pod, podStart } from './pods.ts';

/** The pods at the last look, to see what became of them. */
export interface PodsSeen {
  readonly readyUids: ReadonlySet<string>;
  readonly restarts: number;
  /** Load step of the last capacity observation. */
  readonly step: number;
}

export interface TargetLook {
  readonly learned: Learned;
  readonly before: PodsSeen | undefined;
  readonly pods: readonly Pod[];
  readonly views: readonly PodView[];
  readonly plans: readonly MetricPlan[];
  /** Absolute loads, aligned with `plans`. */
  readonly loads: readonly (number | undefined)[];
  /** Load time and step. */
  readonly nowMs: number;
  readonly stepMs: number;
  /** A pod's start with the best times known. */
  readonly startOf: (pod: Pod) => PodStart;
}

export function learnFromTarget(look: TargetLook): PodsSeen {
  const { learned, before, pods, stepMs, nowMs } = look;
  for (const pod of pods) learned.lead.observe(look.startOf(pod));
  const ready = pods.filter(isReady);
  const readyUids = new Set(ready.map((pod) => pod.metadata.uid ?? ''));
  const restarts = pods.reduce((sum, pod) => sum + podStart(pod).restarts, 0);
  const step = Math.floor(nowMs / stepMs);
  // One observation per step, over pods that were there at both of its ends.
  if (before === undefined || before.step === step) return { readyUids, restarts, step };
  const staying = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const lost = staying.some(({ metadata: { uid = '' } }) => before.readyUids.has(uid) && !readyUids.has(uid));
  const healthy = !lost && restarts <= before.restarts;
  const readyReplicas = ready.filter(({ metadata: { uid = '' } }) => before.readyUids.has(uid)).length;
  for (const [i, plan] of look.plans.entries()) {
    const load = look.loads[i];
    const target = targetPerReplica(plan, look.views);
    if (load === undefined || target === undefined || readyReplicas < ready.length) continue;
    learned.capacity(plan).observe({ load, readyReplicas, healthy }, target);
  }
  return { readyUids, restarts, step };
}

/** Milli per replica and metric; undefined while there is no evidence beyond the target. */
export function learnedCapacities(
  learned: Learned,
  plans: readonly MetricPlan[],
  views: readonly PodView[],
): (number | undefined)[] {
  return plans.map((plan) => {
    const target = targetPerReplica(plan, views);
    const capacity = target === undefined ? undefined : learned.capacity(plan).capacity(target);
    return capacity === undefined ? undefined : capacity * 1000;
  });
}

/** What a replica carries and what the reactive rule beside the forecast aims at, in the metric's unit. */
export interface Carries {
  readonly capacity: number;
  readonly reactiveTarget: number;
}

/** Undefined where a load cannot be turned into replicas. `learnedMilli` as of `learnedCapacities`. */
export function carriesOf(
  { objective, metrics }: Pick<DecisionSpec, 'objective' | 'metrics'>,
  learnedMilli: readonly (number | undefined)[],
  views: readonly PodView[],
): (Carries | undefined)[] {
  return metrics.map((plan, i) => {
    const carries = perReplica(plan, learnedMilli[i], views);
    const target = targetPerReplica(plan, views);
    if (carries === undefined || target === undefined) return undefined;
    const capacity = carries.milli / 1000;
    return { capacity, reactiveTarget: objective === 'Efficiency' ? capacity : target };
  });
}

/** In the metric's unit, whatever capacity the user has named. */
function targetPerReplica(plan: MetricPlan, views: readonly PodView[]): number | undefined {
  const { capacityMilli: _, ...bare } = plan;
  const carries = perReplica(bare, undefined, views);
  return carries === undefined ? undefined : carries.milli / 1000;
}
