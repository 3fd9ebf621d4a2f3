/**
 * Finds pods that are counted twice: selected by this scaler's target and by the target of another autoscaler. Neither
 * can compute from such pods, so both stop with ScalingActive=False, reason AmbiguousSelector, as HPA does since 1.26.
 * Two autoscalers on one and the same target are another matter (conflicts.ts).
 *
 * A look at one scaler costs a few map look-ups per pod, however many scalers there are: each selector stands under one
 * of its `key=value` requirements, which every pod that it selects carries as a label.
 */
import type { Clock } from '../../clock.ts';
import type { ParsedSelector } from '../../labels.ts';
import type { Store } from '../../runtime/index.ts';
import { type ScalerObject, targetKey } from './conflicts.ts';
import type { Pod } from './pods.ts';
import { selectorOfWorkload, type Workload } from './target.ts';

export interface Selecting {
  readonly namespace: string;
  /** `targetKey` */
  readonly target: string;
  readonly selectorText: string;
  readonly selector: ParsedSelector;
}

export interface SharedPods {
  /** What a scaler selects as of this look. */
  report(key: string, selecting: Selecting): void;
  forget(key: string): void;
  /** The other autoscalers that select one of these pods, sorted; kind and name. */
  others(key: string, selecting: Selecting, pods: readonly Pod[]): readonly string[];
}

export interface SharedPodsOptions {
  readonly hpas: Store<ScalerObject>;
  /** Stores of the watched kinds by `group/plural`. */
  readonly watched: ReadonlyMap<string, Store<Workload>>;
  readonly clock: Clock;
}

/** An HPA tells no selector: it is looked up behind its target, and selectors of workloads never change. */
const HPAS_EVERY_MS = 60_000;

export function createSharedPods(options: SharedPodsOptions): SharedPods {
  const scalers = new Map<string, SelectorIndex>();
  const hpas = new Map<string, { readonly index: SelectorIndex; readonly atMs: number }>();
  const namespaceOf = new Map<string, string>();

  function hpasOf(namespace: string): SelectorIndex {
    const now = options.clock.monotonic();
    const kept = hpas.get(namespace);
    if (kept !== undefined && now - kept.atMs < HPAS_EVERY_MS) return kept.index;
    const index = new SelectorIndex();
    for (const hpa of options.hpas.inNamespace(namespace)) {
      const selecting = selectedBy(hpa, namespace, options.watched);
      if (selecting !== undefined) index.set(`HorizontalPodAutoscaler ${hpa.metadata.name}`, selecting);
    }
    hpas.set(namespace, { index, atMs: now });
    return index;
  }

  function forget(key: string): void {
    const namespace = namespaceOf.get(key);
    if (namespace === undefined) return;
    namespaceOf.delete(key);
    const index = scalers.get(namespace);
    index?.delete(labelOf(key));
    if (index?.size !== 0) return;
    scalers.delete(namespace);
    hpas.delete(namespace);
  }

  return {
    report(key, selecting) {
      const index = scalers.get(selecting.namespace) ?? new SelectorIndex();
      scalers.set(selecting.namespace, index);
      namespaceOf.set(key, selecting.namespace);
      index.set(labelOf(key), selecting);
    },
    forget,
    others(key, { namespace, target }, pods) {
      const found = new Set<string>();
      const labels = new Set<string>();
      for (const pod of pods)
        for (const [name, value] of Object.entries(pod.metadata.labels ?? {})) labels.add(`${name}=${value}`);
      for (const index of [scalers.get(namespace), hpasOf(namespace)])
        for (const [who, selecting] of index?.candidates(labels) ?? [])
          if (who !== labelOf(key) && selecting.target !== target && selectsOne(selecting, pods))
            found.add(who);
      return [...found].sort();
    },
  };
}

function labelOf(key: string): string {
  return `PredictiveScaler ${key.slice(key.indexOf('/') + 1)}`;
}

function selectsOne({ selector }: Selecting, pods: readonly Pod[]): boolean {
  return pods.some(({ metadata }) => selector.matches(metadata.labels));
}

/** Kinds whose plural is not the kind in lower case with an s are not watched, and so not looked up. */
function selectedBy(
  { spec }: ScalerObject,
  namespace: string,
  watched: SharedPodsOptions['watched'],
): Selecting | undefined {
  const ref = spec.scaleTargetRef;
  if (ref?.kind === undefined) return undefined;
  const group = (ref.apiVersion ?? 'apps/v1').split('/').slice(0, -1).join('/');
  const workload = watched.get(`${group}/${ref.kind.toLowerCase()}s`)?.get(`${namespace}/${ref.name}`);
  if (workload === undefined) return undefined;
  const { selector, selectorText } = selectorOfWorkload(workload);
  return selector && { namespace, target: targetKey(namespace, ref), selectorText, selector };
}

/** Selectors of one namespace, found by the labels of pods. */
class SelectorIndex {
  readonly #all = new Map<string, Selecting & { readonly under: string }>();
  readonly #buckets = new Map<string, Map<string, Selecting>>();

  get size(): number {
    return this.#all.size;
  }

  set(who: string, selecting: Selecting): void {
    const before = this.#all.get(who);
    if (before?.selectorText === selecting.selectorText && before.target === selecting.target) return;
    this.delete(who);
    // Under the rarest requirement: labels that everybody carries (a team, a part-of) would make one long list.
    const under =
      selecting.selector.equalities.toSorted((a, b) => this.#length(a) - this.#length(b))[0] ?? ANY;
    this.#all.set(who, { ...selecting, under });
    const bucket = this.#buckets.get(under) ?? new Map<string, Selecting>();
    bucket.set(who, selecting);
    this.#buckets.set(under, bucket);
  }

  delete(who: string): void {
    const before = this.#all.get(who);
    if (before === undefined) return;
    this.#all.delete(who);
    const bucket = this.#buckets.get(before.under);
    bucket?.delete(who);
    if (bucket?.size === 0) this.#buckets.delete(before.under);
  }

  /** Whoever may select a pod with one of these `key=value` labels. */
  *candidates(labels: Iterable<string>): Generator<readonly [who: string, selecting: Selecting]> {
    yield* this.#buckets.get(ANY) ?? [];
    for (const label of labels) yield* this.#buckets.get(label) ?? [];
  }

  #length(label: string): number {
    return this.#buckets.get(label)?.size ?? 0;
  }
}

/** Bucket of the selectors without a `key=value` requirement; no label is written so. */
const ANY = '';
