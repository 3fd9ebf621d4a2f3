/**
 * A scaler, its Deployment and its pods on an API server in memory: stores as the informers keep them, patches that
 * bump resource versions and are refused for a stale one. What decides and remembers is the real thing; metric values
 * and the look ahead are what the test says.
 */
import { API_VERSION, PREDICTIVE_SCALER } from '../../../api/index.ts';
import { realCalendar } from '../../../clock.ts';
import { watchClockJumps } from '../../../clock-jumps.ts';
import { DEFAULT_FREEZE_CONFIG, type FreezeConfig } from '../../../decision/guards/freeze.ts';
import { DEFAULT_OUTLIER_CONFIG } from '../../../decision/guards/outlier.ts';
import { HPA_DEFAULTS } from '../../../decision/reactive/tuning.ts';
import { ForesailError } from '../../../errors.ts';
import { silentLogger } from '../../../logger.ts';
import type { MetricRequest } from '../../../metricsources/types.ts';
import { createMetrics } from '../../../observability/metrics.ts';
import { known, type MetricReading, type Observation, unknown } from '../../../observation.ts';
import {
  createStatusWriter,
  IndexedStore,
  type KubeObject,
  type Reconcile,
  type ResourceInfo,
  type Scale,
} from '../../../runtime/index.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import { BY_TARGET, type ScalerObject, targetIndex } from '../conflicts.ts';
import { createExplanations } from '../explanations.ts';
import { createFleet } from '../fleet.ts';
import { SCALERS } from '../informers.ts';
import { createPlanner } from '../plan.ts';
import { BY_LABEL, labelIndex, type Pod, podStart } from '../pods.ts';
import type { Fleet, Look, Outlook, Scaler } from '../ports.ts';
import { createReconcile } from '../reconciler.ts';
import { createScalerMemories, type Restored } from '../scaler-memory.ts';
import { createSharedPods } from '../shared-pods.ts';
import type { Workload } from '../target.ts';
import type { Verdicts } from '../verdicts.ts';

export const KEY = 'shop/web';

export const NO_FORECAST: Look = {
  forecast: unknown('NoData', 'no load has been seen yet', 0),
  seasonalProfile: undefined,
  report: undefined,
  condition: { type: 'ForecastReady', status: 'False', reason: 'NoHistory', message: 'no load yet' },
  realisedCoverage: undefined,
};

export interface StageOptions {
  readonly restored?: Restored;
  readonly creationsPerMinute?: number;
  readonly freeze?: FreezeConfig;
  readonly ownPod?: string;
}

export interface Write {
  readonly what: 'scale' | 'status';
  readonly name: string;
  readonly replicas?: number;
}

/** Values of an External metric for the whole target; undefined is an outage. */
export type Load = (request: MetricRequest) => number | undefined;

export class Stage {
  readonly clock = new FakeClock(Date.UTC(2026, 0, 2, 12));
  readonly scalers = new IndexedStore<Scaler & ScalerObject>({ [BY_TARGET]: targetIndex });
  readonly hpas = new IndexedStore<ScalerObject>({ [BY_TARGET]: targetIndex });
  readonly deployments = new IndexedStore<Workload>();
  readonly pods = new IndexedStore<Pod>({ [BY_LABEL]: labelIndex });
  readonly explanations = createExplanations();
  readonly metrics = createMetrics();
  readonly writes: Write[] = [];
  readonly events: { readonly type: string; readonly reason: string; readonly message: string }[] = [];
  readonly forgotten: string[] = [];
  readonly reads: MetricRequest[] = [];
  readonly fleet: Fleet;
  readonly memories;
  readonly reconcile: Reconcile;
  load: Load = () => 100;
  look: Outlook['look'] = async () => NO_FORECAST;
  verdict: Verdicts['of'] = () => undefined;
  pause: Fleet['pause'] = { paused: false, reason: '' };
  /** What the next write of that kind is answered with, once. */
  fault: { readonly what: Write['what']; readonly error: Error } | undefined;
  /** Held back until the test lets it go. */
  scaleGate: Promise<void> = Promise.resolve();
  #version = 100;

