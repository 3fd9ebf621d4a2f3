/** The controller: which events wake a TrainingJob, and what its reconciler is made of. */
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import {
  type Controller,
  createController,
  type Informer,
  informerSource,
  type KubeObject,
  keyOf,
  type RuntimeObserver,
  type Store,
} from '../../runtime/index.ts';
import { type Informers, ownerKeys } from './informers.ts';
import { createReconcile, type ReconcilerOptions } from './reconciler.ts';
import { listeners, signChanged } from './schedule/listen.ts';
import type { WatchedScaler } from './schedule/signs.ts';
import type { WatchedPod } from './watched-pod.ts';

export interface TrainingJobControllerOptions extends ReconcilerOptions {
  readonly informers: Informers;
  /** Their forecasts start runs. */
  readonly scalers: Informer<WatchedScaler>;
  readonly workers: number;
  readonly observer: RuntimeObserver;
  readonly logger: Logger;
  readonly clock: Clock;
}

export function createTrainingJobController(options: TrainingJobControllerOptions): Controller {
  const { informers, scalers, reports, workers, clock, logger, observer } = options;
  return createController({
    name: 'trainingjob',
    reconcile: createReconcile(options),
    sources: [
      // Its own status too: what was written is what the next pass acts on.
      informerSource(informers.objects),
      // A run that moves shows in the one that made it.
      informerSource(informers.objects, { mapToKeys: ownerKeys }),
      informerSource(informers.runtimes, { mapToKeys: runsOf(informers.objects.store) }),
      informerSource(scalers, { mapToKeys: listeners(informers.objects.store), changed: signChanged }),
      informerSource(informers.jobs, { mapToKeys: ownerKeys }),
      informerSource(informers.pods, { mapToKeys: ownerKeys, changed: podChanged }),
      {
        start(enqueue, signal) {
          const stop = reports.onReport(({ namespace, name }) => enqueue(`${namespace}/${name}`));
          signal.addEventListener('abort', stop, { once: true });
        },
      },
    ],
    workers,
    clock,
    logger,
    observer,
  });
}

function podChanged(before: WatchedPod, after: WatchedPod): boolean {
  return (
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
    JSON.stringify(before.status) !== JSON.stringify(after.status)
  );
}

/** TrainingJobs that name this runtime. */
function runsOf(objects: Pick<Store<KubeObject>, 'list'>) {
  return ({ metadata: { name } }: KubeObject): string[] =>
    objects
      .list()
      .filter((object) => {
        const { spec } = object as { readonly spec?: { readonly runtimeRef?: { readonly name?: string } } };
        return (spec?.runtimeRef?.name ?? 'forecaster') === name;
      })
      .map(keyOf);
}
