/** Where things live in the REST API. Names are escaped, so a name can never reach another path. */
import { ForesailError } from '../errors.ts';
import type { ListOptions, ObjectKey, ResourceRef } from './types.ts';

export function groupVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  return slash === -1
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export function apiVersionOf(ref: Pick<ResourceRef, 'group' | 'version'>): string {
  return ref.group === '' ? ref.version : `${ref.group}/${ref.version}`;
}

export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `/api/${segment(version)}` : `/apis/${segment(group)}/${segment(version)}`;
}

export function collectionPath(ref: ResourceRef, namespace: string | undefined): string {
  const base = groupVersionPath(ref.group, ref.version);
  const inNamespace =
    ref.namespaced && namespace !== undefined && namespace !== '' ? `/namespaces/${segment(namespace)}` : '';
  return `${base}${inNamespace}/${segment(ref.plural)}`;
}

export function objectPath(ref: ResourceRef, key: ObjectKey, subresource?: string): string {
  if (ref.namespaced && key.namespace === '')
    throw new ForesailError('KUBE_KEY_INVALID', 'terminal', `${ref.plural} "${key.name}" needs a namespace`);
  const path = `${collectionPath(ref, key.namespace)}/${segment(key.name)}`;
  return subresource === undefined ? path : `${path}/${segment(subresource)}`;
}

export function listQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  if (options.limit !== undefined) query.set('limit', String(options.limit));
  if (options.continue !== undefined) query.set('continue', options.continue);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  return query;
}

/** `.` and `..` survive percent-encoding and would be resolved by URL parsers, an empty name would name the list. */
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new ForesailError('KUBE_KEY_INVALID', 'terminal', `"${text}" is not a name`);
  return encodeURIComponent(text);
}
