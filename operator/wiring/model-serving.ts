/** ModelDeployments as the configuration asks for them: their caches and their controller, or nothing at all. */
import type { OperatorConfig } from '../config.ts';
import { createChildWriter } from '../controllers/modeldeployment/children.ts';
import { createModelDeploymentController } from '../controllers/modeldeployment/controller.ts';
import { CHILD_KINDS, createInformers } from '../controllers/modeldeployment/informers.ts';
import type { Judge } from '../controllers/modeldeployment/judge.ts';
import type {
  Client,
  EventRecorder,
  Manager,
  RuntimeObserver,
  StatusWriter,
  WatchScope,
} from '../runtime/index.ts';

export interface ModelServingOptions {
  readonly config: OperatorConfig;
  readonly watch: WatchScope & { readonly observer: RuntimeObserver };
  readonly manager: Manager;
  /** Fenced. */
  readonly writer: Client;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly judge?: Judge | undefined;
}

const JUDGE_PERIOD_MS = 15_000;

export function addModelServing(options: ModelServingOptions): void {
  const { config, watch, manager, writer, statusWriter, events, judge } = options;
  const { enabled, image, command, schemes, serviceAccounts, minReady, drain } = config.modelServing;
  if (!enabled) return;
  const informers = createInformers(watch);
  manager.addInformer(informers.objects);
  manager.addInformer(informers.pods);
  for (const kind of CHILD_KINDS) manager.addInformer(informers.children[kind]);
  const { deployments, services, poddisruptionbudgets } = informers.children;
  manager.addController(
    createModelDeploymentController({
      informers,
      objects: informers.objects.store,
      children: createChildWriter({
        client: writer,
        stores: {
          deployments: deployments.store,
          services: services.store,
          poddisruptionbudgets: poddisruptionbudgets.store,
        },
        pods: informers.pods.store,
        clock: watch.clock,
        settings: { image: image ?? '', command, minReadySeconds: Math.ceil(minReady / 1000) },
      }),
      reader: writer,
      statusWriter,
      events,
      judge,
      admission: { schemes, serviceAccounts, protectedNamespaces: config.protectedNamespaces },
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
}
