/**
 * A TrainingJob and its children on an API server in memory, with a Job controller, kubelets and a garbage collector of a
 * few lines. What resolves, plans, acts and reports is the real thing.
 */
import { Registry } from 'prom-client';
import { runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import type { TrainingJob, TrainingJobStatus } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { parseConfig } from '../../../config.ts';
import { silentLogger } from '../../../logger.ts';
import { trainingMetrics } from '../../../observability/training-metrics.ts';
import { IndexedStore, type KubeObject, type Store } from '../../../runtime/index.ts';
import { FakeClock } from '../../../testing/fake-clock.ts';
import { createRunReports } from '../../../training/reports.ts';
import { CONFIG_MAPS } from '../../config-map.ts';
import { type Child, createOwnedObjects } from '../../owned-objects.ts';
import { MemoryApi, type Stored } from '../../testing/memory-api.ts';
import { createRunObjects } from '../children.ts';
import { BY_OWNER, ownerKeys, projectJob, type WatchedJob } from '../informers.ts';
import { createLauncher } from '../launcher.ts';
import type { TrainingSettings } from '../objects/settings.ts';
import { createReconcile } from '../reconciler.ts';
import { createRegistrar } from '../registrar.ts';
import { listener } from '../schedule/listen.ts';
import { createScheduler } from '../schedule/scheduler.ts';
import { createRunStatusWriter } from '../status.ts';
import { projectPod, type WatchedPod } from '../watched-pod.ts';

export const NAME = 'loadcast';
export const KEY = `shop/${NAME}`;
export const DIGEST = 'c'.repeat(64);
export const PUBLISHED = { storageUri: 's3://models/c/model.onnx', sha256: DIGEST };
const GRACE_MS = 120_000;
const INDEX = 'batch.kubernetes.io/job-completion-index';

export const SETTINGS: TrainingSettings = {
  address: 'http://operator:8080',
  image: 'foresail:1',
  command: ['foresail'],
  fetch: parseConfig({}, 'defaults').modelServing.fetch,
  schemes: ['s3', 'pvc'],
  incumbentSchemes: ['s3'],
  serviceAccounts: ['reader'],
  protectedNamespaces: ['kube-system'],
  namespace: 'foresail-system',
  elasticWaitMs: 120_000,
  restartDelay: { firstMs: 10_000, mostMs: 300_000 },
  fencingMs: 60_000,
};

type JobObject = WatchedJob & {
  readonly spec: {
    readonly parallelism?: number;
    readonly suspend?: boolean;
    readonly backoffLimitPerIndex?: number;
  };
};

export class Stage {
  readonly clock = new FakeClock(Date.UTC(2026, 0, 2));
  readonly api = new MemoryApi({
    trainingjobs: owned(),
    clustertrainingruntimes: new IndexedStore<Stored>(),
    predictivescalers: new IndexedStore<Stored>(),
    modeldeployments: new IndexedStore<Stored>(),
    jobs: owned(),
    pods: owned(),
    services: owned(),
    secrets: owned(),
    configmaps: new IndexedStore<Stored>(),
  });
  readonly events: string[] = [];
  readonly settings: TrainingSettings;
  registry = new Registry();
  reports = createRunReports({ clock: this.clock, log: silentLogger });
  #reconcile: ReturnType<typeof createReconcile>;

  constructor(spec: Record<string, unknown> = {}, settings: Partial<TrainingSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
    this.api.put('clustertrainingruntimes', runtime({ image: 'trainer:1', cpu: {} }));
    const object = trainingJob({ ...MINIMAL, output: { registry: NAME }, ...spec });
    const creationTimestamp = new Date(this.clock.now()).toISOString();
    this.api.put('trainingjobs', {
      ...object,
      metadata: { ...object.metadata, generation: 1, creationTimestamp },
    });
    this.api.onDelete = (plural, found, { propagationPolicy, gracePeriodSeconds }) => {
      if (plural === 'pods' && gracePeriodSeconds !== 0)
        this.#terminate(found, gracePeriodSeconds === undefined ? GRACE_MS : gracePeriodSeconds * 1000);
      else if (propagationPolicy === 'Foreground') this.#deleteJob(found);
      else this.api.drop(plural, found);
    };
    this.#reconcile = this.#start();
  }

  /** As after a crash: nothing is remembered but what the server has. */
  restart(): void {
    this.registry = new Registry();
    this.reports = createRunReports({ clock: this.clock, log: silentLogger });
    this.#reconcile = this.#start();
  }

  pass(key = KEY) {
    return this.#reconcile(key, new AbortController().signal);
  }

  /** Passes and what Kubernetes does about them, until nothing is written any more. */
  async settle(limit = 60): Promise<void> {
    for (let i = 0; i < limit; i += 1) {
      const before = this.api.writes.length;
      // oxlint-disable-next-line no-await-in-loop -- one pass after the other
      for (const { metadata } of this.api.of('trainingjobs').list())
        await this.#tolerant(`${metadata.namespace}/${metadata.name}`);
      const moved = this.cluster();
      if (this.api.writes.length === before && !moved) return;
    }
    throw new Error(`no rest: ${this.api.writes.slice(-10).join(', ')}`);
  }

  /** A conflict is tried again, as the work queue does. */
  async #tolerant(key: string): Promise<void> {
    try {
      await this.pass(key);
    } catch (error) {
      if ((error as { readonly retry?: string }).retry !== 'conflict') throw error;
    }
  }

  async after(ms: number): Promise<void> {
    await this.clock.advance(ms);
    // Kubelets did not wait for us.
    this.cluster();
    await this.settle();
  }

  change(spec: object): void {
    const before = this.api.of('trainingjobs').get(KEY) as Stored;
    const generation = (before.metadata.generation ?? 0) + 1;
    this.api.put('trainingjobs', {
      ...before,
      metadata: { ...before.metadata, generation },
      spec: { ...before.spec, ...spec },
    });
  }

  get object(): TrainingJob {
    return this.api.of('trainingjobs').get(KEY) as unknown as TrainingJob;
  }

  get status(): TrainingJobStatus {
    return this.object.status ?? {};
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type);
  }

  names(plural: string): string[] {
    return this.api
      .of(plural)
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  }

  // What the cluster does.

  /** Job controller, scheduler, kubelets and garbage collector; answers whether anything changed. */
  cluster(): boolean {
    const picture = this.#picture();
    for (const job of this.api.of('jobs').list() as readonly JobObject[]) this.#runJob(job);
    for (const pod of this.api.of('pods').list() as readonly WatchedPod[])
      if (Date.parse(pod.metadata.deletionTimestamp ?? '') <= this.clock.now()) this.api.drop('pods', pod);
    this.#collect();
    return picture !== this.#picture();
  }

  #picture(): string {
    return JSON.stringify(
      ['jobs', 'pods', 'secrets', 'services'].map((plural) => this.api.of(plural).list()),
    );
  }

  #runJob(job: JobObject): void {
    const pods = this.podsOf(job.metadata.name);
    if (job.metadata.deletionTimestamp !== undefined) {
      for (const pod of pods) this.#terminate(pod);
      if (this.podsOf(job.metadata.name).length === 0) this.api.drop('jobs', job);
      return;
    }
    const ended = job.status?.conditions?.length ?? 0;
    if (ended > 0) return;
    const wanted = job.spec.parallelism ?? 1;
    if (job.spec.backoffLimitPerIndex !== undefined) return this.#runAlone(job, pods, wanted);
    if (pods.some(({ status }) => status.phase === 'Failed')) return this.#end(job, 'Failed');
    if (pods.length === wanted && pods.every(({ status }) => status.phase === 'Succeeded'))
      return this.#end(job, 'Complete');
    if (job.spec.suspend !== true && pods.length === 0)
      for (let index = 0; index < wanted; index += 1) this.#startPod(job, index);
  }

  /** Each index by itself: what fails is started again, and the Job is complete when all have ended well. */
  #runAlone(job: JobObject, pods: readonly WatchedPod[], wanted: number): void {
    const exitOf = ({ status }: WatchedPod) => status.containerStatuses?.[0]?.state?.terminated?.exitCode;
    if (pods.some((pod) => exitOf(pod) === 78)) return this.#end(job, 'Failed');
    const done = pods.filter((pod) => exitOf(pod) === 0);
    if (done.length === wanted) return this.#end(job, 'Complete');
    if (job.spec.suspend === true) return;
    for (let index = 0; index < wanted; index += 1) {
      const own = pods.filter(({ metadata }) => metadata.annotations?.[INDEX] === String(index));
      if (own.every(({ status }) => status.phase === 'Failed')) this.#startPod(job, index, own.length);
    }
  }

  #startPod({ metadata, ...job }: JobObject, index: number, before = 0): void {
    const now = new Date(this.clock.now()).toISOString();
    const { template } = job.spec as { template: { metadata: { labels: Record<string, string> } } };
    this.api.put<WatchedPod>('pods', {
      metadata: {
        name: `${metadata.name}-${index}${before === 0 ? '' : `-again-${before}`}`,
        namespace: metadata.namespace ?? '',
        labels: template.metadata.labels,
        annotations: { [INDEX]: String(index) },
        ownerReferences: [
          {
            apiVersion: 'batch/v1',
            kind: 'Job',
            name: metadata.name,
            uid: metadata.uid ?? '',
            controller: true,
          },
        ],
      },
      status: {
        phase: 'Running',
        conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: now }],
      },
    });
  }

  #end(job: JobObject, type: 'Complete' | 'Failed'): void {
    const lastTransitionTime = new Date(this.clock.now()).toISOString();
    this.api.put('jobs', {
      ...job,
      status: { conditions: [{ type, status: 'True', lastTransitionTime }] },
    });
    for (const pod of this.podsOf(job.metadata.name))
      if (pod.status.phase === 'Running') this.#terminate(pod);
  }

  #deleteJob(job: Stored): void {
    const deletionTimestamp = new Date(this.clock.now()).toISOString();
    this.api.put('jobs', { ...job, metadata: { ...job.metadata, deletionTimestamp } });
  }

  /** A later deletion may shorten the time that an earlier one has given. */
  #terminate(pod: Stored, graceMs = GRACE_MS): void {
    const goneByMs = this.clock.now() + graceMs;
    if (Date.parse(pod.metadata.deletionTimestamp ?? '') <= goneByMs) return;
    const running = (pod as WatchedPod).status.phase === 'Running';
    if (!running) return this.api.drop('pods', pod);
    const deletionTimestamp = new Date(goneByMs).toISOString();
    this.api.put('pods', { ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
  }

  #collect(): void {
    const alive = new Set(
      ['trainingjobs', 'jobs'].flatMap((plural) =>
        this.api
          .of(plural)
          .list()
          .map(({ metadata }) => metadata.uid),
      ),
    );
    for (const plural of ['jobs', 'pods', 'secrets', 'services', 'trainingjobs'])
      for (const object of this.api.of(plural).list()) {
        const owners = object.metadata.ownerReferences ?? [];
        if (owners.length > 0 && owners.every(({ uid }) => !alive.has(uid))) this.api.drop(plural, object);
      }
  }

  // What happens to the run.

  podsOf(job: string): readonly WatchedPod[] {
    return (this.api.of('pods').list() as readonly WatchedPod[]).filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ name }) => name === job),
    );
  }

  get pods(): readonly WatchedPod[] {
    return this.api.of('pods').list() as readonly WatchedPod[];
  }

  /** The pod that works as this index of the newest attempt, which is one of this stage. */
  running(stage: 'search' | 'train', index: number): string {
    const found = this.podsOf(`${NAME}-${this.status.attempt?.number}`).find(
      ({ metadata, status }) =>
        status.phase === 'Running' &&
        metadata.labels?.['foresail.io/training-stage'] === stage &&
        metadata.annotations?.[INDEX] === String(index),
    );
    if (found === undefined) throw new Error(`nobody works as ${index} of ${this.names('pods').join(' ')}`);
    return found.metadata.name;
  }

  exit(pod: string, exitCode: number, words?: object): void {
    const found = this.api.of('pods').get(`shop/${pod}`) as WatchedPod | undefined;
    if (found === undefined) throw new Error(`no pod ${pod} in ${this.names('pods').join(' ')}`);
    const message = words === undefined ? {} : { message: JSON.stringify(words) };
    this.api.put<WatchedPod>('pods', {
      ...found,
      status: {
        ...found.status,
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [{ name: 'trainer', state: { terminated: { exitCode, ...message } } }],
      },
    });
  }

  /** The pods of the attempt that is under way end well. */
  trained(): void {
    const { attempt } = this.status;
    for (const { metadata } of this.podsOf(`${NAME}-${attempt?.number}`))
      this.exit(metadata.name, 0, { result: { sha256: DIGEST, sizeBytes: 1000, lineage: null } });
  }

  judged(gate: object = { verdict: 'Pass', failed: [], scores: { ratio: 0.9 }, published: PUBLISHED }): void {
    for (const { metadata } of this.podsOf(`${NAME}-gate`)) this.exit(metadata.name, 0, { gate });
  }

  #start() {
    const { client } = this.api;
    const store = <T extends KubeObject>(plural: string) => this.api.of(plural) as unknown as IndexedStore<T>;
    const jobs = projected(store('jobs'), projectJob);
    const pods = projected(store('pods'), projectPod);
    const statusWriter = createRunStatusWriter(client);
    const events = {
      event: (_: unknown, type: string, reason: string, message: string) =>
        void this.events.push(`${type} ${reason} ${message}`),
      flush: async () => undefined,
    };
    return createReconcile({
      objects: store('trainingjobs'),
      runtimes: store('clustertrainingruntimes'),
      caches: { jobs, pods },
      reports: this.reports,
      launcher: createLauncher({
        client,
        owned: createOwnedObjects(client, this.clock),
        jobs,
        services: store<Child>('services'),
      }),
      children: createRunObjects({ client, jobs, pods }),
      registrar: createRegistrar(client, this.clock),
      scheduler: createScheduler({
        objects: store('trainingjobs'),
        scalersOf: listener(store('predictivescalers'), this.settings.namespace),
        client,
        statusWriter,
        events,
        clock: this.clock,
      }),
      reader: client,
      statusWriter,
      events,
      metrics: trainingMetrics([this.registry]),
      settings: this.settings,
      clock: this.clock,
      log: silentLogger,
    });
  }

  get index(): string | undefined {
    const map = this.api.of(CONFIG_MAPS.plural).get(`shop/foresail-registry-${NAME}`) as
      | { readonly data?: Readonly<Record<string, string>> }
      | undefined;
    return map?.data?.['index.json'];
  }
}

function owned(): IndexedStore<Stored> {
  return new IndexedStore<Stored>({ [BY_OWNER]: ownerKeys });
}

/** As the informers keep them. */
function projected<T extends KubeObject>(
  store: IndexedStore<KubeObject>,
  project: (object: KubeObject) => T,
): Pick<Store<T>, 'get' | 'byIndex'> {
  return {
    get(key) {
      const found = store.get(key);
      return found && project(found);
    },
    byIndex: (index, value) => store.byIndex(index, value).map(project),
  };
}
