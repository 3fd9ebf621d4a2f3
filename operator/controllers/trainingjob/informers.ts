/** Everything that the controller watches: the objects themselves, what they run on, and their children by our label. */
import {
  CLUSTER_TRAINING_RUNTIME,
  TRAINING_ANNOTATIONS,
  TRAINING_JOB,
  TRAINING_LABELS,
} from '../../api/index.ts';
import {
  type Informer,
  type InformerOptions,
  type KubeObject,
  type ResourceRef,
  type WatchScope,
  watchIn,
} from '../../runtime/index.ts';
import type { Child } from '../owned-objects.ts';
import { projectPod, type WatchedPod } from './watched-pod.ts';

const refOf = (
  { group, version, plural }: typeof TRAINING_JOB | typeof CLUSTER_TRAINING_RUNTIME,
  namespaced: boolean,
): ResourceRef => ({ group, version, plural, namespaced });

export const REF = refOf(TRAINING_JOB, true);
export const RUNTIMES = refOf(CLUSTER_TRAINING_RUNTIME, false);
export const JOBS: ResourceRef = { group: 'batch', version: 'v1', plural: 'jobs', namespaced: true };
export const PODS: ResourceRef = { group: '', version: 'v1', plural: 'pods', namespaced: true };
export const SERVICES: ResourceRef = { group: '', version: 'v1', plural: 'services', namespaced: true };
export const SECRETS: ResourceRef = { group: '', version: 'v1', plural: 'secrets', namespaced: true };

/** Children of one TrainingJob: `namespace/name` of the owner. */
export const BY_OWNER = 'owner';

/** The part of a batch/v1 Job that the informer keeps. */
export interface WatchedJob extends KubeObject {
  readonly spec: { readonly suspend?: boolean };
  readonly status: {
    readonly completionTime?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

export interface Informers {
  readonly objects: Informer<KubeObject>;
  readonly runtimes: Informer<KubeObject>;
  readonly jobs: Informer<WatchedJob>;
  readonly pods: Informer<WatchedPod>;
  readonly services: Informer<Child>;
}

export function createInformers(scope: WatchScope): Informers {
  const labelled = <T extends KubeObject>(of: InformerOptions<T>) =>
    watchIn<T>(scope, { ...of, labelSelector: TRAINING_LABELS.job, indexes: { [BY_OWNER]: ownerKeys } });
  return {
    // A run's parent is found by its label too.
    objects: watchIn<KubeObject>(scope, { ref: REF, indexes: { [BY_OWNER]: ownerKeys } }),
    runtimes: watchIn<KubeObject>({ ...scope, namespaces: [] }, { ref: RUNTIMES }),
    jobs: labelled<WatchedJob>({ ref: JOBS, name: 'training jobs of batch', project: projectJob }),
    pods: labelled<WatchedPod>({ ref: PODS, name: 'training pods', project: projectPod }),
    services: labelled<Child>({ ref: SERVICES, name: 'training services' }),
  };
}

export function ownerKeys({ metadata }: KubeObject): string[] {
  const owner = metadata.labels?.[TRAINING_LABELS.job];
  return owner === undefined ? [] : [`${metadata.namespace}/${owner}`];
}

/** Pod templates of a thousand runs are not worth their memory. */
export function projectJob(object: KubeObject): WatchedJob {
  const { metadata, spec, status = {} } = object as KubeObject & Partial<WatchedJob>;
  const { annotations = {}, ...rest } = metadata;
  const kept = Object.entries(annotations).filter(([name]) =>
    [TRAINING_ANNOTATIONS.tokenSha256, LAUNCHED].some((ours) => ours === name),
  );
  return {
    metadata: { ...rest, annotations: Object.fromEntries(kept) },
    spec: { suspend: spec?.suspend ?? false },
    status: {
      ...(status.completionTime === undefined ? {} : { completionTime: status.completionTime }),
      conditions: status.conditions ?? [],
    },
  };
}

/** On a Job whose token exists: from then on it may start. */
export const LAUNCHED = 'foresail.io/training-launched';
