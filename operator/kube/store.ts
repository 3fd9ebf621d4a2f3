/**
 * The objects that an informer knows, by key and by index. Reads hand out snapshots: an event that arrives while a
 * reader iterates does not change its list.
 */
import { ForesailError } from '../errors.ts';
import { keyOf } from './keys.ts';
import type { KubeObject, Store } from './types.ts';

/** The values under which an object is found; none leaves it out of the index. */
export type IndexFunction<T> = (object: T) => readonly string[];

const BY_NAMESPACE = 'namespace';

export class IndexedStore<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>();
  readonly #functions: ReadonlyMap<string, IndexFunction<T>>;
  readonly #indexes = new Map<string, Map<string, Map<string, T>>>();

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#functions = new Map<string, IndexFunction<T>>([
      [BY_NAMESPACE, (object) => [object.metadata.namespace ?? '']],
      ...Object.entries(indexes),
    ]);
    for (const name of this.#functions.keys()) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  inNamespace(namespace: string): readonly T[] {
    return this.byIndex(BY_NAMESPACE, namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    const entries = this.#indexes.get(index);
    if (entries === undefined)
      throw new ForesailError('KUBE_INDEX_UNKNOWN', 'terminal', `the store has no index "${index}"`);
    return [...(entries.get(value)?.values() ?? [])];
  }

  /** Returns what stood there before. */
  set(object: T): T | undefined {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before !== undefined) this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, values] of this.#functions) {
      const index = this.#indexes.get(name)!;
      for (const value of values(object)) {
        const entries = index.get(value) ?? new Map<string, T>();
        entries.set(key, object);
        index.set(value, entries);
      }
    }
    return before;
  }

  delete(key: string): T | undefined {
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#unindex(key, before);
    this.#objects.delete(key);
    return before;
  }

  #unindex(key: string, object: T): void {
    for (const [name, values] of this.#functions) {
      const index = this.#indexes.get(name)!;
      for (const value of values(object)) {
        const entries = index.get(value);
        entries?.delete(key);
        if (entries?.size === 0) index.delete(value);
      }
    }
  }
}
