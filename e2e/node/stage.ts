/** The stage of the stories on real pods: one cluster with a real node, the images, what stories do again and again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from '../api.ts';
import { NAMESPACE, RELEASE } from '../chart/helm.ts';
import { type Cluster, type ClusterFacts, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { isReady, type PodStatus } from '../objects.ts';
import { writeOperatorImage, writeWebImage } from './images.ts';
import { importImage } from './inside.ts';

export interface NodeStage {
  readonly cluster: Cluster;
  close(): Promise<void>;
}

export async function setNodeStage(say: (line: string) => void, signal: AbortSignal): Promise<NodeStage> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'foresail-e2e-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const cluster = await startCluster(
    {
      realNode: true,
      prometheus: true,
      servingNames: [`${RELEASE}-training.${NAMESPACE}.svc`],
      // Seconds where Kubernetes takes minutes; the same for both sides of a comparison.
      hpa: {
        syncPeriod: '2s',
        downscaleStabilization: '15s',
        cpuInitializationPeriod: '10s',
        initialReadinessDelay: '1s',
      },
    },
    signal,
  );
  stack.defer(() => cluster.stop());
  say(`      ${cluster.bootSeconds.toFixed(1).padStart(6)} s  the node is Ready`);
  const begun = performance.now();
  for (const [name, write] of Object.entries({ operator: writeOperatorImage, web: writeWebImage })) {
    const archive = join(folder, `${name}.tar`);
    await write(archive, signal);
    await importImage(cluster, archive, signal);
    await rm(archive);
  }
  const seconds = (performance.now() - begun) / 1_000;
  say(`      ${seconds.toFixed(1).padStart(6)} s  the images are built and loaded`);
  const kept = stack.move();
  return { cluster, close: () => kept.disposeAsync() };
}

export async function makeNamespace(cluster: ClusterFacts, name: string): Promise<void> {
  await apply(cluster, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

export async function apply(cluster: ClusterFacts, ...objects: readonly object[]): Promise<void> {
  const input = objects.map((object) => JSON.stringify(object)).join('\n---\n');
  await kubectl(cluster, ['apply', '--server-side', '-f', '-'], { input });
}

export async function podsOf(
  cluster: ClusterFacts,
  namespace: string,
  app: string,
): Promise<readonly PodStatus[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${app}`;
  return (await request<{ items: PodStatus[] }>(cluster, 'GET', path)).items;
}

export function readyPods(
  cluster: ClusterFacts,
  namespace: string,
  app: string,
  wanted: number,
  signal?: AbortSignal,
): Promise<readonly PodStatus[]> {
  return eventually(
    `${wanted} Ready pods of ${app}`,
    async () => {
      const ready = (await podsOf(cluster, namespace, app)).filter(isReady);
      if (ready.length !== wanted) throw new Error(`${ready.length} are Ready`);
      return ready;
    },
    60_000,
    signal,
  );
}
