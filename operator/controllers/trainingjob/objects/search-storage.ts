/** Where the pods that search meet, and with that where each of them works: on the run's claim, or in a folder of its own. */
import { type ClusterTrainingRuntime, TRAINING_PATHS, type TrainingJob } from '../../../api/index.ts';
import type { Attempt } from '../plan/types.ts';
import { runFolder } from './names.ts';
import { secretEnv } from './secret-env.ts';

export const WORK = 'foresail-work';

type Spec = Pick<TrainingJob['spec'], 'search'>;

/** Pods of it need no claim: what they find lies in a database. */
export function searchesByDatabase({ search }: Spec, { searches }: Pick<Attempt, 'searches'>): boolean {
  return searches === true && search?.storage !== undefined;
}

/** A key of the trainer's block `search`. A search goes on with the settings that it began with: what is usual is not said. */
export function storageKey({ storage }: NonNullable<Spec['search']>): { readonly storage?: 'rdb' } {
  return storage === undefined ? {} : { storage: 'rdb' };
}

/** Training, too, asks there what the search has found. Without the Secret or its key no pod starts (plan/room.ts). */
export function storageEnv({ search }: Spec) {
  return search?.storage === undefined
    ? []
    : [secretEnv('FORESAIL_SEARCH_STORAGE', search.storage.rdb.urlSecretRef)];
}

/** The volume that a pod works in, and its mount. */
export function workFolder(
  { metadata, spec }: Pick<TrainingJob, 'metadata' | 'spec'>,
  attempt: Pick<Attempt, 'searches'>,
  { searchScratch }: Pick<ClusterTrainingRuntime['spec'], 'searchScratch'>,
) {
  const mount = { name: WORK, mountPath: TRAINING_PATHS.work };
  return searchesByDatabase(spec, attempt)
    ? { volume: { name: WORK, emptyDir: { sizeLimit: searchScratch.sizeLimit } }, mount }
    : {
        volume: { name: WORK, persistentVolumeClaim: { claimName: spec.checkpoint.claimName } },
        mount: { ...mount, subPath: runFolder(metadata) },
      };
}
