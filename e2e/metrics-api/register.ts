/**
 * Puts the metrics server behind the API server. A Service of type ExternalName leads the aggregation layer
 * to localhost: no Service network is needed, and the serving certificate is checked as in a real cluster.
 */
import { Buffer } from 'node:buffer';
import { request, StatusError } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { SERVED } from './answers.ts';

const NAMESPACE = 'foresail-e2e';
const SERVICE = 'metrics-api';

/** One metrics server per cluster: an APIService exists once. Calling it again moves it to the new port. */
export async function registerMetricsServer(
  cluster: ClusterFacts,
  port: number,
  signal?: AbortSignal,
): Promise<void> {
  await apply(cluster, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
  await apply(cluster, `/api/v1/namespaces/${NAMESPACE}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: SERVICE },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ name: 'https', port }] },
  });
  for (const { group, version } of SERVED) {
    await apply(cluster, '/apis/apiregistration.k8s.io/v1/apiservices', {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `${version}.${group}` },
      spec: {
        group,
        version,
        service: { namespace: NAMESPACE, name: SERVICE, port },
        caBundle: Buffer.from(cluster.caData).toString('base64'),
        groupPriorityMinimum: 100,
        // The HPA takes the version of custom.metrics.k8s.io that the group prefers.
        versionPriority: version === 'v1beta2' ? 200 : 100,
      },
    });
  }
  for (const { group, version } of SERVED) {
    await eventually(
      `${version}.${group} answers`,
      () => request(cluster, 'GET', `/apis/${group}/${version}`, undefined, {}, signal),
      30_000,
      signal,
    );
  }
}

export async function unregisterMetricsServer(cluster: ClusterFacts): Promise<void> {
  for (const { group, version } of SERVED) {
    await request(cluster, 'DELETE', `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`);
  }
}

interface Named {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

async function apply(cluster: ClusterFacts, collection: string, object: Named): Promise<void> {
  try {
    await request(cluster, 'POST', collection, object);
  } catch (error) {
    if (!(error instanceof StatusError) || error.status !== 409) throw error;
    await request(cluster, 'PATCH', `${collection}/${object.metadata.name}`, object);
  }
}
