/**
 * A ModelDeployment and its children on an API server in memory: caches as the informers keep them, pods that get ready
 * when the test says so. What plans, acts and reports is the real thing.
 */
import { Registry } from 'prom-client';
import type { ModelDeployment, ModelDeploymentStatus } from '../../../api/index.ts';
import { MINIMAL, modelDeployment } from '../../../api/modeldeployment/testing/full-object.ts';
import { GATEWAY_CLASSES, GATEWAYS } from '../../../gateway/features.ts';
import { HTTP_ROUTES } from '../../../gateway/http-route.ts';
import { silentLogger } from '../../../logger.ts';
import { rolloutMetrics } from '../../../observability/rollout-metrics.ts';
import { createStatusWriter, IndexedStore } from '../../../runtime/index.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import type { ConfigMap } from '../../config-map.ts';
import { MemoryApi, merged, type Stored } from '../../testing/memory-api.ts';
import { createChildWriter } from '../children.ts';
import { createRouteWriter } from '../gateway.ts';
import { BY_OWNER, type ChildKind, ownerKeys, type SeenChild } from '../informers.ts';
import type { Judge } from '../judge.ts';
import type { SeenPod } from '../pod-health.ts';
import { createReconcile, type ReconcilerOptions } from '../reconciler.ts';
import { createRegistries } from '../registry.ts';
import { REF } from '../status.ts';
import { CHILD_SETTINGS } from './child-settings.ts';

export const KEY = 'shop/loadcast';
export const DRAIN_MS = 30_000;

export class Stage {
  readonly clock = new FakeClock(Date.UTC(2026, 0, 2));
  readonly objects = new IndexedStore<Stored>();
  readonly children: Readonly<Record<ChildKind, IndexedStore<SeenChild>>> = {
    deployments: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
    services: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
    poddisruptionbudgets: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
  };
  readonly pods = new IndexedStore<SeenPod>({ [BY_OWNER]: ownerKeys });
  registry = new Registry();
  readonly events: string[] = [];
  /** Versions whose pods do not get ready. */
  readonly broken = new Set<number>();
  judge: Judge | undefined;
  hasImage = true;
  /** Whether the administrator lets HTTPRoutes be written, those that there are, and their gateways with the classes. */
  gateway = true;
  readonly routes = new IndexedStore<Stored>();
  readonly gateways = new IndexedStore<Stored>();
  /** Of the registry that the object follows. */
  index: ConfigMap | undefined;
  /** What the cache still shows when it is behind the server. */
  cached: Stored | undefined;
  readonly api = new MemoryApi({
    ...(this.children as unknown as Readonly<Record<string, IndexedStore<Stored>>>),
    [REF.plural]: this.objects,
    [HTTP_ROUTES.plural]: this.routes,
    [GATEWAYS.plural]: this.gateways,
    [GATEWAY_CLASSES.plural]: this.gateways,
  });
  readonly writes = this.api.writes;
  #reconcile = this.#start();

  constructor(spec: Record<string, unknown> = {}) {
    const object = modelDeployment({ ...MINIMAL, ...spec }, 'loadcast', 'shop');
    this.api.put(REF.plural, { ...object, metadata: { ...object.metadata, uid: 'u-1', generation: 1 } });
  }

  /** As after a crash: nothing is remembered but what the server has. */
  restart(): void {
    this.registry = new Registry();
    this.#reconcile = this.#start();
  }

  change(spec: object): void {
    const before = this.objects.get(KEY) as Stored;
    const generation = (before.metadata.generation ?? 0) + 1;
    this.api.put(REF.plural, {
      ...before,
      metadata: { ...before.metadata, generation },
      spec: merged(before.spec ?? {}, spec),
    });
  }

  pass() {
    return this.#reconcile(KEY, new AbortController().signal);
  }

  /** Passes until nothing is written any more; pods start between them. */
  async settle(limit = 40): Promise<void> {
    for (let i = 0; i < limit; i += 1) {
      const before = this.writes.length;
      // oxlint-disable-next-line no-await-in-loop -- one pass after the other
      await this.pass();
      const moved = this.startPods();
      if (this.writes.length === before && !moved) return;
    }
    throw new Error(`no rest: ${this.writes.slice(-10).join(', ')}`);
  }

  async after(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.settle();
  }

  /** What Kubernetes' own controllers do; answers whether anything changed. */
  startPods(): boolean {
    let moved = false;
    for (const deployment of this.children.deployments.list()) {
      const version = Number(deployment.metadata.labels?.['foresail.io/model-version']);
      const replicas = Number(deployment.spec['replicas']);
      const ready = this.broken.has(version) ? 0 : replicas;
      const status = { replicas, readyReplicas: ready, availableReplicas: ready };
      if (JSON.stringify(status) === JSON.stringify(deployment.status)) continue;
      this.children.deployments.set({ ...deployment, status });
      moved = true;
    }
    return moved;
  }

  get object(): ModelDeployment {
    return this.objects.get(KEY) as unknown as ModelDeployment;
  }

  get status(): ModelDeploymentStatus {
    return this.object.status ?? {};
  }

  get traffic(): string {
    return (this.status.traffic ?? []).map(({ version, weight }) => `${version}:${weight}`).join(' ');
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type);
  }

  #start() {
    const options: ReconcilerOptions = {
      objects: { get: (key) => this.cached ?? this.objects.get(key) },
      children: createChildWriter({
        client: this.api.client,
        stores: this.children,
        pods: this.pods,
        clock: this.clock,
        settings: CHILD_SETTINGS,
      }),
      reader: this.api.client,
      statusWriter: createStatusWriter(this.api.client),
      events: {
        event: (_, type, reason, message) => void this.events.push(`${type} ${reason} ${message}`),
        flush: async () => undefined,
      },
      metrics: rolloutMetrics([this.registry]),
      judge: { judgementOf: (...args) => this.judge?.judgementOf(...args) },
      admission: {
        schemes: ['s3', 'gs'],
        serviceAccounts: ['reader'],
        protectedNamespaces: ['kube-system'],
        gateway: this.gateway,
      },
      routes: createRouteWriter(this.api.client, this.clock),
      registries: createRegistries({ get: () => this.index }),
      hasImage: this.hasImage,
      drainMs: DRAIN_MS,
      judgePeriodMs: 15_000,
      clock: this.clock,
      log: silentLogger,
    };
    return createReconcile(options);
  }
}
