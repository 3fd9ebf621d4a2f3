/** The resource metrics API: CPU and memory of the pods behind a selector, as metrics-server serves them. */
import { type Known, known, type PerPodReading, type PodSample } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import type { MetricRequest } from '../types.ts';
import {
  badAnswer,
  field,
  isObject,
  itemsOf,
  type JsonObject,
  quantityOf,
  textOf,
  timeOf,
  windowOf,
} from './list.ts';
import type { MetricsApi } from './metrics-api.ts';
import { segment, withQuery } from './path.ts';

const api = 'metrics.k8s.io';

export interface PodUsage {
  readonly pod: string;
  readonly containers: readonly { readonly name: string; readonly usage: JsonObject }[];
  readonly at: number;
  readonly windowMs: number;
}

/**
 * `milliOf` gives a pod's sample, or undefined for a pod that has none: it then counts as missing, HPA's own rules
 * decide about it.
 */
export async function readPodMetrics(
  metrics: MetricsApi,
  { namespace, podSelector }: MetricRequest,
  milliOf: (usage: PodUsage) => number | undefined,
  signal: AbortSignal,
): Promise<Known<PerPodReading>> {
  const path = withQuery(
    `/apis/metrics.k8s.io/v1beta1/namespaces/${segment(namespace, 'the namespace')}/pods`,
    {
      labelSelector: podSelector,
    },
  );
  const items = itemsOf(await metrics.get(api, path, namespace, signal), api);
  if (items.length === 0) throw new ReadError('NoData', `${api} has no sample of any pod of the target`);
  const now = metrics.clock.now();
  const samples = new Map<string, PodSample>();
  let newestMs = -Infinity;
  for (const item of items) {
    const usage = podUsage(item, now);
    newestMs = Math.max(newestMs, usage.at);
    const milli = milliOf(usage);
    if (milli !== undefined) samples.set(usage.pod, { milli, at: usage.at, windowMs: usage.windowMs });
  }
  metrics.checkTime(newestMs, api);
  return known({ form: 'perPod', samples }, newestMs);
}

function podUsage(item: JsonObject, now: number): PodUsage {
  const metadata = field(item, 'metadata');
  if (!isObject(metadata)) throw badAnswer(api, 'an item without metadata');
  const containers = field(item, 'containers') ?? [];
  if (!Array.isArray(containers)) throw badAnswer(api, 'an item whose containers are not a list');
  return {
    pod: textOf(metadata, 'name', api),
    containers: containers.map((container: unknown) => {
      if (!isObject(container)) throw badAnswer(api, 'a container that is not an object');
      const usage = field(container, 'usage') ?? {};
      if (!isObject(usage)) throw badAnswer(api, 'a usage that is not an object');
      return { name: textOf(container, 'name', api), usage };
    }),
    at: timeOf(item, now, api),
    windowMs: windowOf(item, api),
  };
}

/** Usage of one resource by one container, or undefined when it is not there. */
export function usageOf(usage: JsonObject, resource: string): number | undefined {
  const value = field(usage, resource);
  return value === undefined ? undefined : quantityOf(value, api);
}
