/** Object metrics: a custom metric of one object in the scaler's namespace, or of the namespace itself. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import { type Known, known, type TotalReading } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import type { MetricRequest } from '../types.ts';
import type { CustomMetrics } from './custom-metrics.ts';
import { selectorText } from './path.ts';

export async function readObject(
  custom: CustomMetrics,
  { object: { describedObject, metric } }: MetricSpecOf<'Object'>,
  { namespace }: MetricRequest,
  signal: AbortSignal,
): Promise<Known<TotalReading>> {
  const { apiVersion, kind, name } = describedObject;
  const path = await custom.objectPath(apiVersion, kind, name, signal);
  const selectors = { labelSelector: '', metricLabelSelector: selectorText(metric.selector) };
  const [value, ...more] = await custom.values(namespace, path, metric.name, selectors, signal);
  if (value === undefined || more.length > 0)
    throw new ReadError('BadAnswer', 'custom.metrics.k8s.io sent several values for one object');
  return known({ form: 'total', milli: value.milli, series: 1 }, value.at);
}
