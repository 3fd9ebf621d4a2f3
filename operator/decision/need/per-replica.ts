/**
 * What one replica carries, in the unit that the load path is in: the capacity that the user gave, else the learned
 * one, else the target, which is the cautious guess while nothing better is known.
 */

import { requestsOf } from '../reactive/requests.ts';
import type { MetricPlan, NeedOfMetric, PodView } from '../types.ts';

export interface PerReplica {
  readonly milli: number;
  readonly from: NeedOfMetric['perReplicaFrom'];
}

/** Undefined for Value targets (a ratio says nothing about load per replica) and for a utilisation without requests. */
export function perReplica(
  plan: MetricPlan,
  learnedMilli: number | undefined,
  pods: readonly PodView[],
): PerReplica | undefined {
  if (plan.target.kind === 'Value') return undefined;
  if (isPositive(plan.capacityMilli)) return { milli: plan.capacityMilli, from: 'spec' };
  if (isPositive(learnedMilli)) return { milli: learnedMilli, from: 'learned' };
  if (plan.target.kind === 'AverageValue') return { milli: plan.target.milli, from: 'target' };
  const request = averageRequest(pods, plan);
  return request === undefined ? undefined : { milli: (request * plan.target.percent) / 100, from: 'target' };
}

/** Average request of the pods that stay, milli; undefined when one is missing, there are no pods, or it is zero. */
export function averageRequest(pods: readonly PodView[], plan: MetricPlan): number | undefined {
  const staying = pods.filter((pod) => !pod.deleting && pod.phase !== 'Failed');
  const requests = requestsOf(staying, plan.name, plan.container);
  if (requests.kind === 'missing' || requests.byPod.size === 0) return undefined;
  let sum = 0;
  for (const request of requests.byPod.values()) sum += request;
  return sum > 0 ? sum / requests.byPod.size : undefined;
}

function isPositive(milli: number | undefined): milli is number {
  return milli !== undefined && Number.isFinite(milli) && milli > 0;
}
