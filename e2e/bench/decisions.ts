/**
 * How many decisions a second one process makes, and how long one takes, with everything of the operator but the
 * network: the real controller, queue, reconciler, history of fifteen days, model in the box, calibration and decision.
 * A metric is answered at once and a write ends at once, which is what "without metric fetch" means.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Calendar, systemClock } from '../../operator/clock.ts';
import { parseConfig } from '../../operator/config.ts';
import {
  BY_TARGET,
  type ScalerObject,
  targetIndex,
} from '../../operator/controllers/predictivescaler/conflicts.ts';
import { createExplanations } from '../../operator/controllers/predictivescaler/explanations.ts';
import { createFleet } from '../../operator/controllers/predictivescaler/fleet.ts';
import { SCALERS } from '../../operator/controllers/predictivescaler/informers.ts';
import { metricId } from '../../operator/controllers/predictivescaler/learned.ts';
import { createOutlook } from '../../operator/controllers/predictivescaler/outlook.ts';
import { createPlanner } from '../../operator/controllers/predictivescaler/plan.ts';
import {
  BY_LABEL,
  labelIndex,
  type Pod,
  podStart,
} from '../../operator/controllers/predictivescaler/pods.ts';
import type { Scaler } from '../../operator/controllers/predictivescaler/ports.ts';
import {
  createReconcile,
  type ReconcilerOptions,
} from '../../operator/controllers/predictivescaler/reconciler.ts';
import { createScalerMemories } from '../../operator/controllers/predictivescaler/scaler-memory.ts';
import { createSharedPods } from '../../operator/controllers/predictivescaler/shared-pods.ts';
import type { Workload } from '../../operator/controllers/predictivescaler/target.ts';
import { NO_VERDICTS } from '../../operator/controllers/predictivescaler/verdicts.ts';
import { NO_FORECAST_JUDGE } from '../../operator/controllers/served-models/forecast-judge.ts';
import { NO_SERVED_MODELS } from '../../operator/controllers/served-models/served-models.ts';
import { MemoryHistory } from '../../operator/history/memory-store.ts';
import { BOX_MODEL } from '../../operator/inference/box-model.ts';
import { openModel } from '../../operator/inference/model.ts';
import { ChainedForecastService } from '../../operator/inference/service.ts';
import { IndexedStore } from '../../operator/kube/store.ts';
import { silentLogger } from '../../operator/logger.ts';
import { createMetrics } from '../../operator/observability/metrics.ts';
import { known } from '../../operator/observation.ts';
import {
  createController,
  type KubeObject,
  keyOf,
  type RuntimeObserver,
} from '../../operator/runtime/index.ts';
import { metricOf, NAMESPACE, nameOf, predictiveScaler, workload } from './fleet.ts';
import { quantile } from './numbers.ts';

export interface DecisionFigures {
  readonly scalers: number;
  /** All scalers due at the same moment, again and again; times from when a worker takes one, 64 at once. */
  readonly burst: {
    readonly decisionsPerSecond: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly meanBatch: number;
    readonly cpuMsPerDecision: number;
  };
  /** The same with batches of one. */
  readonly unbatched: { readonly decisionsPerSecond: number; readonly cpuMsPerDecision: number };
  /** Due evenly over the sync period, as scalers are in operation; from due to decided. */
  readonly spread: {
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
    readonly cores: number;
  };
  readonly historyMiB: number;
  readonly rssMiB: number;
}

const DAYS = 15;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** What a scaler with the default history keeps. */
const RETAIN_MS = 29 * DAY;
const ROUNDS = 4;
const BOX_FILE = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;

export async function benchDecisions(scalers: number, signal: AbortSignal): Promise<DecisionFigures> {
  const now = Date.now();
  let ahead = 0;
  // Each round of a burst is a sync period later in the load's time, so that forecasts are issued and settled.
  const calendar: Calendar = { factor: 1, fromReal: (ms) => ms + ahead, toReal: (ms) => ms - ahead };
  const history = new MemoryHistory({ now: () => Date.now() + ahead });
  const batched = await bench({ scalers, calendar, history, now, maxBatch: 64 });
  await batched.round(signal); // Warm code, first status, first calibration.
  const config = parseConfig({}, 'defaults');
  const rounds = async (each: Bench) => {
    each.durations.length = 0;
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    for (let i = 0; i < ROUNDS; i++) {
      ahead += config.syncPeriod;
      // oxlint-disable-next-line no-await-in-loop -- a round at a time
      await each.round(signal);
    }
    const { user, system } = process.cpuUsage(cpu);
    const decisions = ROUNDS * scalers;
    return {
      decisionsPerSecond: decisions / ((performance.now() - startedAt) / 1000),
      cpuMsPerDecision: (user + system) / 1000 / decisions,
    };
  };
  const burst = await rounds(batched);
  const { durations } = batched;
  const [p50Ms, p99Ms] = [quantile(durations, 0.5), quantile(durations, 0.99)];
  const meanBatch = batched.meanBatch();
  const spread = await batched.spread(config.syncPeriod, signal);
  await batched.close();
  const single = await bench({ scalers, calendar, history, now, maxBatch: 1 });
  await single.round(signal);
  const unbatched = await rounds(single);
  await single.close();
  return {
    scalers,
    burst: { ...burst, p50Ms, p99Ms, meanBatch },
    unbatched,
    spread,
    historyMiB: history.bytes / 1024 ** 2,
    rssMiB: process.memoryUsage().rss / 1024 ** 2,
  };
}

