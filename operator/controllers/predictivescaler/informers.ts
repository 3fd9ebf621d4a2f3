/** Everything the controller watches. Each informer keeps only what is read of its objects. */
import { PREDICTIVE_SCALER } from '../../api/index.ts';
import { isForesailError } from '../../errors.ts';
import {
  type Discovery,
  type Informer,
  type InformerOptions,
  type KubeObject,
  type ResourceRef,
  type WatchScope,
  watchIn,
} from '../../runtime/index.ts';
import { BY_TARGET, type ScalerObject, targetIndex } from './conflicts.ts';
import { BY_LABEL, labelIndex, type Pod, projectPod } from './pods.ts';
import type { Scaler } from './ports.ts';
import { projectWorkload, type Workload } from './target.ts';

export const SCALERS: ResourceRef = {
  group: PREDICTIVE_SCALER.group,
  version: PREDICTIVE_SCALER.version,
  plural: PREDICTIVE_SCALER.plural,
  namespaced: true,
};
const PODS: ResourceRef = { group: '', version: 'v1', plural: 'pods', namespaced: true };
const HPAS: ResourceRef = {
  group: 'autoscaling',
  version: 'v2',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
};
/** Kinds whose own fields are their scale; any other kind is read through /scale. */
const WORKLOADS: readonly ResourceRef[] = ['deployments', 'statefulsets'].map((plural) => ({
  group: 'apps',
  version: 'v1',
  plural,
  namespaced: true,
}));
const SCALED_OBJECT = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject' };

export interface Informers {
  readonly scalers: Informer<Scaler & Partial<ScalerObject>>;
  readonly pods: Informer<Pod>;
  readonly hpas: Informer<ScalerObject>;
  readonly workloads: ReadonlyMap<string, Informer<Workload>>;
}

export function createInformers(scope: WatchScope): Informers {
  const make = <T extends KubeObject>(of: InformerOptions<T>) => watchIn(scope, of);
  return {
    scalers: make({
      ref: SCALERS,
      indexes: { [BY_TARGET]: (object) => targetIndex(object as ScalerObject) },
    }),
    pods: make<Pod>({
      ref: PODS,
      project: (object) => projectPod(object as Pod),
      indexes: { [BY_LABEL]: labelIndex },
    }),
    hpas: make<ScalerObject>({ ref: HPAS, project: projectRival, indexes: { [BY_TARGET]: targetIndex } }),
    workloads: new Map(
      WORKLOADS.map((ref) => [
        `${ref.group}/${ref.plural}`,
        make<Workload>({ ref, project: (object) => projectWorkload(object as Workload) }),
      ]),
    ),
  };
}

function projectRival(object: KubeObject): ScalerObject {
  const { metadata, spec } = object as ScalerObject;
  // A CRD of KEDA's that lets an empty spec through must not cost us the whole watch.
  return { metadata, spec: { scaleTargetRef: spec?.scaleTargetRef } };
}

const SETTLE_MS = 10_000;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** KEDA may be installed at any time; its objects are watched from then on. */
export function watchScaledObjects(
  options: WatchScope,
  discovery: Discovery,
): {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  readonly informer: () => Informer<ScalerObject> | undefined;
  /**
   * Resolves when it is known which targets KEDA has: its objects are listed, or there is none. A list that does not
   * come in time is not waited for: KEDA's own HPAs tell of the same targets.
   */
  settled(signal: AbortSignal): Promise<void>;
} {
  let found: Informer<ScalerObject> | undefined;
  const asked = Promise.withResolvers<void>();
  return {
    name: 'scaledobjects',
    informer: () => found,
    async settled(signal) {
      const enough = new AbortController();
      const cancel = options.clock.after(SETTLE_MS, () => enough.abort(new Error('enough')));
      const either = AbortSignal.any([signal, enough.signal]);
      await Promise.race([asked.promise.then(() => found?.waitForSync(either)), aborted(either)]).catch(
        () => undefined,
      );
      cancel();
    },
    async run(signal) {
      while (!signal.aborted) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- asked again once a minute until KEDA is there
          const { ref } = await discovery.resolve(SCALED_OBJECT.apiVersion, SCALED_OBJECT.kind, signal);
          found = watchIn<ScalerObject>(options, {
            ref,
            project: projectRival,
            indexes: { [BY_TARGET]: targetIndex },
          });
          asked.resolve();
          // oxlint-disable-next-line no-await-in-loop -- runs until the end
          await found.run(signal);
        } catch (error) {
          // A server that cannot be asked just now has said nothing about KEDA.
          const absent = isForesailError(error, 'KUBE_UNKNOWN_KIND');
          if (absent) asked.resolve();
          // oxlint-disable-next-line no-await-in-loop
          await options.clock.sleep(absent ? 60_000 : 1_000, signal).catch(() => undefined);
        }
      }
    },
  };
}
