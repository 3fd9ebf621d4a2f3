/** What the present replicas are meant to carry, on the scale that the outlier guard watches. */

import { averageRequest } from '../need/per-replica.ts';
import type { MetricPlan, PodView } from '../types.ts';

/** @returns milli; 0 when it cannot be told. */
export function usualLevel(plan: MetricPlan, replicas: number, pods: readonly PodView[]): number {
  const isTotal = plan.type === 'Object' || plan.type === 'External' || plan.type === 'Prometheus';
  switch (plan.target.kind) {
    case 'AverageValue':
      return isTotal ? plan.target.milli * replicas : plan.target.milli;
    case 'Value':
      return plan.target.milli;
    case 'Utilization': {
      const request = averageRequest(pods, plan);
      return request === undefined ? 0 : (request * plan.target.percent) / 100;
    }
  }
}