interface Bench {
  /** Milliseconds per decision, from the moment a worker takes it. */
  readonly durations: number[];
  round(signal: AbortSignal): Promise<void>;
  spread(overMs: number, signal: AbortSignal): Promise<DecisionFigures['spread']>;
  meanBatch(): number;
  close(): Promise<void>;
}

interface BenchOptions {
  readonly scalers: number;
  readonly calendar: Calendar;
  readonly history: MemoryHistory;
  readonly now: number;
  readonly maxBatch: number;
}

async function bench({ scalers, calendar, history, now, maxBatch }: BenchOptions): Promise<Bench> {
  const clock = systemClock;
  const model = await openModel({ path: BOX_FILE }, { clock });
  if (model.state.phase !== 'ready') throw new Error(`the model in the box is ${model.state.phase}`);
  const service = new ChainedForecastService(model, [], { clock, maxBatch });
  const options = reconcilerOptions({ scalers, calendar, history, now, service });
  const keys = options.scalers.list().map(keyOf);
  const due = new Map<string, number>();
  const durations: number[] = [];
  const lateness: number[] = [];
  let decided = 0;
  let failure: unknown;
  let roundEnds = Promise.withResolvers<void>();
  const observer: RuntimeObserver = {
    reconciled({ key, error, durationMs }) {
      failure ??= error;
      durations.push(durationMs);
      lateness.push(performance.now() - (due.get(key) ?? Number.NaN));
      decided += 1;
      if (decided === keys.length) roundEnds.resolve();
    },
  };
  const reconcile = createReconcile(options);
  const controller = createController({
    name: 'bench',
    async reconcile(key, signal) {
      await reconcile(key, signal);
      return {}; // Rounds are ours to start: nothing comes back by itself.
    },
    sources: [],
    workers: parseConfig({}, 'defaults').workers,
    clock,
    observer,
  });
  const life = new AbortController();
  const running = controller.run(life.signal);
  const enqueue = (key: string) => {
    due.set(key, performance.now());
    controller.enqueue(key);
  };
  const round = async (start: () => Promise<unknown>) => {
    [decided, roundEnds] = [0, Promise.withResolvers<void>()];
    // Timers of the operator keep no process alive.
    const awake = setInterval(() => undefined, 1000);
    await start();
    await roundEnds.promise;
    clearInterval(awake);
    if (failure !== undefined) throw new Error('a decision failed', { cause: failure });
  };
  return {
    durations,
    round: () => round(() => Promise.resolve(keys.forEach(enqueue))),
    async spread(overMs, signal) {
      lateness.length = 0;
      const cpu = process.cpuUsage();
      const startedAt = performance.now();
      await round(async () => {
        for (const [i, key] of keys.entries()) {
          const wait = startedAt + (i * overMs) / keys.length - performance.now();
          // oxlint-disable-next-line no-await-in-loop -- each in its turn
          if (wait > 1) await sleep(wait, undefined, { signal });
          enqueue(key);
        }
      });
      const { user, system } = process.cpuUsage(cpu);
      return {
        p50Ms: quantile(lateness, 0.5),
        p99Ms: quantile(lateness, 0.99),
        maxMs: Math.max(...lateness),
        cores: (user + system) / 1000 / (performance.now() - startedAt),
      };
    },
    meanBatch: () => service.stats.windows / service.stats.runs,
    async close() {
      life.abort();
      await running;
      await service.close();
    },
  };
}

interface FleetOptions extends Omit<BenchOptions, 'maxBatch'> {
  readonly service: ChainedForecastService;
}

