/** The controller: which events wake a ModelDeployment, and what its reconciler is made of. */
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import {
  type Controller,
  createController,
  informerSource,
  type RuntimeObserver,
} from '../../runtime/index.ts';
import { CHILD_KINDS, followersOf, type Informers, ownerKeys } from './informers.ts';
import type { SeenPod } from './pod-health.ts';
import { createReconcile, type ReconcilerOptions } from './reconciler.ts';

export interface ModelDeploymentControllerOptions extends ReconcilerOptions {
  readonly informers: Informers;
  readonly workers: number;
  readonly observer: RuntimeObserver;
  readonly logger: Logger;
  readonly clock: Clock;
}

export function createModelDeploymentController(options: ModelDeploymentControllerOptions): Controller {
  const { informers, workers, clock, logger, observer } = options;
  return createController({
    name: 'modeldeployment',
    reconcile: createReconcile(options),
    sources: [
      // Its own status too: what was published is what the next pass goes on from.
      informerSource(informers.objects),
      informerSource(informers.pods, { mapToKeys: ownerKeys, changed: healthChanged }),
      ...(informers.registries === undefined
        ? []
        : [informerSource(informers.registries, { mapToKeys: followersOf(informers.objects.store) })]),
      ...CHILD_KINDS.map((kind) => informerSource(informers.children[kind], { mapToKeys: ownerKeys })),
    ],
    workers,
    clock,
    logger,
    observer,
  });
}

/** What is kept of a pod is what health is made of, and its version moves with everything else too. */
function healthChanged(before: SeenPod, after: SeenPod): boolean {
  return JSON.stringify(before.status) !== JSON.stringify(after.status);
}
