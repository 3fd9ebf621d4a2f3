/** Resource metrics: a pod's usage is the sum over its containers; one container without it makes the pod missing. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import type { Known, PerPodReading } from '../../observation.ts';
import type { MetricRequest } from '../types.ts';
import type { MetricsApi } from './metrics-api.ts';
import { type PodUsage, readPodMetrics, usageOf } from './pod-metrics.ts';

export function podTotal({ containers }: PodUsage, resource: string): number | undefined {
  if (containers.length === 0) return undefined;
  let sum = 0;
  for (const { usage } of containers) {
    const milli = usageOf(usage, resource);
    if (milli === undefined) return undefined;
    sum += milli;
  }
  return sum;
}

export function readResource(
  metrics: MetricsApi,
  metric: MetricSpecOf<'Resource'>,
  request: MetricRequest,
  signal: AbortSignal,
): Promise<Known<PerPodReading>> {
  return readPodMetrics(metrics, request, (usage) => podTotal(usage, metric.resource.name), signal);
}
