/** Pods metrics: a custom metric that every pod of the target has. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import { type Known, known, type PerPodReading } from '../../observation.ts';
import type { MetricRequest } from '../types.ts';
import type { CustomMetrics } from './custom-metrics.ts';
import { selectorText } from './path.ts';

export async function readPods(
  custom: CustomMetrics,
  { pods: { metric } }: MetricSpecOf<'Pods'>,
  { namespace, podSelector }: MetricRequest,
  signal: AbortSignal,
): Promise<Known<PerPodReading>> {
  const selectors = { labelSelector: podSelector, metricLabelSelector: selectorText(metric.selector) };
  const values = await custom.values(namespace, 'pods/*', metric.name, selectors, signal);
  const samples = new Map(values.map(({ object, milli, at, windowMs }) => [object, { milli, at, windowMs }]));
  return known({ form: 'perPod', samples }, Math.max(...values.map(({ at }) => at)));
}
