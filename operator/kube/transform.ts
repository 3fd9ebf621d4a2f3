/** What is dropped at the door of every cache: nobody reads it, and it is often half of an object. */
import type { KubeObject } from './types.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Changes the object, which must be the caller's own (fresh from the parser). */
export function stripBookkeeping(object: KubeObject): KubeObject {
  const metadata = object.metadata as { managedFields?: unknown; annotations?: Record<string, string> };
  delete metadata.managedFields;
  const annotations = metadata.annotations;
  if (annotations !== undefined && LAST_APPLIED in annotations) {
    delete annotations[LAST_APPLIED];
    if (Object.keys(annotations).length === 0) delete metadata.annotations;
  }
  return object;
}
