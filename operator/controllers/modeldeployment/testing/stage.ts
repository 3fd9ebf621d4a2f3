/**
 * A ModelDeployment and its children on an API server in memory: caches as the informers keep them, writes that bump
 * versions and are refused for a stale one, pods that get ready when the test says so. What plans, acts and reports is
 * the real thing. A write may be the last that a process makes, before the server has it or after.
 */
import { Registry } from 'prom-client';
import type { ModelDeployment, ModelDeploymentStatus } from '../../../api/index.ts';
import { MINIMAL, modelDeployment } from '../../../api/modeldeployment/testing/full-object.ts';
import { ForesailError } from '../../../errors.ts';
import { HTTP_ROUTES } from '../../../gateway/http-route.ts';
import { silentLogger } from '../../../logger.ts';
import { rolloutMetrics } from '../../../observability/rollout-metrics.ts';
import {
  createStatusWriter,
  IndexedStore,
  type KubeObject,
  type ObjectKey,
  type ResourceRef,
} from '../../../runtime/index.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import { createChildWriter } from '../children.ts';
import { createRouteWriter } from '../gateway.ts';
import { BY_OWNER, CHILD_KINDS, type ChildKind, ownerKeys, type SeenChild } from '../informers.ts';
import type { Judge } from '../judge.ts';
import type { SeenPod } from '../pod-health.ts';
import { createReconcile, type ReconcilerOptions } from '../reconciler.ts';
import { createRegistries, type RegistryIndex } from '../registry.ts';
import { REF } from '../status.ts';
import { CHILD_SETTINGS } from './child-settings.ts';

export const KEY = 'shop/loadcast';
export const DRAIN_MS = 30_000;

type Stored = KubeObject & { readonly spec?: object; readonly status?: object };

/** Thrown through the reconciler as a process that is not there any more. */
export class Crash extends Error {}

export class Stage {
  readonly clock = new FakeClock(Date.UTC(2026, 0, 2));
  readonly objects = new IndexedStore<Stored>();
  readonly children: Readonly<Record<ChildKind, IndexedStore<SeenChild>>> = {
    deployments: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
    services: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
    poddisruptionbudgets: new IndexedStore<SeenChild>({ [BY_OWNER]: ownerKeys }),
  };
  /** `create deployments/loadcast-v1`, in order. */
  readonly pods = new IndexedStore<SeenPod>({ [BY_OWNER]: ownerKeys });
  readonly writes: string[] = [];
  registry = new Registry();
  readonly events: string[] = [];
  /** Versions whose pods do not get ready. */
  readonly broken = new Set<number>();
  judge: Judge | undefined;
  hasImage = true;
  /** Whether the administrator lets HTTPRoutes be written, and those that there are. */
  gateway = true;
  readonly routes = new IndexedStore<Stored>();
  /** Of the registry that the object follows. */
  index: RegistryIndex | undefined;
  /** What the cache still shows when it is behind the server. */
  cached: Stored | undefined;
  /** Looks at each write before it is done. */
  onWrite: (write: string) => void = () => undefined;
  /** Called after each write was done. */
  afterWrite: (write: string) => void = () => undefined;
  #version = 0;
  #reconcile = this.#start();

