/**
 * One informer over a few namespaces. A watch takes one namespace or all of them, and an operator whose rights end at
 * its namespaces may not watch all; so each has a watch of its own, and readers see one cache.
 */
import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { type InformerObserver, type InformerOptions, ResourceInformer } from '../kube/informer.ts';
import type { Informer, InformerHandler, KubeObject, Store } from '../kube/types.ts';
import type { Logger } from '../logger.ts';

export interface WatchScope {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer?: InformerObserver;
  /** Empty for all. */
  readonly namespaces: readonly string[];
}

export function watchIn<T extends KubeObject>(
  { client, clock, log, observer, namespaces }: WatchScope,
  options: InformerOptions<T>,
): Informer<T> {
  return informerOver(
    namespaces,
    (namespace) =>
      new ResourceInformer<T>(client, {
        clock,
        logger: log,
        ...(observer === undefined ? {} : { observer }),
        ...(namespace === undefined ? {} : { namespace }),
        ...options,
      }),
  );
}

/**
 * @param namespaces empty for all
 * @param make the informer of one namespace, or of all when it is undefined
 */
export function informerOver<T extends KubeObject>(
  namespaces: readonly string[],
  make: (namespace: string | undefined) => Informer<T>,
): Informer<T> {
  const [only, second] = namespaces;
  if (second === undefined) return make(only);
  const parts = new Map(namespaces.map((namespace) => [namespace, make(namespace)]));
  return new NamespacedInformer(parts);
}

class NamespacedInformer<T extends KubeObject> implements Informer<T> {
  readonly name: string;
  readonly store: Store<T>;
  readonly #parts: readonly Informer<T>[];

  constructor(parts: ReadonlyMap<string, Informer<T>>) {
    this.#parts = [...parts.values()];
    this.name = this.#parts[0]?.name ?? '';
    this.store = storeOver(new Map([...parts].map(([namespace, { store }]) => [namespace, store])));
  }

  get hasSynced(): boolean {
    return this.#parts.every((part) => part.hasSynced);
  }

  /** The most silent of them: that is the one whose news may be missing. */
  get silentForMs(): number {
    return Math.max(...this.#parts.map((part) => part.silentForMs));
  }

  subscribe(handler: InformerHandler<T>): () => void {
    const stops = this.#parts.map((part) => part.subscribe(handler));
    return () => {
      for (const stop of stops) stop();
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.run(signal)));
  }

  async waitForSync(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.waitForSync(signal)));
  }
}

function storeOver<T extends KubeObject>(parts: ReadonlyMap<string, Store<T>>): Store<T> {
  const stores = [...parts.values()];
  return {
    get size() {
      return stores.reduce((sum, store) => sum + store.size, 0);
    },
    get: (key) => parts.get(key.slice(0, Math.max(key.indexOf('/'), 0)))?.get(key),
    list: () => stores.flatMap((store) => store.list()),
    inNamespace: (namespace) => parts.get(namespace)?.inNamespace(namespace) ?? [],
    byIndex: (index, value) => stores.flatMap((store) => store.byIndex(index, value)),
  };
}
