/**
 * TrainingJobs as the configuration asks for them: their caches, their controller and the HTTP face of their pods, or
 * no more than a word that nothing is trained.
 */
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Calendar } from '../clock.ts';
import type { OperatorConfig } from '../config.ts';
import { createOwnedObjects } from '../controllers/owned-objects.ts';
import { isForecastable } from '../controllers/predictivescaler/load.ts';
import { seriesKeyOf } from '../controllers/predictivescaler/outlook.ts';
import type { Planner } from '../controllers/predictivescaler/plan.ts';
import type { Scaler } from '../controllers/predictivescaler/ports.ts';
import { createAttemptLookup } from '../controllers/trainingjob/attempt-facts.ts';
import { createRunObjects } from '../controllers/trainingjob/children.ts';
import { createTrainingJobController } from '../controllers/trainingjob/controller.ts';
import { createInformers } from '../controllers/trainingjob/informers.ts';
import { createLauncher } from '../controllers/trainingjob/launcher.ts';
import type { TrainingSettings } from '../controllers/trainingjob/objects/settings.ts';
import { createRegistrar } from '../controllers/trainingjob/registrar.ts';
import { listener } from '../controllers/trainingjob/schedule/listen.ts';
import { createScheduler } from '../controllers/trainingjob/schedule/scheduler.ts';
import { createRunStatusWriter } from '../controllers/trainingjob/status.ts';
import { createSwitchedOff } from '../controllers/trainingjob/switched-off.ts';
import { createPastCopies } from '../history/past-copy.ts';
import type { HistoryStore } from '../history/types.ts';
import type { TrainingMetrics } from '../observability/training-metrics.ts';
import {
  type Client,
  type Discovery,
  type EventRecorder,
  type Informer,
  keyOf,
  type Manager,
  type RuntimeObserver,
  type WatchScope,
} from '../runtime/index.ts';
import { createDataExport, type ScalerLookup } from '../training/data-export.ts';
import { createLeaderMark } from '../training/leader-mark.ts';
import { createRunReports } from '../training/reports.ts';
import { trainingRoutes } from '../training/routes.ts';

export interface TrainingOptions {
  readonly config: OperatorConfig;
  /** Namespace of the operator itself. */
  readonly namespace: string;
  readonly watch: WatchScope & { readonly observer: RuntimeObserver };
  readonly calendar: Calendar;
  readonly manager: Manager;
  /** Fenced. */
  readonly writer: Client;
  readonly events: EventRecorder;
  readonly history: Pick<HistoryStore, 'span' | 'window'>;
  readonly scalers: Informer<Scaler>;
  readonly planner: Pick<Planner, 'planOf'>;
  readonly discovery: Discovery;
  readonly metrics: TrainingMetrics;
}

/** Further routes of the operator's own server. */
export type Routes = (server: FastifyInstance) => Promise<void>;

/** @returns the HTTP face of the runs' pods; undefined where nothing is trained */
export function addTraining(options: TrainingOptions): Routes | undefined {
  const { config, namespace, watch, calendar, manager, writer, events, metrics } = options;
  const { clock, log } = watch;
  const { enabled, data } = config.training;
  const statusWriter = createRunStatusWriter(writer);
  if (!enabled) {
    const { discovery } = options;
    manager.addRunnable(createSwitchedOff({ watch, discovery, statusWriter }), { leaderOnly: true });
    return undefined;
  }
  const informers = createInformers(watch);
  const { objects, runtimes, jobs, pods, services } = informers;
  for (const informer of [objects, runtimes, jobs, pods, services]) manager.addInformer(informer);
  const mark = createLeaderMark({ client: writer, namespace, pod: hostname(), clock, log });
  manager.addRunnable(mark, { leaderOnly: true });
  const reports = createRunReports({ clock, log });
  manager.addController(
    createTrainingJobController({
      informers,
      scalers: options.scalers,
      objects: objects.store,
      runtimes: runtimes.store,
      caches: { jobs: jobs.store, pods: pods.store },
      reports,
      launcher: createLauncher({
        client: writer,
        owned: createOwnedObjects(writer, clock),
        jobs: jobs.store,
        services: services.store,
        discovery: config.training.podGroups ? options.discovery : undefined,
      }),
      children: createRunObjects({ client: writer, jobs: jobs.store, pods: pods.store }),
      registrar: createRegistrar(writer, clock),
      scheduler: createScheduler({
        objects: objects.store,
        scalersOf: listener(options.scalers.store, namespace),
        client: writer,
        statusWriter,
        events,
        clock,
      }),
      reader: writer,
      statusWriter,
      events,
      metrics,
      settings: settingsOf(config, namespace),
      clock,
      log,
      logger: log,
      observer: watch.observer,
      workers: Math.min(config.workers, 8),
    }),
  );
  return trainingRoutes({
    answering: () => manager.isLeader && manager.cachesSynced,
    attemptOf: createAttemptLookup(objects.store, jobs.store, namespace),
    reports,
    data: createDataExport({
      history: options.history,
      past: addPast(config, manager, watch),
      scalers: scalerLookup(options),
      operatorNamespace: namespace,
      now: () => calendar.fromReal(clock.now()),
      ...data,
    }),
    maxPoints: data.maxPoints,
    clock,
    log,
  });
}

/** The chart's volume is a quarter larger than the history: copies of it must fit beside. */
const SHARE_OF_HISTORY = 5;

function addPast(
  { history: { directory, maxBytes } }: OperatorConfig,
  manager: Manager,
  { clock, log }: WatchScope,
) {
  if (directory === undefined) return undefined;
  const past = createPastCopies({
    folder: directory,
    maxBytes: Math.floor(maxBytes / SHARE_OF_HISTORY),
    clock,
    log,
  });
  manager.addRunnable({
    name: 'copies of the past',
    async run(until) {
      await new Promise((resolve) => until.addEventListener('abort', resolve, { once: true }));
      await past.close();
    },
  });
  return past;
}

function settingsOf(
  { training, modelServing, protectedNamespaces }: OperatorConfig,
  namespace: string,
): TrainingSettings {
  const image = training.gate.image ?? modelServing.image;
  return {
    ...(training.address === undefined ? {} : { address: training.address }),
    ...(training.caFile === undefined || training.caFile === '' ? {} : { caFile: training.caFile }),
    ...(training.tracking.uri === undefined ? {} : { trackingUri: training.tracking.uri }),
    ...(image === undefined ? {} : { image }),
    command: training.gate.command,
    fetch: modelServing.fetch,
    schemes: training.schemes,
    incumbentSchemes: modelServing.schemes,
    serviceAccounts: modelServing.serviceAccounts,
    protectedNamespaces,
    namespace,
    elasticWaitMs: training.elasticWait,
    fencingMs: training.fencingTimeout,
    restartDelay: { firstMs: training.restartDelay.first, mostMs: training.restartDelay.most },
  };
}

/** The series that history keeps of each scaler, by the keys that the forecast uses. */
function scalerLookup({ scalers, planner }: Pick<TrainingOptions, 'scalers' | 'planner'>): ScalerLookup {
  return (namespace) =>
    (namespace === undefined ? scalers.store.list() : scalers.store.inNamespace(namespace)).flatMap(
      (object) => {
        const plan = planner.planOf(keyOf(object), object);
        if ('problem' in plan) return [];
        const { uid = '', name, namespace: of = '', labels } = object.metadata;
        const series = plan.decision.metrics
          .filter(isForecastable)
          .map((metric) => ({ key: seriesKeyOf(uid, metric), metric: `${metric.type} ${metric.name}` }));
        return [{ namespace: of, name, labels, series }];
      },
    );
}
