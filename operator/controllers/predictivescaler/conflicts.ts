/**
 * Finds out who else would write the replicas of the same target. Two autoscalers on one Deployment make it swing;
 * the one that was there first (or that the user turned into an HPA) keeps it, and ours says so and stops writing.
 */
import type { KubeObject, Store } from '../../runtime/types.ts';

export interface TargetRef {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
  readonly name: string;
}

/** HPA, ScaledObject and PredictiveScaler all name their target in this place. */
export interface ScalerObject extends KubeObject {
  readonly spec: { readonly scaleTargetRef: TargetRef; readonly mode?: string };
}

export interface Conflict {
  readonly reason: 'HorizontalPodAutoscaler' | 'ScaledObject' | 'PredictiveScaler' | 'SecondWriter';
  readonly message: string;
}

/** Name of the index over `targetKey` that each of the three stores carries. */
export const BY_TARGET = 'target';

/** `namespace/group/kind/name`; the version does not matter, ScaledObject defaults to a Deployment. */
export function targetKey(namespace: string, ref: TargetRef, defaultKind = 'Deployment'): string {
  const apiVersion = ref.apiVersion ?? 'apps/v1';
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return `${namespace}/${group}/${ref.kind ?? defaultKind}/${ref.name}`;
}

export function targetIndex(object: ScalerObject): string[] {
  const ref = object.spec?.scaleTargetRef;
  return ref === undefined ? [] : [targetKey(object.metadata.namespace ?? '', ref)];
}

export interface Rivals {
  readonly hpas: Store<ScalerObject>;
  /** Undefined while KEDA is not installed. */
  readonly scaledObjects: Store<ScalerObject> | undefined;
  readonly predictiveScalers: Store<ScalerObject>;
}

/** The first rival of `self`, or undefined. Among PredictiveScalers the oldest has the target. */
export function findConflict(self: ScalerObject, rivals: Rivals): Conflict | undefined {
  const namespace = self.metadata.namespace ?? '';
  const key = targetKey(namespace, self.spec.scaleTargetRef);
  const scaledObject = rivals.scaledObjects?.byIndex(BY_TARGET, key)[0];
  if (scaledObject !== undefined) return conflict('ScaledObject', scaledObject);
  const hpa = rivals.hpas.byIndex(BY_TARGET, key)[0];
  if (hpa !== undefined) {
    const keda = hpa.metadata.ownerReferences?.find((owner) => owner.kind === 'ScaledObject');
    return keda === undefined
      ? conflict('HorizontalPodAutoscaler', hpa)
      : {
          reason: 'ScaledObject',
          message: `${target(self)} is scaled by the ScaledObject ${keda.name}; remove one of the two`,
        };
  }
  const elder = rivals.predictiveScalers
    .byIndex(BY_TARGET, key)
    // One that only recommends writes nothing.
    .filter(({ spec }) => spec.mode !== 'Recommend')
    .filter((other) => other.metadata.uid !== self.metadata.uid && isElder(other, self))[0];
  return elder === undefined ? undefined : conflict('PredictiveScaler', elder);

  function conflict(kind: Conflict['reason'], rival: KubeObject): Conflict {
    return {
      reason: kind,
      message: `${target(self)} is scaled by the ${kind} ${rival.metadata.name}; remove one of the two`,
    };
  }
}

function target({ spec }: ScalerObject): string {
  return `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`;
}

function isElder(a: KubeObject, b: KubeObject): boolean {
  const [at, bt] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return at === bt ? a.metadata.name < b.metadata.name : at < bt;
}
