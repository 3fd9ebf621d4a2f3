/**
 * The scale of a target. Deployments and StatefulSets are watched anyway, and their own fields say what their
 * /scale would, so steady state reads no /scale at all; any other kind with the subresource is read at each sync.
 */
import { ForesailError } from '../../errors.ts';
import { formatSelector, type LabelSelector, type ParsedSelector, parseSelector } from '../../labels.ts';
import type { Discovery, KubeObject, Reader, ResourceRef, Scale, Store } from '../../runtime/types.ts';
import type { TargetRef } from './conflicts.ts';

/** A workload as the informer keeps it (see `projectWorkload`). */
export interface Workload extends KubeObject {
  readonly spec: { readonly replicas?: number; readonly selector?: LabelSelector };
  readonly status?: { readonly replicas?: number };
}

export interface Target {
  readonly ref: ResourceRef;
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string | undefined;
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly selectorText: string;
  /** Undefined when the target selects nothing or its selector cannot be read. */
  readonly selector: ParsedSelector | undefined;
}

/** Keeps what `Target` needs: ten thousand Deployments with their pod templates would not fit. */
export function projectWorkload(object: Workload): Workload {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    spec: {
      ...(object.spec.replicas === undefined ? {} : { replicas: object.spec.replicas }),
      ...(object.spec.selector === undefined ? {} : { selector: object.spec.selector }),
    },
    status: { replicas: object.status?.replicas ?? 0 },
  };
}

export interface TargetSources {
  readonly discovery: Discovery;
  readonly reader: Pick<Reader, 'getScale'>;
  /** Stores of the watched kinds by `group/plural`. */
  readonly watched: ReadonlyMap<string, Store<Workload>>;
}

/**
 * @throws ForesailError TARGET_NOT_FOUND (transient: it may be created later), TARGET_NOT_SCALABLE (terminal),
 * or what the API server answered.
 */
export async function readTarget(
  sources: TargetSources,
  namespace: string,
  { apiVersion = 'apps/v1', kind, name }: TargetRef,
  signal: AbortSignal,
): Promise<Target> {
  const { ref, scalable } = await sources.discovery.resolve(apiVersion, kind, signal);
  if (!scalable)
    throw new ForesailError(
      'TARGET_NOT_SCALABLE',
      'terminal',
      `${kind} (${apiVersion}) has no /scale subresource`,
      {
        subject: 'spec.scaleTargetRef.kind',
      },
    );
  const store = sources.watched.get(`${ref.group}/${ref.plural}`);
  if (store === undefined)
    return fromScale(ref, await sources.reader.getScale(ref, { namespace, name }, signal));
  const workload = store.get(`${namespace}/${name}`);
  if (workload === undefined)
    throw new ForesailError(
      'TARGET_NOT_FOUND',
      'transient',
      `${kind} ${name} does not exist in ${namespace}`,
      {
        subject: 'spec.scaleTargetRef.name',
      },
    );
  return fromWorkload(ref, workload);
}

/** The scale as the API server answered a write: newer than what the informer knows yet. */
export function fromScale(ref: ResourceRef, scale: Scale): Target {
  return {
    ref,
    namespace: scale.metadata.namespace ?? '',
    name: scale.metadata.name,
    resourceVersion: scale.metadata.resourceVersion,
    // Kubernetes leaves out a zero.
    specReplicas: scale.spec?.replicas ?? 0,
    statusReplicas: scale.status?.replicas ?? 0,
    ...selectorOf(scale.status?.selector ?? ''),
  };
}

/** Our own write, as long as the informer has not seen it. Resource versions of one resource can be compared. */
export function newest(
  found: Target,
  written: { readonly resourceVersion: string; readonly replicas: number } | undefined,
): Target {
  if (written === undefined || found.resourceVersion === undefined) return found;
  if (!isOlder(found.resourceVersion, written.resourceVersion)) return found;
  return { ...found, specReplicas: written.replicas, resourceVersion: written.resourceVersion };
}

function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

function fromWorkload(ref: ResourceRef, workload: Workload): Target {
  const { metadata, spec, status } = workload;
  return {
    ref,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    resourceVersion: metadata.resourceVersion,
    // The API server defaults an absent number to 1.
    specReplicas: spec.replicas ?? 1,
    statusReplicas: status?.replicas ?? 0,
    ...selectorOfWorkload(workload),
  };
}

export function selectorOfWorkload({ spec }: Workload): Pick<Target, 'selectorText' | 'selector'> {
  return selectorOf(spec.selector === undefined ? '' : formatSelector(spec.selector));
}

function selectorOf(selectorText: string): Pick<Target, 'selectorText' | 'selector'> {
  if (selectorText === '') return { selectorText, selector: undefined };
  try {
    return { selectorText, selector: parseSelector(selectorText) };
  } catch {
    return { selectorText, selector: undefined };
  }
}