  constructor(options: StageOptions = {}) {
    const { clock } = this;
    this.fleet = createFleet({
      clock,
      freeze: options.freeze ?? DEFAULT_FREEZE_CONFIG,
      creationsPerMinute: options.creationsPerMinute,
      pause: () => this.pause,
    });
    this.memories = createScalerMemories(() => options.restored, watchClockJumps(clock));
    const patchStatus = async (_ref: unknown, key: { namespace: string; name: string }, patch: object) =>
      this.#patchStatus(`${key.namespace}/${key.name}`, patch);
    let ids = 0;
    this.reconcile = createReconcile({
      ref: SCALERS,
      scalers: this.scalers,
      planner: createPlanner(HPA_DEFAULTS),
      targets: {
        discovery: { resolve: async (_version, kind) => resolveKind(kind) },
        reader: { getScale: () => Promise.reject(new Error('a watched kind needs no read of /scale')) },
        watched: new Map([['apps/deployments', this.deployments]]),
      },
      pods: this.pods,
      podTimes: { startOf: podStart },
      rivals: () => ({ hpas: this.hpas, scaledObjects: undefined, predictiveScalers: this.scalers }),
      sharedPods: createSharedPods({
        hpas: this.hpas,
        watched: new Map([['apps/deployments', this.deployments]]),
        clock,
      }),
      sources: { read: async (request) => this.#read(request) },
      outlook: {
        look: (request, signal) => this.look(request, signal),
        forget: (uid) => this.forgotten.push(`outlook ${uid}`),
      },
      verdicts: { of: (request) => this.verdict(request), forget: () => undefined },
      fleet: this.fleet,
      memories: this.memories,
      checkpoints: { forget: async (uid) => void this.forgotten.push(`checkpoint ${uid}`) },
      explanations: this.explanations,
      client: {
        patchScale: async (_ref, { namespace, name }, replicas, { resourceVersion }) => {
          await this.scaleGate;
          return this.#patchScale(`${namespace}/${name}`, replicas, resourceVersion);
        },
      },
      statusWriter: createStatusWriter({ patchStatus: patchStatus as never }),
      events: {
        event: (_regarding, type, reason, message) => this.events.push({ type, reason, message }),
        flush: () => Promise.resolve(),
      },
      metrics: this.metrics,
      log: silentLogger,
      clock,
      calendar: realCalendar,
      newDecisionId: () => `d${++ids}`,
      settings: {
        syncPeriodMs: 15_000,
        metricDelayMs: 30_000,
        defaultLeadTimeMs: 60_000,
        defaultStepMs: 60_000,
        protectedNamespaces: ['kube-system'],
        ownPod: options.ownPod,
        tuning: HPA_DEFAULTS,
        guards: { outlier: { ...DEFAULT_OUTLIER_CONFIG } },
      },
    });
  }

  /** A scaler of mode Active on 100 per replica, unless the spec says otherwise. */
  addScaler(spec: object = {}, metadata: Partial<KubeObject['metadata']> = {}): void {
    const object = {
      apiVersion: API_VERSION,
      kind: PREDICTIVE_SCALER.kind,
      metadata: {
        name: 'web',
        namespace: 'shop',
        uid: 'u1',
        generation: 1,
        resourceVersion: this.#next(),
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...metadata,
      },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        maxReplicas: 20,
        mode: 'Active',
        metrics: [queue()],
        ...spec,
      },
    };
    this.scalers.set(object);
  }

