/**
 * One write of status per reconcile at most, and none when nothing has changed: a status that carries a new timestamp
 * each time would wake every watcher of the object, ourselves included, for ever.
 */
import { objectKey } from '../kube/keys.ts';
import { isTimestampKey, mergeDiff, sameJson } from './merge-diff.ts';
import type { KubeObject, ResourceRef, StatusWriter, Writer } from './types.ts';

/** The patch that `write` would send, or undefined. `ignore` names the keys whose change alone is no news. */
export function statusPatch(
  current: object | undefined,
  next: object,
  ignore: (key: string) => boolean = isTimestampKey,
): Record<string, unknown> | undefined {
  const before = (current ?? {}) as Record<string, unknown>;
  if (sameJson(before, next, ignore)) return undefined;
  return mergeDiff(before, next as Record<string, unknown>);
}

export function createStatusWriter(
  client: Pick<Writer, 'patchStatus'>,
  ignore: (key: string) => boolean = isTimestampKey,
): StatusWriter {
  return {
    async write<T extends KubeObject & { readonly status?: object }>(
      ref: ResourceRef,
      object: T,
      next: object,
      signal: AbortSignal,
    ): Promise<T | undefined> {
      const patch = statusPatch(object.status, next, ignore);
      if (patch === undefined) return undefined;
      const resourceVersion = object.metadata.resourceVersion;
      // The patch was computed against this version; against another one it could mix two states.
      const options = resourceVersion === undefined ? {} : { resourceVersion };
      return client.patchStatus<T>(ref, objectKey(object), patch, options, signal);
    },
  };
}
