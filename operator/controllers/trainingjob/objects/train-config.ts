/** The file that tells the trainer what to do, out of typed fields alone. */
import { hyperparameterTree, type Search, type TrainingJob } from '../../../api/index.ts';
import { parseDurationMs } from '../../../duration.ts';
import { parseQuantityMilli } from '../../../quantity.ts';
import { storageKey } from './search-storage.ts';
import type { TrainingSettings } from './settings.ts';
import { trackingBlock } from './tracking.ts';

const HOUR_MS = 3_600_000;

export function trainConfig(
  run: Pick<TrainingJob, 'metadata' | 'spec'>,
  onCpu: boolean,
  { trackingUri }: Pick<TrainingSettings, 'trackingUri'>,
) {
  const { metadata, spec } = run;
  const { data, model, seed, checkpoint, output, workers, search } = spec;
  const windowHours = parseDurationMs(data.window) / HOUR_MS;
  return {
    name: output?.registry ?? metadata.name,
    family: model.family,
    seed,
    hyperparameters: hyperparameterTree(model.hyperparameters),
    data: {
      ...(data.storageUri === undefined ? { from: 'operator' } : { from: 'uri', uri: data.storageUri }),
      windowHours,
      // A search goes on only with the data that it began with, word by word: what is usual is not said.
      ...(data.sampling === 'uniform' ? {} : { sampling: data.sampling }),
    },
    split: { train: 0.7, validate: 0.15, test: 0.15 },
    checkpoint: { everySeconds: parseDurationMs(checkpoint.every) / 1000, keep: checkpoint.keep },
    // Training, too, is told: it takes what the search has found, and nothing in its place.
    ...(search === undefined ? {} : { search: { ...budgetOf(search), ...storageKey(search) } }),
    ...trackingBlock(run, trackingUri),
    accelerator: onCpu ? 'cpu' : workers.accelerator === 'nvidia' ? 'cuda' : 'auto',
  };
}

function budgetOf({ trials, maxDuration, gpuHours }: Search) {
  return {
    ...(trials === undefined ? {} : { trials }),
    ...(maxDuration === undefined ? {} : { maxSeconds: parseDurationMs(maxDuration) / 1000 }),
    ...(gpuHours === undefined ? {} : { gpuHours: parseQuantityMilli(gpuHours) / 1000 }),
  };
}