  /** A Deployment with that many ready pods. */
  addDeployment(replicas: number, name = 'web', namespace = 'shop', ready = replicas): void {
    this.deployments.set({
      metadata: { name, namespace, resourceVersion: this.#next() },
      spec: { replicas, selector: { matchLabels: { app: name } } },
      status: { replicas },
    });
    for (const { metadata } of this.pods.byIndex(BY_LABEL, `${namespace}/app=${name}`))
      this.pods.delete(`${namespace}/${metadata.name}`);
    for (let i = 0; i < replicas; i++) this.pods.set(readyPod(namespace, name, i, i < ready));
  }

  once(key = KEY): ReturnType<Reconcile> {
    return this.reconcile(key, new AbortController().signal);
  }

  /** Looks once per sync period. */
  async looks(count: number, key = KEY): Promise<void> {
    for (let i = 0; i < count; i++) {
      // oxlint-disable-next-line no-await-in-loop -- time goes on between two looks
      await this.once(key);
      // oxlint-disable-next-line no-await-in-loop
      await this.clock.advance(15_000);
    }
  }

  replicas(name = 'web'): number | undefined {
    return this.deployments.get(`shop/${name}`)?.spec.replicas;
  }

  status(key = KEY) {
    return this.scalers.get(key)?.status;
  }

  condition(type: string, key = KEY): string {
    const found = this.status(key)?.conditions?.find((condition) => condition.type === type);
    return `${found?.status}/${found?.reason}`;
  }

  writesOf(what: Write['what']): readonly Write[] {
    return this.writes.filter((write) => write.what === what);
  }

  #read(request: MetricRequest): Observation<MetricReading> {
    this.reads.push(request);
    const value = this.load(request);
    const now = this.clock.now();
    return value === undefined
      ? unknown('Timeout', 'no answer within 10 s', now)
      : known({ form: 'total', milli: Math.round(value * 1000), series: 1 }, now);
  }

  #patchScale(key: string, replicas: number, resourceVersion: string | undefined): Scale {
    this.#fail('scale');
    const before = this.deployments.get(key);
    if (before === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', `no ${key}`);
    if (resourceVersion !== before.metadata.resourceVersion)
      throw new ForesailError('KUBE_CONFLICT', 'conflict', 'the object has been modified');
    const metadata = { ...before.metadata, resourceVersion: this.#next() };
    this.deployments.set({ ...before, metadata, spec: { ...before.spec, replicas } });
    this.writes.push({ what: 'scale', name: before.metadata.name, replicas });
    return { metadata, spec: { replicas }, status: { replicas: before.status?.replicas ?? 0 } };
  }

  #patchStatus(key: string, patch: object): KubeObject {
    this.#fail('status');
    const before = this.scalers.get(key);
    if (before === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', `no ${key}`);
    const status = Object.fromEntries(
      Object.entries({ ...before.status, ...patch }).filter(([, value]) => value !== null),
    );
    const after = { ...before, metadata: { ...before.metadata, resourceVersion: this.#next() }, status };
    this.scalers.set(after);
    this.writes.push({ what: 'status', name: before.metadata.name });
    return after;
  }

  #fail(what: Write['what']): void {
    const { fault } = this;
    if (fault?.what !== what) return;
    this.fault = undefined;
    throw fault.error;
  }

  #next(): string {
    return String(++this.#version);
  }
}

export function queue(name = 'queue', averageValue = '100'): object {
  return { type: 'External', external: { metric: { name }, target: { type: 'AverageValue', averageValue } } };
}

export function readyPod(namespace: string, app: string, i: number, ready = true): Pod {
  return {
    metadata: {
      name: `${app}-${i}`,
      namespace,
      uid: `${app}-${i}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app },
    },
    spec: { containers: [{ name: 'app', resources: { requests: { cpu: '100m' } } }] },
    status: {
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:10Z' },
      ],
    },
  };
}

function resolveKind(kind: string): ResourceInfo {
  const ref = { group: 'apps', version: 'v1', plural: `${kind.toLowerCase()}s`, namespaced: true };
  return { ref, kind, scalable: kind === 'Deployment' };
}
