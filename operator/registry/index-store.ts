/**
 * The index of a registered model in its ConfigMap: read, changed, written back unless somebody was faster; then it is
 * read again and changed anew. The command line and the operator write by the same code.
 */
import { LABELS } from '../api/index.ts';
import { ForesailError, isForesailError } from '../errors.ts';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeClient,
  type KubeObject,
  type ResourceRef,
} from '../runtime/index.ts';
import {
  EMPTY_INDEX,
  INDEX_KEY,
  indexText,
  type ModelIndex,
  parseIndex,
  registryName,
} from './model-index.ts';

export interface RegistryKey {
  readonly namespace: string;
  /** As `spec.output.registry` names it, not its ConfigMap. */
  readonly registry: string;
}

export type IndexClient = Pick<KubeClient, 'get' | 'create' | 'mergePatch'>;

const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
/** Another publisher may be faster; of those who write at once one comes through each time. */
const ATTEMPTS = 20;

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Found {
  readonly found: ConfigMap | undefined;
  readonly index: ModelIndex;
}

/** An index that is not there is `EMPTY_INDEX` itself. @throws REGISTRY_INVALID for one that cannot be read */
export async function readIndex(
  client: IndexClient,
  key: RegistryKey,
  signal: AbortSignal,
): Promise<ModelIndex> {
  return (await find(client, key, signal)).index;
}

/**
 * @param edit may be called several times; nothing is written when it gives back the index that it got
 * @returns what the last call of `edit` gave
 * @throws REGISTRY_INVALID; what `edit` throws, of this registry; the last conflict when others are faster twenty times
 */
export async function changeIndex<T extends { readonly index: ModelIndex }>(
  client: IndexClient,
  key: RegistryKey,
  edit: (index: ModelIndex) => T,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each attempt looks anew
    const { found, index } = await find(client, key, signal);
    const edited = inRegistry(key, () => edit(index));
    if (edited.index === index) return edited;
    try {
      // oxlint-disable-next-line no-await-in-loop
      await write(client, key, found, edited.index, signal);
      return edited;
    } catch (error) {
      if (!(isConflict(error) || isAlreadyExists(error)) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** What is wrong with an index is said of the registry that it is of. @throws what `work` throws */
export function inRegistry<T>({ namespace, registry }: RegistryKey, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isForesailError(error) || !error.code.startsWith('REGISTRY_')) throw error;
    const { code, retry, message, subject } = error;
    throw new ForesailError(code, retry, `registry ${namespace}/${registry}: ${message}`, {
      cause: error,
      ...(subject === undefined ? {} : { subject }),
    });
  }
}

async function find(
  client: IndexClient,
  { namespace, registry }: RegistryKey,
  signal: AbortSignal,
): Promise<Found> {
  const found = await client
    .get<ConfigMap>(CONFIG_MAPS, { namespace, name: registryName(registry) }, signal)
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  const index =
    found === undefined
      ? EMPTY_INDEX
      : inRegistry({ namespace, registry }, () => parseIndex(found.data?.[INDEX_KEY]));
  return { found, index };
}

async function write(
  client: IndexClient,
  { namespace, registry }: RegistryKey,
  found: ConfigMap | undefined,
  index: ModelIndex,
  signal: AbortSignal,
): Promise<void> {
  const labels = { [LABELS.registry]: registry };
  const data = { [INDEX_KEY]: indexText(index) };
  const name = registryName(registry);
  if (found === undefined) {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels }, data };
    await client.create(CONFIG_MAPS, object, signal);
    return;
  }
  const { resourceVersion } = found.metadata;
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  await client.mergePatch(CONFIG_MAPS, { namespace, name }, { metadata: { labels }, data }, version, signal);
}