/** The operator's parts, with objects in memory where the API server would be. */
function reconcilerOptions({ scalers, calendar, history, now, service }: FleetOptions): ReconcilerOptions {
  const clock = systemClock;
  const config = parseConfig({}, 'defaults');
  const tuning = {
    tolerance: config.hpa.tolerance,
    downscaleStabilizationMs: config.hpa.downscaleStabilization,
    cpuInitializationMs: config.hpa.cpuInitializationPeriod,
    initialReadinessDelayMs: config.hpa.initialReadinessDelay,
  };
  const planner = createPlanner(tuning);
  const stores = fleetOf(scalers, now);
  if (history.size === 0)
    for (let i = 0; i < scalers; i++) fillPast(history, planner, stores.scalers, i, now);
  return {
    ref: SCALERS,
    scalers: stores.scalers,
    planner,
    targets: {
      discovery: {
        resolve: (_, kind) =>
          Promise.resolve({
            ref: { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true },
            kind,
            scalable: true,
          }),
      },
      reader: { getScale: () => Promise.reject(new Error('a watched kind is not read')) },
      watched: new Map([['apps/deployments', stores.workloads]]),
    },
    pods: stores.pods,
    podTimes: { startOf: podStart },
    rivals: () => ({
      hpas: stores.hpas,
      scaledObjects: undefined,
      predictiveScalers: stores.scalers as never,
    }),
    sharedPods: createSharedPods({
      hpas: stores.hpas,
      watched: new Map([['apps/deployments', stores.workloads]]),
      clock,
    }),
    sources: {
      read: ({ metric }) => {
        const name = metric.type === 'External' ? metric.external.metric.name : '';
        const milli = Math.round(
          1000 * loadOf(Number(name.slice(metricOf(0).length - 5)), calendar.fromReal(clock.now())),
        );
        return Promise.resolve(known({ form: 'total', milli, series: 1 }, clock.now()));
      },
    },
    outlook: createOutlook({
      history,
      service,
      backfill: { ensure: () => ({ ready: true }), forget: () => true },
      steps: { stepOf: () => config.forecast.defaultStep, forget: () => true },
      clock,
      model: BOX_MODEL.name,
      models: NO_SERVED_MODELS,
      judge: NO_FORECAST_JUDGE,
    }),
    verdicts: NO_VERDICTS,
    fleet: createFleet({
      clock,
      freeze: config.guards.freeze,
      creationsPerMinute: undefined,
      pause: () => ({ paused: false, reason: '' }),
    }),
    memories: createScalerMemories(
      () => undefined,
      () => 0,
    ),
    checkpoints: { forget: () => Promise.resolve() },
    explanations: createExplanations(),
    client: {
      patchScale: (_, { namespace, name }, replicas) =>
        Promise.resolve({ metadata: { namespace: namespace ?? '', name }, spec: { replicas } } as never),
    },
    statusWriter: { write: () => Promise.resolve(undefined) },
    events: { event: () => undefined, flush: () => Promise.resolve() },
    metrics: createMetrics(),
    log: silentLogger,
    clock,
    calendar,
    newDecisionId: () => 'bench',
    settings: {
      syncPeriodMs: config.syncPeriod,
      metricDelayMs: config.forecast.metricDelay,
      defaultLeadTimeMs: config.forecast.defaultLeadTime,
      defaultStepMs: config.forecast.defaultStep,
      protectedNamespaces: [],
      tuning,
      guards: { outlier: { ...config.guards.outlier, unitConfirmMs: config.guards.outlier.unitConfirm } },
    },
  };
}

function fleetOf(scalers: number, now: number) {
  const stores = {
    scalers: new IndexedStore<Scaler>({ [BY_TARGET]: (object) => targetIndex(object as ScalerObject) }),
    hpas: new IndexedStore<ScalerObject>({ [BY_TARGET]: targetIndex }),
    workloads: new IndexedStore<Workload>(),
    pods: new IndexedStore<Pod>({ [BY_LABEL]: labelIndex }),
  };
  const started = new Date(now - DAY).toISOString();
  for (let i = 0; i < scalers; i++) {
    const scaler = predictiveScaler(i) as unknown as KubeObject;
    stores.scalers.set({
      ...scaler,
      metadata: { ...scaler.metadata, uid: `uid-${i}`, generation: 1, creationTimestamp: started },
    });
    const { metadata, spec } = workload(i);
    stores.workloads.set({ metadata, spec, status: { replicas: 1 } });
    stores.pods.set({
      metadata: {
        name: `${nameOf(i)}-0`,
        namespace: NAMESPACE,
        uid: `pod-${i}`,
        labels: spec.template.metadata.labels,
        creationTimestamp: started,
      },
      spec: { containers: [{ name: 'app' }] },
      status: {
        phase: 'Running',
        startTime: started,
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: started }],
      },
    });
  }
  return stores;
}

/** A day's wave with ripples; every scaler has its own phase. */
function loadOf(i: number, atMs: number): number {
  const day = (2 * Math.PI * (atMs + i * 7 * MINUTE)) / DAY;
  return (
    200 + 120 * Math.sin(day) + 20 * Math.sin(13 * day) + ((Math.floor(atMs / MINUTE) * 7 + i * 13) % 11)
  );
}

function fillPast(
  history: MemoryHistory,
  planner: ReturnType<typeof createPlanner>,
  scalers: IndexedStore<Scaler>,
  i: number,
  now: number,
): void {
  const key = `${NAMESPACE}/${nameOf(i)}`;
  const object = scalers.get(key);
  if (object === undefined) throw new Error(`no scaler ${key}`);
  const plan = planner.planOf(key, object);
  if ('problem' in plan) throw plan.problem;
  const [metric] = plan.decision.metrics;
  if (metric === undefined) throw new Error('a scaler without a metric');
  const seriesKey = `uid-${i}/${metricId(metric)}`;
  history.declare(seriesKey, { stepMs: MINUTE, retainMs: RETAIN_MS });
  const startMs = Math.floor((now - DAYS * DAY) / MINUTE) * MINUTE;
  const values = Float64Array.from({ length: (DAYS * DAY) / MINUTE }, (_, k) =>
    loadOf(i, startMs + k * MINUTE),
  );
  history.fill(seriesKey, { startMs, stepMs: MINUTE, values });
}
