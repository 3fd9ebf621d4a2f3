/**
 * Puts the rooms together: one process, every replica watching, one of them leading. Nothing is decided here; a reader
 * finds which part gets what.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { API_VERSION, PREDICTIVE_SCALER } from './api/index.ts';
import { type Calendar, type Clock, realCalendar, replayCalendar } from './clock.ts';
import { watchClockJumps } from './clock-jumps.ts';
import type { OperatorConfig } from './config.ts';
import { CONFIG_MAPS, type ConfigMap } from './controllers/config-map.ts';
import { createBackfill } from './controllers/predictivescaler/backfill.ts';
import { createCheckpoints } from './controllers/predictivescaler/checkpoint.ts';
import { createPredictiveScalerController } from './controllers/predictivescaler/controller.ts';
import { createExplanations } from './controllers/predictivescaler/explanations.ts';
import { createFleet } from './controllers/predictivescaler/fleet.ts';
import { createInformers, SCALERS, watchScaledObjects } from './controllers/predictivescaler/informers.ts';
import { createOutlook } from './controllers/predictivescaler/outlook.ts';
import { CONTROL_CONFIG_MAP, readPause } from './controllers/predictivescaler/pause-switch.ts';
import { createPlanner } from './controllers/predictivescaler/plan.ts';
import { watchPodTimes } from './controllers/predictivescaler/pod-times.ts';
import { createScalerMemories } from './controllers/predictivescaler/scaler-memory.ts';
import { createSharedPods } from './controllers/predictivescaler/shared-pods.ts';
import { createSteps } from './controllers/predictivescaler/steps.ts';
import { createVerdicts, NO_VERDICTS } from './controllers/predictivescaler/verdicts.ts';
import { STATE_LABEL } from './controllers/state-maps.ts';
import type { ReactiveTuning } from './decision/types.ts';
import { persistence } from './forecast/persistence.ts';
import { ridge } from './forecast/ridge.ts';
import { seasonalNaive } from './forecast/seasonal-naive.ts';
import { openModel } from './inference/model.ts';
import { ChainedForecastService } from './inference/service.ts';
import type { Logger } from './logger.ts';
import { createMetricSources } from './metricsources/registry.ts';
import { createAuthorizer } from './observability/authorizer.ts';
import { startHttp } from './observability/http.ts';
import { createMetrics } from './observability/metrics.ts';
import { createReplayer } from './replay/replayer.ts';
import {
  alwaysLeading,
  CachedDiscovery,
  type Connection,
  createEventRecorder,
  createLeaderElector,
  createManager,
  createStatusWriter,
  type Fence,
  fencedClient,
  type LeaderElector,
  ResourceInformer,
} from './runtime/index.ts';
import { openApi } from './wiring/api.ts';
import { openHistory } from './wiring/history.ts';
import { measured } from './wiring/model.ts';
import { addModelServing } from './wiring/model-serving.ts';
import { addTraining } from './wiring/training.ts';

export interface OperatorOptions {
  readonly config: OperatorConfig;
  readonly connection: Connection;
  /** Namespace of the operator itself: its lease, its control ConfigMap, its checkpoints. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const BOX_FILE = new URL('../models/loadcast/loadcast.onnx', import.meta.url).pathname;

/** Resolves after a graceful shutdown; rejects when a part failed or the lease was lost, and the process should end. */
export async function runOperator(options: OperatorOptions, signal: AbortSignal): Promise<void> {
  const { config, connection, namespace, clock, log } = options;
  const calendar = calendarOf(config);
  const metrics = createMetrics();
  const observer = metrics.runtime;
  const identity = `${hostname()}_${randomUUID()}`;

  const api = await openApi(connection, config, clock, observer);
  const { client } = api;
  const discovery = new CachedDiscovery(client, clock);

  let elector: LeaderElector | undefined;
  const { leaderElection } = config;
  const manager = createManager({
    clock,
    logger: log,
    ...(leaderElection.enabled
      ? {
          elector: (hooks) => {
            elector = createLeaderElector({
              client: api.lease,
              lease: { namespace: leaderElection.namespace ?? namespace, name: leaderElection.name },
              identity,
              leaseDurationMs: leaderElection.leaseDuration,
              renewDeadlineMs: leaderElection.renewDeadline,
              retryPeriodMs: leaderElection.retryPeriod,
              clock,
              logger: log,
              observer,
              ...hooks,
            });
            return elector;
          },
        }
      : {}),
  });
  const fence: Fence = elector ?? alwaysLeading;
  const writer = fencedClient(client, fence);

  const watch = { client, clock, log, observer, namespaces: config.namespaces };
  const informers = createInformers(watch);
  const scaledObjects = watchScaledObjects(watch, discovery);
  const control = new ResourceInformer<ConfigMap>(client, {
    ref: CONFIG_MAPS,
    name: 'control',
    namespace,
    fieldSelector: `metadata.name=${CONTROL_CONFIG_MAP}`,
    clock,
    logger: log,
    observer,
  });
  manager.addInformer(informers.scalers);
  manager.addInformer(informers.pods);
  manager.addInformer(informers.hpas);
  for (const informer of informers.workloads.values()) manager.addInformer(informer);
  manager.addInformer(control);
  const states = new ResourceInformer<ConfigMap>(client, {
    ref: CONFIG_MAPS,
    name: 'checkpoints',
    namespace,
    labelSelector: STATE_LABEL,
    clock,
    logger: log,
    observer,
  });
  manager.addInformer(states);
  manager.addRunnable(scaledObjects);

  const sources = createMetricSources({
    api: api.metrics,
    kinds: discovery,
    prometheusServers: config.prometheusServers,
    apiServers: () => api.endpoints,
    clock,
    observe: ({ operation, source, outcome, seconds }) => {
      if (operation === 'read') metrics.metricRead(source, outcome === 'value' ? 'ok' : outcome, seconds);
    },
    unexpected: (error) => log.error('metric source failed unexpectedly', { error }),
  });
  const past = openHistory(config, calendar, clock, log, metrics);
  const history = past.store;
  const model = await openModel({ path: config.forecast.modelFile ?? BOX_FILE }, { clock });
  log.info('model opened', { model: model.id, state: model.state });
  const service = new ChainedForecastService(
    measured(model, clock, metrics),
    [ridge(), seasonalNaive, persistence],
    { clock },
  );
  const ending = new AbortController();
  const steps = createSteps({
    sources,
    clock,
    calendar,
    log,
    defaultStepMs: config.forecast.defaultStep,
    signal: ending.signal,
  });
  const backfill = createBackfill({ sources, history, service, clock, calendar, log, signal: ending.signal });
  const events = createEventRecorder({
    client: writer,
    component: 'foresail',
    instance: identity,
    clock,
    logger: log,
    observer,
  });
  const explanations = createExplanations();
  const scalerByUid = (uid: string) =>
    informers.scalers.store.list().find(({ metadata }) => metadata.uid === uid);
  const stateMaps = {
    ref: CONFIG_MAPS,
    namespace,
    stored: states.store,
    client: writer,
    everyMs: config.state.checkpointEvery,
    clock,
    log,
  };
  const checkpoints = createCheckpoints({
    ...stateMaps,
    onCorrupt(uid, reason) {
      const scaler = scalerByUid(uid);
      if (scaler === undefined) return;
      const regarding = { apiVersion: API_VERSION, kind: PREDICTIVE_SCALER.kind, metadata: scaler.metadata };
      events.event(regarding, 'Warning', 'LearnedStateLost', `starting to learn anew: ${reason}`);
    },
  });
  const memories = createScalerMemories(
    (uid, target) => checkpoints.restore(uid, target),
    watchClockJumps(clock),
  );
  checkpoints.attach(
    memories,
    () => new Set(informers.scalers.store.list().map(({ metadata }) => metadata.uid ?? '')),
  );
  manager.addRunnable(checkpoints, { leaderOnly: true });
  const tuning: ReactiveTuning = {
    tolerance: config.hpa.tolerance,
    downscaleStabilizationMs: config.hpa.downscaleStabilization,
    cpuInitializationMs: config.hpa.cpuInitializationPeriod,
    initialReadinessDelayMs: config.hpa.initialReadinessDelay,
  };

  const replayer = createReplayer({ clock });
  // A replay of a recorded trace, as in the demonstration, lives too fast for the simulator's clock.
  const verdicts =
    !config.verdict.enabled || config.replay !== undefined
      ? NO_VERDICTS
      : createVerdicts({
          replayer,
          history,
          clock,
          log,
          everyMs: config.verdict.every,
          metricDelayMs: config.forecast.metricDelay,
          tuning,
          model,
          signal: ending.signal,
        });
  const watched = new Map([...informers.workloads].map(([kind, informer]) => [kind, informer.store]));
  const { models, judge } = addModelServing({
    config,
    watch,
    manager,
    writer,
    statusWriter: createStatusWriter(writer),
    events,
    history,
    numbers: sources,
    metrics: metrics.rollouts,
    states: stateMaps,
    apiServers: () => api.endpoints,
    signal: ending.signal,
  });
  const outlook = createOutlook({
    history,
    service,
    backfill,
    steps,
    clock,
    model: model.id,
    models,
    judge,
  });
  const planner = createPlanner(tuning);
  const trainingRoutes = addTraining({
    config,
    namespace,
    watch,
    calendar,
    manager,
    writer,
    events,
    history,
    scalers: informers.scalers,
    planner,
    discovery,
    metrics: metrics.training,
  });
  const controller = createPredictiveScalerController({
    ref: SCALERS,
    informers,
    scalers: informers.scalers.store,
    planner,
    targets: {
      discovery,
      reader: client,
      watched,
    },
    sharedPods: createSharedPods({ hpas: informers.hpas.store, watched, clock }),
    pods: informers.pods.store,
    podTimes: watchPodTimes(informers.pods, clock),
    rivals: () => ({
      hpas: informers.hpas.store,
      scaledObjects: scaledObjects.informer()?.store,
      predictiveScalers: informers.scalers.store as never,
    }),
    sources,
    outlook,
    verdicts,
    fleet: createFleet({
      clock,
      freeze: config.guards.freeze,
      creationsPerMinute: config.guards.creationsPerMinute,
      pause: () => readPause(control.store, namespace),
    }),
    memories,
    checkpoints,
    explanations,
    client: writer,
    statusWriter: createStatusWriter(writer),
    events,
    metrics,
    log,
    logger: log,
    observer,
    clock,
    calendar,
    workers: config.workers,
    newDecisionId: randomUUID,
    settings: {
      syncPeriodMs: config.syncPeriod,
      metricDelayMs: config.forecast.metricDelay,
      defaultLeadTimeMs: config.forecast.defaultLeadTime,
      defaultStepMs: config.forecast.defaultStep,
      protectedNamespaces: config.protectedNamespaces,
      ownPod: `${namespace}/${hostname()}`,
      tuning,
      guards: guardsOf(config),
    },
  });
  manager.addRunnable(
    {
      name: controller.name,
      async run(until) {
        await scaledObjects.settled(until);
        await controller.run(until);
      },
    },
    { leaderOnly: true },
  );
  manager.addRunnable(past.flusher);
  if (past.cleaner !== undefined) manager.addRunnable(past.cleaner, { leaderOnly: true });
  // While the lease is still ours: a moment later the fence would refuse what users should be told.
  const lastEvents = async (until: AbortSignal) => {
    await aborted(until);
    await events.flush(AbortSignal.timeout(2_000)).catch(() => undefined);
  };
  manager.addRunnable({ name: 'events', run: lastEvents }, { leaderOnly: true });
  manager.addRunnable({
    name: 'http',
    run: async (until) => {
      const http = await startHttp(
        { address: config.http.address, ...(config.http.tls === undefined ? {} : { tls: config.http.tls }) },
        {
          registry: metrics.registry,
          authorizer: createAuthorizer(api.reviews, clock),
          unhealthy: () => undefined,
          notReady: () => (manager.cachesSynced ? undefined : 'caches are not synced'),
          explain: (scalerNamespace, name) => explanations.of(`${scalerNamespace}/${name}`),
          whyForecast: (scalerNamespace, name, end) =>
            outlook.reasons(memories.find(`${scalerNamespace}/${name}`)?.uid ?? '', end),
          ...(trainingRoutes === undefined ? {} : { more: trainingRoutes }),
          log,
          clock,
        },
      );
      log.info('serving', { url: http.url });
      await aborted(until);
      await http.close();
    },
  });

  try {
    await manager.run(signal);
  } finally {
    ending.abort(new Error('shutting down'));
    await replayer.close();
    await Promise.allSettled([service.close(), models.close(), history.close(), sources.close()]);
    await api.close();
  }
}

function calendarOf({ replay }: OperatorConfig): Calendar {
  if (replay === undefined) return realCalendar;
  return replayCalendar(Date.parse(replay.realStart), Date.parse(replay.loadStart), replay.factor);
}

function guardsOf({ guards: { largestStep, outlier } }: OperatorConfig) {
  const { unitConfirm, ...rest } = outlier;
  return {
    ...(largestStep === undefined ? {} : { largestStep }),
    outlier: { ...rest, unitConfirmMs: unitConfirm },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
