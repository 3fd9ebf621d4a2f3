/**
 * ModelDeployments as the configuration asks for them: their caches, what scalers may ask of them and their controller,
 * or nothing at all.
 */
import { join } from 'node:path';
import { followsRegistries, type OperatorConfig } from '../config.ts';
import { createChildWriter } from '../controllers/modeldeployment/children.ts';
import { createModelDeploymentController } from '../controllers/modeldeployment/controller.ts';
import { createRouteWriter } from '../controllers/modeldeployment/gateway.ts';
import { createGuardedJudge } from '../controllers/modeldeployment/guards/guarded-judge.ts';
import { createCounterReader } from '../controllers/modeldeployment/guards/pod-metrics.ts';
import { BY_OWNER, CHILD_KINDS, createInformers } from '../controllers/modeldeployment/informers.ts';
import { versionOf } from '../controllers/modeldeployment/pod-health.ts';
import { createRegistries, NO_REGISTRIES } from '../controllers/modeldeployment/registry.ts';
import {
  createForecastJudge,
  type ForecastJudge,
  NO_FORECAST_JUDGE,
} from '../controllers/served-models/forecast-judge.ts';
import { createJudgementFiles, newerOf } from '../controllers/served-models/judgement-files.ts';
import {
  createServedModels,
  NO_SERVED_MODELS,
  type ServedModels,
} from '../controllers/served-models/served-models.ts';
import { createStoredJudgements } from '../controllers/served-models/stored-judgement.ts';
import type { StateMapsOptions } from '../controllers/state-maps.ts';
import type { HistoryStore } from '../history/types.ts';
import type { NumberSource } from '../metricsources/types.ts';
import type { AddressGuard } from '../net/guarded-connector.ts';
import type { RolloutMetrics } from '../observability/rollout-metrics.ts';
import {
  type Client,
  type EventRecorder,
  keyOf,
  type Manager,
  type RuntimeObserver,
  type StatusWriter,
  type WatchScope,
} from '../runtime/index.ts';

export interface ModelServingOptions {
  readonly config: OperatorConfig;
  readonly watch: WatchScope & { readonly observer: RuntimeObserver };
  readonly manager: Manager;
  /** Fenced. */
  readonly writer: Client;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly history: Pick<HistoryStore, 'window'>;
  /** Prometheus servers, for guards that ask a query. */
  readonly numbers: NumberSource;
  readonly metrics: RolloutMetrics;
  /** Where judgements under way are kept. */
  readonly states: StateMapsOptions;
  /** Where the Kubernetes API server listens. */
  readonly apiServers: AddressGuard['apiServers'];
  /** Ends what is asked in the background at shutdown. */
  readonly signal: AbortSignal;
}

/** What PredictiveScalers may ask. */
export interface ModelServing {
  readonly models: ServedModels;
  readonly judge: Pick<ForecastJudge, 'sight'>;
}

const JUDGE_PERIOD_MS = 15_000;

export function addModelServing(options: ModelServingOptions): ModelServing {
  const {
    config,
    watch,
    manager,
    writer,
    statusWriter,
    events,
    history,
    numbers,
    metrics,
    apiServers,
    signal,
    states,
  } = options;
  const { enabled, image, command, schemes, serviceAccounts, gateway, fetch, minReady, drain } =
    config.modelServing;
  if (!enabled) return { models: NO_SERVED_MODELS, judge: NO_FORECAST_JUDGE };
  const informers = createInformers(watch, followsRegistries(config));
  manager.addInformer(informers.objects);
  manager.addInformer(informers.pods);
  if (informers.registries !== undefined) manager.addInformer(informers.registries);
  for (const kind of CHILD_KINDS) manager.addInformer(informers.children[kind]);
  const { address, allowAddresses, timeout } = config.modelServing;
  const objects = informers.objects.store;
  const models = createServedModels({
    objects,
    guard: { allowed: new Set(allowAddresses), apiServers },
    address,
    timeoutMs: timeout,
    clock: watch.clock,
  });
  const keys = () => new Map(objects.list().map((object) => [object.metadata.uid ?? '', keyOf(object)]));
  const stored = createStoredJudgements(states);
  const { directory, flushEvery } = config.history;
  const files =
    directory === undefined
      ? undefined
      : createJudgementFiles({
          folder: join(directory, 'judgements'),
          everyMs: flushEvery,
          clock: watch.clock,
          log: watch.log,
        });
  const forecasts = createForecastJudge({
    history,
    restore: (uid) => newerOf(files?.restore(uid), stored.restore(uid)),
    living: () => new Set(keys().keys()),
    log: watch.log,
    signal,
  });
  stored.attach(forecasts, keys);
  manager.addRunnable(stored, { leaderOnly: true });
  if (files !== undefined) {
    files.attach(forecasts, () => new Set(keys().keys()));
    manager.addRunnable(files, { leaderOnly: true });
  }
  const counters = createCounterReader({ apiServers, clock: watch.clock, allowed: allowAddresses });
  const judge = createGuardedJudge({
    forecasts,
    counters,
    numbers,
    podsOf: (key, version) =>
      informers.pods.store.byIndex(BY_OWNER, key).filter((pod) => versionOf(pod) === version),
    periodMs: JUDGE_PERIOD_MS,
    clock: watch.clock,
    log: watch.log,
  });
  const guards = async (until: AbortSignal) => {
    await judge.run(until);
    await counters.close();
  };
  manager.addRunnable({ name: judge.name, run: guards }, { leaderOnly: true });
  const { deployments, services, poddisruptionbudgets } = informers.children;
  manager.addController(
    createModelDeploymentController({
      informers,
      objects,
      children: createChildWriter({
        client: writer,
        stores: {
          deployments: deployments.store,
          services: services.store,
          poddisruptionbudgets: poddisruptionbudgets.store,
        },
        pods: informers.pods.store,
        clock: watch.clock,
        settings: { image: image ?? '', command, fetch, minReadySeconds: Math.ceil(minReady / 1000) },
      }),
      reader: writer,
      statusWriter,
      events,
      judge,
      metrics,
      registries:
        informers.registries === undefined ? NO_REGISTRIES : createRegistries(informers.registries.store),
      admission: { schemes, serviceAccounts, gateway, protectedNamespaces: config.protectedNamespaces },
      routes: createRouteWriter(writer, watch.clock),
      hasImage: image !== undefined,
      drainMs: drain,
      judgePeriodMs: JUDGE_PERIOD_MS,
      clock: watch.clock,
      log: watch.log,
      logger: watch.log,
      observer: watch.observer,
      workers: Math.min(config.workers, 8),
    }),
  );
  return { models, judge: forecasts };
}
