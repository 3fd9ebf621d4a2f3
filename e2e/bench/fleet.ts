/** Many equal workloads, each with a metric of its own, and the two kinds of scaler that can stand over them. */
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { deployment } from '../objects.ts';

export const NAMESPACE = 'bench';
export const TARGET_PER_REPLICA = 50;
const AT_ONCE = 16;

export const DEPLOYMENTS = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;

export function nameOf(i: number): string {
  return `w${String(i).padStart(5, '0')}`;
}

export function metricOf(i: number): string {
  return `load-${nameOf(i)}`;
}

/** What an HPA and a PredictiveScaler have in common, field by field. */
function scalerSpec(i: number) {
  const metric = { name: metricOf(i) };
  const target = { type: 'AverageValue', averageValue: String(TARGET_PER_REPLICA) };
  return {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: nameOf(i) },
    minReplicas: 1,
    maxReplicas: 10,
    metrics: [{ type: 'External', external: { metric, target } }],
  };
}

export function horizontalPodAutoscaler(i: number) {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: nameOf(i), namespace: NAMESPACE },
    spec: scalerSpec(i),
  };
}

export function predictiveScaler(i: number, mode = 'Active') {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { name: nameOf(i), namespace: NAMESPACE },
    spec: { ...scalerSpec(i), mode },
  };
}

export function workload(i: number) {
  return deployment(NAMESPACE, nameOf(i), { containers: [{ name: 'app', cpu: '10m', memory: '16Mi' }] });
}

/** `work(0)` to `work(count - 1)`, a few at a time and without a limit of rate. */
export async function forAll(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

export interface Workload {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly replicas: number };
  readonly status: { readonly replicas?: number; readonly readyReplicas?: number };
}

export async function workloads(cluster: ClusterFacts): Promise<readonly Workload[]> {
  return (await request<{ items: Workload[] }>(cluster, 'GET', `${DEPLOYMENTS}?resourceVersion=0`)).items;
}

/** Every Deployment has exactly the replicas it asks for, and they are ready. */
export function settled(all: readonly Workload[], replicas: number): boolean {
  return all.every(
    ({ spec, status }) =>
      spec.replicas === replicas && status.replicas === replicas && status.readyReplicas === replicas,
  );
}
