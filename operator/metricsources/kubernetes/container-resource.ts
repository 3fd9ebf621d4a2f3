/** ContainerResource metrics: one container's usage. As in HPA (1.36), a pod without that container has no sample. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import type { Known, PerPodReading } from '../../observation.ts';
import type { MetricRequest } from '../types.ts';
import type { MetricsApi } from './metrics-api.ts';
import { type PodUsage, readPodMetrics, usageOf } from './pod-metrics.ts';

export function containerUsage({ containers }: PodUsage, name: string, resource: string): number | undefined {
  const container = containers.find((candidate) => candidate.name === name);
  return container === undefined ? undefined : usageOf(container.usage, resource);
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
