/** Where a controller's keys come from. */
import { keyOf } from '../kube/keys.ts';
import type { Informer, KubeObject, Source } from './types.ts';

export interface InformerSourceOptions<T extends KubeObject> {
  /** The keys to reconcile for an object; default is its own. Use it to watch what an object depends on. */
  readonly mapToKeys?: (object: T) => readonly string[];
  /** Whether an update is worth a reconcile; default always. Additions and deletions always are. */
  readonly changed?: (before: T, after: T) => boolean;
}

export function informerSource<T extends KubeObject>(
  informer: Informer<T>,
  options: InformerSourceOptions<T> = {},
): Source {
  const keys = options.mapToKeys ?? ((object: T) => [keyOf(object)]);
  return {
    start(enqueue, signal) {
      if (signal.aborted) return;
      const unsubscribe = informer.subscribe({
        onAdd: (object) => keys(object).forEach(enqueue),
        onUpdate(before, after) {
          if (options.changed !== undefined && !options.changed(before, after)) return;
          // An object that moves from one owner to another concerns both.
          for (const key of new Set([...keys(before), ...keys(after)])) enqueue(key);
        },
        onDelete: (last) => keys(last).forEach(enqueue),
      });
      signal.addEventListener('abort', unsubscribe, { once: true });
    },
  };
}

/** For `changed`: the spec moved on, or deletion began. Writes of status do not count. */
export function generationChanged(before: KubeObject, after: KubeObject): boolean {
  return (
    before.metadata.uid !== after.metadata.uid ||
    before.metadata.generation !== after.metadata.generation ||
    before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp
  );
}
