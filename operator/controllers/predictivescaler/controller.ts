/** The controller: which events wake a scaler, and what its reconciler is made of. */
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import {
  type Controller,
  createController,
  generationChanged,
  informerSource,
  type RuntimeObserver,
} from '../../runtime/index.ts';
import type { Informers } from './informers.ts';
import { createReconcile, type ReconcilerOptions } from './reconciler.ts';

export interface PredictiveScalerControllerOptions extends ReconcilerOptions {
  readonly informers: Informers;
  readonly workers: number;
  readonly observer: RuntimeObserver;
  readonly logger: Logger;
  readonly clock: Clock;
}

export function createPredictiveScalerController(options: PredictiveScalerControllerOptions): Controller {
  return createController({
    name: 'predictivescaler',
    reconcile: createReconcile(options),
    // Status writes of our own do not wake us.
    // Targets and pods wake nobody: load is sampled at the sync period, as in HPA, not at every pod that comes.
    sources: [informerSource(options.informers.scalers, { changed: generationChanged })],
    workers: options.workers,
    clock: options.clock,
    logger: options.logger,
    observer: options.observer,
  });
}
