/** What the API server shows of all namespaces of the test, kept by informers, and the few writes that it needs. */

import { systemClock } from '../../operator/clock.ts';
import { type PodLike, podView } from '../../operator/decision/pod-view.ts';
import type { PodView } from '../../operator/decision/types.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { explicitConnection } from '../../operator/kube/connection.ts';
import { CachedDiscovery } from '../../operator/kube/discovery.ts';
import { ResourceInformer } from '../../operator/kube/informer.ts';
import { Transport } from '../../operator/kube/transport.ts';
import type { KubeObject, ResourceRef } from '../../operator/kube/types.ts';
import { defaultMetricsApiLimits } from '../../operator/metricsources/kubernetes/metrics-api.ts';
import { createMetricSources } from '../../operator/metricsources/registry.ts';
import type { MetricSources } from '../../operator/metricsources/types.ts';
import type { ClusterFacts } from '../cluster.ts';
import { NAME } from './manifests.ts';

export const PODS: ResourceRef = { group: '', version: 'v1', plural: 'pods', namespaced: true };
export const DEPLOYMENTS: ResourceRef = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  namespaced: true,
};
export const HPAS: ResourceRef = {
  group: 'autoscaling',
  version: 'v2',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
};

type Pod = KubeObject & PodLike;
interface Deployment extends KubeObject {
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly replicas?: number };
}
interface Hpa extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
  };
}

/** A client with connections of its own: one whose reads wait at the gate must not block anybody else's. */
export class Access {
  readonly client: KubeClient;
  readonly sources: MetricSources;
  readonly #transport: Transport;

  constructor(cluster: ClusterFacts) {
    const connection = explicitConnection({
      server: cluster.url,
      tls: { ca: cluster.caData },
      token: cluster.adminToken,
    });
    this.#transport = new Transport(connection, { clock: systemClock });
    this.client = new KubeClient(this.#transport, { qps: 5000, burst: 5000, deadlineMs: 60_000 });
    this.sources = createMetricSources({
      api: this.client,
      kinds: new CachedDiscovery(this.client),
      prometheusServers: [],
      apiServers: () => [],
      // A look is held at the gate until HPA has come too.
      metricsApiLimits: { ...defaultMetricsApiLimits, timeoutMs: 60_000 },
    });
  }

  async close(): Promise<void> {
    await this.sources.close();
    await this.#transport.close();
  }
}

export class World {
  readonly client: KubeClient;
  readonly #access: Access;
  readonly #pods: ResourceInformer<Pod>;
  readonly #deployments: ResourceInformer<Deployment>;
  /** Namespace → monotonic time of the last change of one of its pods. */
  readonly #podsChanged = new Map<string, number>();
  /** Namespace → monotonic time at which the Deployment's replicas in status last changed. */
  readonly #statusChanged = new Map<string, number>();
  readonly #views = new WeakMap<Pod, PodView>();

  constructor(cluster: ClusterFacts) {
    this.#access = new Access(cluster);
    this.client = this.#access.client;
    this.#pods = new ResourceInformer(this.client, { ref: PODS });
    this.#deployments = new ResourceInformer(this.client, { ref: DEPLOYMENTS });
    const podChanged = ({ metadata }: Pod) => {
      this.#podsChanged.set(metadata.namespace ?? '', performance.now());
    };
    this.#pods.subscribe({
      onAdd: podChanged,
      onDelete: podChanged,
      onUpdate: (_, after) => podChanged(after),
    });
    this.#deployments.subscribe({
      onUpdate: (before, after) => {
        if (before.status?.replicas === after.status?.replicas) return;
        this.#statusChanged.set(after.metadata.namespace ?? '', performance.now());
      },
    });
  }

  /** Resolves when all caches are filled; they stay filled until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const informers = [this.#pods, this.#deployments];
    for (const informer of informers) void informer.run(signal);
    await Promise.all(informers.map((informer) => informer.waitForSync(signal)));
  }

  /** Oldest first. */
  pods(namespace: string): readonly PodView[] {
    const pods = this.#pods.store.inNamespace(namespace);
    return pods.toSorted((a, b) => age(a).localeCompare(age(b))).map((pod) => this.#view(pod));
  }

  /** Since when nothing has happened to the pods of a namespace, as far as the informer knows. */
  podsQuietForMs(namespace: string): number {
    return performance.now() - (this.#podsChanged.get(namespace) ?? 0);
  }

  /** Whether the Deployment's status moved after `monotonicMs`. */
  statusMovedSince(namespace: string, monotonicMs: number): boolean {
    return (this.#statusChanged.get(namespace) ?? Number.NEGATIVE_INFINITY) > monotonicMs;
  }

  /** From the API server itself: what the last look wrote must not be missed. */
  async replicas(namespace: string): Promise<{ specReplicas: number; statusReplicas: number }> {
    const { spec, status } = await this.client.getScale(DEPLOYMENTS, { namespace, name: NAME }, limit());
    return { specReplicas: spec.replicas, statusReplicas: status.replicas };
  }

  async hpaStatus(namespace: string): Promise<{ reasons: Record<string, string>; version: string }> {
    const { metadata, status } = await this.client.get<Hpa>(HPAS, { namespace, name: NAME }, limit());
    const reasons = Object.fromEntries((status?.conditions ?? []).map(({ type, reason }) => [type, reason]));
    return { reasons, version: metadata.resourceVersion ?? '' };
  }

  async annotate(namespace: string, name: string, annotations: Record<string, string | null>): Promise<void> {
    await this.client.mergePatch(PODS, { namespace, name }, { metadata: { annotations } }, {}, limit());
  }

  #view(pod: Pod): PodView {
    const known = this.#views.get(pod);
    if (known !== undefined) return known;
    const view = podView(pod);
    this.#views.set(pod, view);
    return view;
  }

  close(): Promise<void> {
    return this.#access.close();
  }
}

function age({ metadata: { creationTimestamp = '', name } }: Pod): string {
  return `${creationTimestamp}/${name}`;
}

function limit(): AbortSignal {
  return AbortSignal.timeout(10_000);
}
