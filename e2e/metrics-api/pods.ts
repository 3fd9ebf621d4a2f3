/** Keeps the metrics state in step with the pods that exist: a real adapter measures no others. */
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import type { PodStatus } from '../objects.ts';
import type { MetricsState } from './state.ts';

/** Adds new pods, drops those that are gone or going; answers with the ones that are left. Numbers are the caller's. */
export async function syncPods(
  cluster: ClusterFacts,
  state: MetricsState,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly PodStatus[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const { items } = await request<{ items: PodStatus[] }>(cluster, 'GET', path, undefined, {}, signal);
  const staying = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const names = new Set(staying.map(({ metadata }) => metadata.name));
  for (const known of state.podNames(namespace)) if (!names.has(known)) state.removePod(namespace, known);
  for (const { metadata } of staying) state.addPod(namespace, metadata.name, metadata.labels);
  return staying;
}
