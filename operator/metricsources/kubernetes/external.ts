/** External metrics: numbers from outside the cluster by way of the installed adapter; several series are summed. */
import type { MetricSpecOf } from '../../api/predictivescaler/metrics.ts';
import { type Known, known, type TotalReading } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import type { MetricRequest } from '../types.ts';
import { field, itemsOf, quantityOf, timeOf } from './list.ts';
import type { MetricsApi } from './metrics-api.ts';
import { segment, selectorText, withQuery } from './path.ts';

const api = 'external.metrics.k8s.io';

export async function readExternal(
  metrics: MetricsApi,
  { external: { metric } }: MetricSpecOf<'External'>,
  request: MetricRequest,
  signal: AbortSignal,
): Promise<Known<TotalReading>> {
  const namespace = segment(request.namespace, 'the namespace');
  const name = segment(metric.name, 'the name of the metric');
  const path = withQuery(`/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${name}`, {
    labelSelector: selectorText(metric.selector),
  });
  const items = itemsOf(await metrics.get(api, path, request.namespace, signal), api);
  if (items.length === 0) throw new ReadError('NoData', `${api} has no sample of this metric`);
  const now = metrics.clock.now();
  let milli = 0;
  let at = -Infinity;
  for (const item of items) {
    milli += quantityOf(field(item, 'value'), api);
    at = Math.max(at, timeOf(item, now, api));
  }
  metrics.checkTime(at, api);
  return known({ form: 'total', milli, series: items.length }, at);
}
