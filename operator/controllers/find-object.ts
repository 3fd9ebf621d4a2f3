/** One object, or undefined where there is none of that name. */
import {
  type Client,
  isNotFound,
  type KubeObject,
  type ObjectKey,
  type ResourceRef,
} from '../runtime/index.ts';

export async function findObject<T extends KubeObject>(
  client: Pick<Client, 'get'>,
  ref: ResourceRef,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await client.get<T>(ref, key, signal);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