  constructor(spec: Record<string, unknown> = {}) {
    const object = modelDeployment({ ...MINIMAL, ...spec }, 'loadcast', 'shop');
    this.objects.set(this.#stamp({ ...object, metadata: { ...object.metadata, uid: 'u-1', generation: 1 } }));
  }

  /** As after a crash: nothing is remembered but what the server has. */
  restart(): void {
    this.registry = new Registry();
    this.#reconcile = this.#start();
  }

  change(spec: object): void {
    const before = this.objects.get(KEY) as Stored;
    const generation = (before.metadata.generation ?? 0) + 1;
    this.objects.set(
      this.#stamp({
        ...before,
        metadata: { ...before.metadata, generation },
        spec: merged(before.spec ?? {}, spec),
      }),
    );
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
        client: this.client,
        stores: this.children,
        pods: this.pods,
        clock: this.clock,
        settings: CHILD_SETTINGS,
      }),
      reader: this.client,
      statusWriter: createStatusWriter(this.client),
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
      routes: createRouteWriter(this.client, this.clock),
      registries: createRegistries({ get: () => this.index }),
      hasImage: this.hasImage,
      drainMs: DRAIN_MS,
      judgePeriodMs: 15_000,
      clock: this.clock,
      log: silentLogger,
    };
    return createReconcile(options);
  }

  get client() {
    return {
      get: async <T extends KubeObject>(ref: ResourceRef, key: ObjectKey) =>
        this.#found(ref, key) as unknown as T,
      create: async <T extends KubeObject>(ref: ResourceRef, object: T) =>
        this.#write(`create ${ref.plural}/${object.metadata.name}`, () => {
          const store = this.#store(ref);
          if (store.get(`${object.metadata.namespace}/${object.metadata.name}`) !== undefined)
            throw new ForesailError('KUBE_ALREADY_EXISTS', 'conflict', 'it exists');
          return this.#put(store, object) as unknown as T;
        }),
      mergePatch: async <T extends KubeObject>(
        ref: ResourceRef,
        key: ObjectKey,
        patch: object,
        options: { readonly resourceVersion?: string },
      ) =>
        this.#write(`patch ${ref.plural}/${key.name}`, () => {
          const before = this.#found(ref, key, options.resourceVersion);
          const { generation = 0 } = before.metadata;
          // The server counts the changes of a spec.
          const counted = 'spec' in patch ? { metadata: { generation: generation + 1 } } : {};
          const after = merged(merged(before, patch), counted);
          return this.#put(this.#store(ref), after as Stored) as unknown as T;
        }),
      patchStatus: async <T extends KubeObject>(
        ref: ResourceRef,
        key: ObjectKey,
        patch: object,
        options: { readonly resourceVersion?: string },
      ) =>
        this.#write('status', () => {
          const before = this.#found(ref, key, options.resourceVersion);
          const status = merged(before.status ?? {}, patch);
          return this.#put(this.#store(ref), { ...before, status }) as unknown as T;
        }),
      delete: async (ref: ResourceRef, key: ObjectKey) =>
        this.#write(`delete ${ref.plural}/${key.name}`, () => {
          this.#found(ref, key);
          this.#store(ref).delete(`${key.namespace}/${key.name}`);
        }),
    };
  }

  #write<T>(what: string, work: () => T): T {
    this.onWrite(what);
    const answer = work();
    this.writes.push(what);
    this.afterWrite(what);
    return answer;
  }

  #store(ref: ResourceRef): IndexedStore<Stored> {
    if (ref.plural === REF.plural) return this.objects;
    if (ref.plural === HTTP_ROUTES.plural) return this.routes;
    const kind = CHILD_KINDS.find((each) => each === ref.plural);
    if (kind === undefined) throw new Error(`nothing knows ${ref.plural}`);
    return this.children[kind] as unknown as IndexedStore<Stored>;
  }

  #found(ref: ResourceRef, { namespace, name }: ObjectKey, resourceVersion?: string): Stored {
    const found = this.#store(ref).get(`${namespace}/${name}`);
    if (found === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', `no ${name}`);
    if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
      throw new ForesailError('KUBE_CONFLICT', 'conflict', 'the object has been modified');
    return found;
  }

  #put(store: IndexedStore<Stored>, object: Stored): Stored {
    const stamped = this.#stamp(object);
    store.set(stamped);
    return stamped;
  }

  #stamp(object: Stored): Stored {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }
}

/** RFC 7386. */
function merged(before: object, patch: object): object {
  const result: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const old = result[key];
      result[key] = merged(typeof old === 'object' && old !== null && !Array.isArray(old) ? old : {}, value);
    } else result[key] = value;
  }
  return result;
}
