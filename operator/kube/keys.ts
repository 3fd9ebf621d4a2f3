/** An object's key as one string, the form in which it travels through stores and queues. */
import type { KubeObject, ObjectKey } from './types.ts';

export function formatKey(key: ObjectKey): string {
  return key.namespace === '' ? key.name : `${key.namespace}/${key.name}`;
}

export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/');
  return slash === -1
    ? { namespace: '', name: text }
    : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

export function objectKey(object: KubeObject): ObjectKey {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

export function keyOf(object: KubeObject): string {
  return formatKey(objectKey(object));
}
