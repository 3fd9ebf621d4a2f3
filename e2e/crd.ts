import { request } from './api.ts';
import type { ClusterFacts } from './cluster.ts';
import { eventually } from './eventually.ts';

interface CustomResourceDefinition {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * Resolves when the API server serves each of these CRDs (`<plural>.<group>`). `kubectl wait` fails at once on a CRD
 * so new that it has no conditions yet, which a busy machine shows.
 */
export async function established(cluster: ClusterFacts, ...names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map((name) =>
      eventually(`${name} is established`, async () => {
        const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
        const { status } = await request<CustomResourceDefinition>(cluster, 'GET', path);
        return status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True');
      }),
    ),
  );
}
