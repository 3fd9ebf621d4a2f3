/** ContainerResource metrics: one container's usage. As in HPA, a pod without that container fails the metric. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import type { Known, PerPodReading } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import type { MetricRequest } from '../types.ts';
import type { MetricsApi } from './metrics-api.ts';
import { type PodUsage, readPodMetrics, usageOf } from './pod-metrics.ts';

export function containerUsage(
  { pod, containers }: PodUsage,
  name: string,
  resource: string,
): number | undefined {
  const container = containers.find((candidate) => candidate.name === name);
  if (container === undefined)
    throw new ReadError('NoData', `container ${name} is not among the metrics of pod ${pod}`);
  return usageOf(container.usage, resource);
}

export function readContainerResource(
  metrics: MetricsApi,
  metric: MetricSpecOf<'ContainerResource'>,
  request: MetricRequest,
  signal: AbortSignal,
): Promise<Known<PerPodReading>> {
  const { container, name } = metric.containerResource;
  return readPodMetrics(metrics, request, (usage) => containerUsage(usage, container, name), signal);
}
