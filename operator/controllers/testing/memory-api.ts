/**
 * An API server in memory: what it stores is at once what every cache shows. Writes bump versions and are refused over a
 * stale one; each may be the last that a process makes, before the server has it or after.
 */
import { ForesailError } from '../../errors.ts';
import type { IndexedStore } from '../../runtime/index.ts';
import {
  type DeleteOptions,
  type KubeObject,
  type ListOptions,
  type ObjectKey,
  type ResourceRef,
} from '../../runtime/index.ts';

export type Stored = KubeObject & { readonly spec?: object; readonly status?: object };

/** Thrown through the reconciler as by a process that is not there any more. */
export class Crash extends Error {}

export class MemoryApi {
  /** `create jobs/loadcast-1`, in order. */
  readonly writes: string[] = [];
  /** Looks at each write before it is done. */
  onWrite: (write: string) => void = () => undefined;
  /** Called after each write was done. */
  afterWrite: (write: string) => void = () => undefined;
  /** What a deletion does; default: the object is gone. */
  onDelete: (plural: string, object: Stored, options: DeleteOptions) => void = (plural, object) =>
    this.drop(plural, object);
  readonly #stores: ReadonlyMap<string, IndexedStore<Stored>>;
  #version = 0;
  #uid = 0;

  constructor(stores: Readonly<Record<string, IndexedStore<Stored>>>) {
    this.#stores = new Map(Object.entries(stores));
  }

  of(plural: string): IndexedStore<Stored> {
    const store = this.#stores.get(plural);
    if (store === undefined) throw new Error(`nothing knows ${plural}`);
    return store;
  }

  /** Past every hook: what others than the operator do. */
  put<T extends Stored>(plural: string, object: T): T {
    this.#version += 1;
    const { metadata } = object;
    const stamped = {
      ...object,
      metadata: { ...metadata, uid: metadata.uid ?? this.#newUid(), resourceVersion: String(this.#version) },
    };
    this.of(plural).set(stamped);
    return stamped;
  }

  drop(plural: string, { metadata }: KubeObject): void {
    this.of(plural).delete(keyText(metadata));
  }

  readonly client = {
    get: async <T extends KubeObject>(ref: ResourceRef, key: ObjectKey) =>
      this.#found(ref, key) as unknown as T,
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the client's own signature
    list: async <T extends KubeObject>(ref: ResourceRef, { namespace, labelSelector }: ListOptions) => {
      const wanted = (labelSelector ?? '').split(',').map((part) => part.split('='));
      const items = this.of(ref.plural)
        .list()
        .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
        .filter(({ metadata }) =>
          wanted.every(([name = '', value]) => {
            const label = metadata.labels?.[name];
            return name === '' || (value === undefined ? label !== undefined : label === value);
          }),
        );
      return { items: items as unknown as T[], resourceVersion: String(this.#version) };
    },
    create: async <T extends KubeObject>(ref: ResourceRef, object: T) =>
      this.#write(`create ${ref.plural}/${object.metadata.name}`, () => {
        if (this.of(ref.plural).get(keyText(object.metadata)) !== undefined)
          throw new ForesailError('KUBE_ALREADY_EXISTS', 'conflict', 'it exists');
        const metadata = { ...object.metadata, uid: this.#newUid(), generation: 1 };
        return this.put(ref.plural, { ...object, metadata });
      }),
    mergePatch: async <T extends KubeObject>(
      ref: ResourceRef,
      key: ObjectKey,
      patch: object,
      { resourceVersion }: { readonly resourceVersion?: string },
    ) =>
      this.#write(`patch ${ref.plural}/${key.name}`, () => {
        const before = this.#found(ref, key, resourceVersion);
        const generation = (before.metadata.generation ?? 0) + ('spec' in patch ? 1 : 0);
        const after = merged(merged(before, patch), { metadata: { generation } });
        return this.put(ref.plural, after as Stored) as unknown as T;
      }),
    patchStatus: async <T extends KubeObject>(
      ref: ResourceRef,
      key: ObjectKey,
      patch: object,
      { resourceVersion }: { readonly resourceVersion?: string },
    ) =>
      this.#write(`status ${ref.plural}/${key.name}`, () => {
        const before = this.#found(ref, key, resourceVersion);
        const status = merged(before.status ?? {}, patch);
        return this.put(ref.plural, { ...before, status }) as unknown as T;
      }),
    delete: async (ref: ResourceRef, key: ObjectKey, options: DeleteOptions) =>
      this.#write(`delete ${ref.plural}/${key.name}`, () => {
        const found = this.#found(ref, key, options.resourceVersion);
        if (options.uid !== undefined && options.uid !== found.metadata.uid)
          throw new ForesailError('KUBE_CONFLICT', 'conflict', 'another object has the name now');
        this.onDelete(ref.plural, found, options);
      }),
  };

  #write<T>(what: string, work: () => T): T {
    this.onWrite(what);
    const answer = work();
    this.writes.push(what);
    this.afterWrite(what);
    return answer;
  }

  #found({ plural }: ResourceRef, key: ObjectKey, resourceVersion?: string): Stored {
    const found = this.of(plural).get(keyText(key));
    if (found === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', `no ${key.name}`);
    if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
      throw new ForesailError('KUBE_CONFLICT', 'conflict', 'the object has been modified');
    return found;
  }

  #newUid(): string {
    this.#uid += 1;
    return `00000000-0000-4000-8000-${String(this.#uid).padStart(12, '0')}`;
  }
}

function keyText({ namespace = '', name }: { readonly namespace?: string; readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** RFC 7386. */
export function merged(before: object, patch: object): object {
  const result: Record<string, unknown> = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const old = result[key];
      result[key] = merged(typeof old === 'object' && old !== null && !Array.isArray(old) ? old : {}, value);
    } else if (value !== undefined) result[key] = value;
  }
  return result;
}
