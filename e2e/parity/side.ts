/** One side of the comparison: a namespace with a workload, what is known about it, and how a tick changes it. */
import type { PodView } from '../../operator/decision/types.ts';
import type { MetricsState } from '../metrics-api/state.ts';
import { NAME, SERVICE, SIDECAR } from './manifests.ts';
import { type Numbers, numbersAt } from './script.ts';
import type { MetricKind, Sequence, Tick } from './sequence.ts';
import type { World } from './world.ts';

/** One look of an autoscaler: everything that its decision can know. */
export interface Recorded {
  readonly atMs: number;
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly pods: readonly PodView[];
  /** Per metric of the sequence. */
  readonly numbers: readonly Numbers[];
  /** False when the Deployment's status moved while the autoscaler read it: it may have seen either number. */
  readonly certain: boolean;
  /** Reasons that stood in the status before this look: what the look before it left. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Of the HPA object: it changes with every status that HPA writes. Empty on our side. */
  readonly version: string;
}

type Aftermath = Pick<Recorded, 'specReplicas' | 'statusReplicas' | 'reasons' | 'version'>;

/** So long before a read a change may still be under way to whoever reads. */
const CERTAIN_MS = 300;

export class Side {
  readonly namespace: string;
  readonly sequence: Sequence;
  readonly records: Recorded[] = [];
  readonly #world: World;
  readonly #state: MetricsState;
  #arrivedAt = 0;
  #initial: readonly string[] = [];
  #unready = new Set<string>();

  constructor(namespace: string, sequence: Sequence, world: World, state: MetricsState) {
    this.namespace = namespace;
    this.sequence = sequence;
    this.#world = world;
    this.#state = state;
  }

  /** The pods that are there now may be made unready later; they are told to the cluster as the last to go. */
  async begin(): Promise<void> {
    this.#initial = this.#world.pods(this.namespace).map(({ name }) => name);
    await Promise.all(
      this.#initial.map((name) =>
        this.#world.annotate(this.namespace, name, { 'controller.kubernetes.io/pod-deletion-cost': '100' }),
      ),
    );
  }

  /** Whether this path is the first that the autoscaler of this side asks for in each of its looks. */
  isFirstRead(path: string): boolean {
    return path.endsWith(`/namespaces/${this.namespace}/${firstRead(this.sequence)}`);
  }

  /** The autoscaler has read the scale and asks for its first metric. */
  arrive(): void {
    this.#arrivedAt = performance.now();
  }

  /** What the look before this one left behind, read afresh. */
  async aftermath(hasHpa: boolean): Promise<Aftermath> {
    const [replicas, stated] = await Promise.all([
      this.#world.replicas(this.namespace),
      hasHpa ? this.#world.hpaStatus(this.namespace) : { reasons: {}, version: '' },
    ]);
    return { ...replicas, ...stated };
  }

  /** Its answers are those of this tick from now on. */
  look(tick: Tick, atMs: number, aftermath: Aftermath): void {
    const pods = this.#world.pods(this.namespace);
    const numbers = this.sequence.metrics.map((metric, i) => numbersAt(tick, i, metric, pods));
    this.#publish(numbers);
    const certain =
      !readsStatus(this.sequence) ||
      !this.#world.statusMovedSince(this.namespace, this.#arrivedAt - CERTAIN_MS);
    this.records.push({ atMs, pods, numbers, certain, ...aftermath });
    // Not before both autoscalers are done with this look.
    setTimeout(() => this.#makeUnready(tick.unready), 500).unref();
  }

  pods(): readonly PodView[] {
    return this.#world.pods(this.namespace);
  }

  podsQuietForMs(): number {
    return this.#world.podsQuietForMs(this.namespace);
  }

  #publish(numbers: readonly Numbers[]): void {
    for (const pod of this.#state.podNames(this.namespace)) this.#state.removePod(this.namespace, pod);
    for (const [index, { kind }] of this.sequence.metrics.entries()) {
      const each = numbers[index];
      if (each?.form === 'total') this.#publishTotal(kind, `${each.milli}m`);
      else if (each?.form === 'perPod') for (const pod of each.pods) this.#publishPod(kind, pod, each.milli);
      else if (kind.startsWith('External')) this.#state.removeExternal(this.namespace, 'queue');
      else if (kind.startsWith('Object')) this.#state.removeObjectMetric(this.namespace, SERVICE, 'hits');
    }
  }

  #publishTotal(kind: MetricKind, value: string): void {
    if (kind.startsWith('External')) this.#state.setExternal(this.namespace, 'queue', {}, value);
    else this.#state.setObjectMetric(this.namespace, SERVICE, 'hits', value);
  }

  #publishPod(kind: MetricKind, pod: string, milli: number): void {
    this.#state.addPod(this.namespace, pod, { app: NAME });
    const set = (container: string, cpu: number, memory: number) =>
      this.#state.setPodResource(this.namespace, pod, container, `${cpu}m`, `${memory}m`);
    if (kind === 'PodsAverage') {
      this.#state.setPodMetric(this.namespace, pod, 'inflight', `${milli}m`);
    } else if (kind === 'ResourceAverage') {
      set('app', 1, milli);
      set(SIDECAR, 1, 0);
    } else if (kind === 'ContainerUtilization') {
      set('app', milli, 1000);
      set(SIDECAR, 900, 1000); // must not count
    } else {
      const share = Math.floor(milli / 3);
      set('app', milli - share, 1000);
      set(SIDECAR, share, 1000);
    }
  }

  #makeUnready(count: number): void {
    const living = new Set(
      this.pods()
        .filter(({ deleting }) => !deleting)
        .map(({ name }) => name),
    );
    const wanted = new Set(this.#initial.filter((name) => living.has(name)).slice(0, count));
    for (const name of new Set([...wanted, ...this.#unready])) {
      if (wanted.has(name) === this.#unready.has(name) || !living.has(name)) continue;
      const annotation = { 'foresail.io/unready': wanted.has(name) ? 'true' : null };
      // The pod may be gone by now, which is as good as unready; another failure shows as another world.
      this.#world.annotate(this.namespace, name, annotation).catch(() => {});
    }
    this.#unready = wanted;
  }
}

/** Averages over the replicas of the status; everything else goes by pods or by the spec. */
function readsStatus({ metrics }: Sequence): boolean {
  return metrics.some(({ kind }) => kind === 'ExternalAverage' || kind === 'ObjectAverage');
}

/** The end of the path that the autoscaler asks first in each of its looks. */
function firstRead({ metrics }: Sequence): string {
  const kind = metrics[0]?.kind;
  if (kind?.startsWith('External')) return 'queue';
  if (kind?.startsWith('Object')) return `services/${SERVICE.name}/hits`;
  return kind === 'PodsAverage' ? 'pods/*/inflight' : 'pods';
}
