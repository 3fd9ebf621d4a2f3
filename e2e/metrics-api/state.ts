/**
 * The numbers that the metrics APIs of a test answer with, set by the test's script. What was not set is
 * absent, as it is with a real adapter; nothing is ever zero by itself.
 */
import { type Labels, parseSelector } from './selector.ts';

/** A quantity as a string, or a number that is kept to a thousandth. */
export type Amount = number | string;

export interface ObjectReference {
  /** As in a URL: "services", "deployments.apps", "ingresses.networking.k8s.io"; "namespaces" for the namespace itself. */
  readonly resource: string;
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
}

export interface Measured {
  readonly value: string;
  readonly labels: Labels;
}

export interface PodUsage {
  readonly name: string;
  readonly labels: Labels;
  readonly containers: ReadonlyMap<string, { readonly cpu: string; readonly memory: string }>;
}

interface Pod {
  readonly labels: Labels;
  readonly metrics: Map<string, Measured>;
  readonly containers: Map<string, { cpu: string; memory: string }>;
}

interface NamespaceState {
  readonly external: Map<string, Map<string, Measured>>;
  readonly pods: Map<string, Pod>;
  readonly objects: Map<string, Measured & { readonly reference: ObjectReference }>;
}

export class MetricsState {
  readonly #namespaces = new Map<string, NamespaceState>();

  /** One series of an external metric; `labels` tell it from others of the same name. */
  setExternal(namespace: string, metric: string, labels: Labels, value: Amount): void {
    const series = getOrMake(this.#of(namespace).external, metric, () => new Map<string, Measured>());
    series.set(labelKey(labels), { value: quantity(value), labels });
  }

  /** Without labels: every series of the metric. */
  removeExternal(namespace: string, metric: string, labels?: Labels): void {
    const { external } = this.#of(namespace);
    if (labels) external.get(metric)?.delete(labelKey(labels));
    else external.delete(metric);
  }

  /** Makes a pod known; selectors look at these labels. A pod that was not added has no metrics. */
  addPod(namespace: string, pod: string, labels: Labels): void {
    const { pods } = this.#of(namespace);
    if (!pods.has(pod)) pods.set(pod, { labels, metrics: new Map(), containers: new Map() });
  }

  podNames(namespace: string): readonly string[] {
    return [...(this.#namespaces.get(namespace)?.pods.keys() ?? [])];
  }

  removePod(namespace: string, pod: string): void {
    this.#of(namespace).pods.delete(pod);
  }

  setPodMetric(namespace: string, pod: string, metric: string, value: Amount, labels: Labels = {}): void {
    this.#pod(namespace, pod).metrics.set(metric, { value: quantity(value), labels });
  }

  removePodMetric(namespace: string, pod: string, metric: string): void {
    this.#of(namespace).pods.get(pod)?.metrics.delete(metric);
  }

  /** `cpu` in cores or a quantity, `memory` in bytes or a quantity. */
  setPodResource(namespace: string, pod: string, container: string, cpu: Amount, memory: Amount): void {
    this.#pod(namespace, pod).containers.set(container, { cpu: quantity(cpu), memory: quantity(memory) });
  }

  removePodResource(namespace: string, pod: string, container: string): void {
    this.#of(namespace).pods.get(pod)?.containers.delete(container);
  }

  setObjectMetric(
    namespace: string,
    reference: ObjectReference,
    metric: string,
    value: Amount,
    labels: Labels = {},
  ): void {
    const key = `${reference.resource}/${reference.name}/${metric}`;
    this.#of(namespace).objects.set(key, { value: quantity(value), labels, reference });
  }

  removeObjectMetric(namespace: string, reference: ObjectReference, metric: string): void {
    this.#of(namespace).objects.delete(`${reference.resource}/${reference.name}/${metric}`);
  }

  external(namespace: string, metric: string, selector: string): readonly Measured[] {
    const matches = parseSelector(selector);
    const series = this.#namespaces.get(namespace)?.external.get(metric)?.values() ?? [];
    return [...series].filter(({ labels }) => matches(labels));
  }

  podMetrics(namespace: string, metric: string, selector: string, metricSelector: string) {
    const [podMatches, metricMatches] = [parseSelector(selector), parseSelector(metricSelector)];
    return [...(this.#namespaces.get(namespace)?.pods ?? [])].flatMap(([name, pod]) => {
      const measured = pod.metrics.get(metric);
      return measured && podMatches(pod.labels) && metricMatches(measured.labels)
        ? [{ name, ...measured }]
        : [];
    });
  }

  objectMetric(namespace: string, resource: string, name: string, metric: string, metricSelector: string) {
    const found = this.#namespaces.get(namespace)?.objects.get(`${resource}/${name}/${metric}`);
    return found && parseSelector(metricSelector)(found.labels) ? found : undefined;
  }

  /** Pods for which at least one container was measured. */
  podUsage(namespace: string, selector: string): readonly PodUsage[] {
    const matches = parseSelector(selector);
    return [...(this.#namespaces.get(namespace)?.pods ?? [])].flatMap(([name, { labels, containers }]) =>
      containers.size > 0 && matches(labels) ? [{ name, labels, containers }] : [],
    );
  }

  #of(namespace: string): NamespaceState {
    return getOrMake(this.#namespaces, namespace, () => ({
      external: new Map(),
      pods: new Map(),
      objects: new Map(),
    }));
  }

  #pod(namespace: string, pod: string): Pod {
    const found = this.#of(namespace).pods.get(pod);
    if (!found) throw new Error(`pod ${namespace}/${pod} was not added, so no selector could find it`);
    return found;
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function labelKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function quantity(amount: Amount): string {
  if (typeof amount === 'string') return amount;
  if (!Number.isFinite(amount)) throw new Error(`not a quantity: ${amount}`);
  return Number.isInteger(amount) ? String(amount) : `${Math.round(amount * 1000)}m`;
}
