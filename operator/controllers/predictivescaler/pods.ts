/**
 * The pods of a target, out of one informer over all pods. What is kept of a pod is what a decision reads (phase,
 * readiness, requests) and what the lead time is learned from; the rest is dropped at the door.
 */
import type { PodLike } from '../../decision/pod-view.ts';
import type { PodStart } from '../../forecast/types.ts';
import type { ParsedSelector } from '../../labels.ts';
import type { KubeObject, Store } from '../../runtime/types.ts';

type Container = PodLike['spec']['containers'][number];

/** The part of a core/v1 Pod that the informer keeps. */
export interface Pod extends KubeObject {
  readonly spec: PodLike['spec'];
  readonly status?: NonNullable<PodLike['status']> & {
    readonly containerStatuses?: readonly { readonly restartCount?: number }[];
  };
}

export function projectPod({ metadata, spec, status }: Pod): Pod {
  const container = ({ name, restartPolicy, resources }: Container): Container => ({
    name,
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    ...(resources?.requests === undefined ? {} : { resources: { requests: resources.requests } }),
  });
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels } = metadata;
  return defined({
    metadata: defined({
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      deletionTimestamp,
      labels,
    }),
    spec: defined({
      containers: spec.containers.map(container),
      initContainers: spec.initContainers?.map(container),
      resources: spec.resources?.requests === undefined ? undefined : { requests: spec.resources.requests },
      overhead: spec.overhead,
    }),
    status: defined({
      phase: status?.phase,
      startTime: status?.startTime,
      conditions: status?.conditions
        ?.filter(({ type }) => type === 'Ready')
        .map(({ type, status: value, lastTransitionTime }) =>
          defined({ type, status: value, lastTransitionTime }),
        ),
      containerStatuses: status?.containerStatuses?.map(({ restartCount }) => defined({ restartCount })),
    }),
  });
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the keys that hold undefined: ten thousand pods with empty slots would cost memory for nothing. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** Index over `namespace/key=value` for each label: a target's pods are found without walking all pods. */
export const BY_LABEL = 'label';

export function labelIndex({ metadata }: Pod): string[] {
  return Object.entries(metadata.labels ?? {}).map(([key, value]) => `${metadata.namespace}/${key}=${value}`);
}

export function podsOf(store: Store<Pod>, namespace: string, selector: ParsedSelector): readonly Pod[] {
  const buckets = selector.equalities.map((equality) => store.byIndex(BY_LABEL, `${namespace}/${equality}`));
  const candidates = buckets.sort((a, b) => a.length - b.length)[0] ?? store.inNamespace(namespace);
  return candidates.filter((pod) => selector.matches(pod.metadata.labels));
}

export function podStart({ metadata, status }: Pod): PodStart {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const readyMs = ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') : Number.NaN;
  return {
    uid: metadata.uid ?? '',
    createdMs: Date.parse(metadata.creationTimestamp ?? ''),
    readyMs: Number.isNaN(readyMs) ? undefined : readyMs,
    restarts: status?.containerStatuses?.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0) ?? 0,
  };
}

export function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
  );
}
