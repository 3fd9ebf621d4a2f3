/**
 * The stage of the TrainingJob stories: a real control plane with fake nodes, the real operator as a process, a claim
 * that is bound, and pods whose containers end as the story says, with last words and all.
 */
import type { TrainingJob, TrainingJobStatus } from '../../operator/api/index.ts';
import { labelled, request } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import { becomes, eventually } from '../eventually.ts';
import { type OperatorProcess, startOperator } from '../operator.ts';
import { type Child, type ModelStage, OPERATOR, SHOP, setModelStage } from './model-stage.ts';

const API = '/apis/foresail.io/v1alpha1';
export const JOBS = '/apis/batch/v1/namespaces/NS/jobs';
export const PODS = '/api/v1/namespaces/NS/pods';
export const SECRETS = '/api/v1/namespaces/NS/secrets';
export const SERVICES = '/api/v1/namespaces/NS/services';

export interface Pod extends Child {
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly args?: readonly string[] }[];
    readonly initContainers?: readonly { readonly args: readonly string[] }[];
  };
  readonly status: { readonly phase: string };
}

/** How a pod's container ends. */
export interface End {
  readonly code: number;
  readonly words?: object;
}

export class TrainingStage {
  readonly models: ModelStage;

  constructor(models: ModelStage) {
    this.models = models;
  }

  get cluster() {
    return this.models.cluster;
  }

  operator(): Promise<OperatorProcess> {
    return startOperator(this.cluster, {
      kubeconfigPath: this.cluster.kubeconfigs[OPERATOR] as string,
      config: {
        modelServing: { image: 'example.invalid/foresail', minReady: '0s', drain: '1s', registries: true },
        training: {
          enabled: true,
          address: 'http://operator.invalid:8080',
          elasticWait: '3s',
          fencingTimeout: '2s',
        },
      },
    });
  }

  create(name: string, spec: object = {}): Promise<TrainingJob> {
    return request(this.cluster, 'POST', runPath(''), {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'TrainingJob',
      metadata: { name },
      spec: {
        data: { predictiveScalers: {} },
        model: { family: 'patch-mixer' },
        workers: { nodes: 2 },
        checkpoint: { claimName: 'training' },
        output: { registry: 'loadcast' },
        ...spec,
      },
    });
  }

  change(name: string, spec: object): Promise<unknown> {
    return request(this.cluster, 'PATCH', runPath(name), { spec });
  }

  delete(name: string): Promise<unknown> {
    return request(this.cluster, 'DELETE', runPath(name));
  }

  async status(name: string): Promise<TrainingJobStatus> {
    return (await request<TrainingJob>(this.cluster, 'GET', runPath(name))).status ?? {};
  }

  becomes(
    name: string,
    what: string,
    check: (status: TrainingJobStatus) => boolean,
    limitMs?: number,
  ): Promise<TrainingJobStatus> {
    return becomes(`${name}: ${what}`, () => this.status(name), check, limitMs);
  }

  children<T = Child>(path: string, name: string): Promise<readonly T[]> {
    return labelled(this.cluster, path.replace('NS', SHOP), 'foresail.io/training-job', name);
  }

  /** Pods of a stage that run, as soon as there are so many of them. */
  running(name: string, count: number, stage = 'train'): Promise<readonly Pod[]> {
    return eventually(
      `${name}: ${count} pods run`,
      async () => {
        const pods = await this.children<Pod>(PODS, name);
        const found = pods.filter(
          ({ metadata, status }) =>
            metadata.labels['foresail.io/training-stage'] === stage && status.phase === 'Running',
        );
        if (found.length !== count) throw new Error(JSON.stringify(pods.map((pod) => pod.metadata.name)));
        return found;
      },
      60_000,
    );
  }

  /** All pods of an attempt train. */
  trains(name: string, attempt: number, count = 2): Promise<readonly Pod[]> {
    return eventually(
      `${name}: attempt ${attempt} trains`,
      async () => {
        const { phase, attempt: now } = await this.status(name);
        if (phase !== 'Training' || now?.number !== attempt) throw new Error(JSON.stringify([phase, now]));
        return this.running(name, count);
      },
      90_000,
    );
  }

  /** Ends a pod's container as its kubelet would tell it. */
  ends({ metadata: { name }, spec }: Pod, { code, words }: End): Promise<unknown> {
    const terminated = {
      exitCode: code,
      reason: code === 0 ? 'Completed' : 'Error',
      ...(words === undefined ? {} : { message: JSON.stringify(words) }),
    };
    return request(this.cluster, 'PATCH', `${PODS.replace('NS', SHOP)}/${name}/status`, {
      status: {
        phase: code === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: spec.containers.map((container) => ({
          name: container.name,
          image: 'none',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated },
        })),
      },
    });
  }

  /** The pod has a moment to end in, as a kubelet gives it. */
  async evict(pod: Pod): Promise<unknown> {
    await this.annotate(pod, { 'foresail.io/stop-after': '2s' });
    const { name } = pod.metadata;
    return request(this.cluster, 'POST', `${PODS.replace('NS', SHOP)}/${name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace: SHOP },
    });
  }

  /** A pod that is told to go has a second for it instead of two minutes. */
  hurry({ metadata: { name } }: Pod): Promise<unknown> {
    return request(this.cluster, 'DELETE', `${PODS.replace('NS', SHOP)}/${name}?gracePeriodSeconds=1`);
  }

  /** As a queue does. */
  unsuspend(job: string): Promise<unknown> {
    return request(this.cluster, 'PATCH', `${JOBS.replace('NS', SHOP)}/${job}`, { spec: { suspend: false } });
  }

  annotate({ metadata: { name } }: Pod, annotations: object): Promise<unknown> {
    return request(this.cluster, 'PATCH', `${PODS.replace('NS', SHOP)}/${name}`, {
      metadata: { annotations },
    });
  }

  /** Every pod of the attempt has trained; the first one tells of the model. */
  async trained(pods: readonly Pod[], sha256: string): Promise<void> {
    await Promise.all(
      pods.map((pod, i) =>
        this.ends(pod, {
          code: 0,
          ...(i === 0 ? { words: { result: { sha256, sizeBytes: 1000, lineage: null } } } : {}),
        }),
      ),
    );
  }
}

export const runPath = (name: string) =>
  `${API}/namespaces/${SHOP}/trainingjobs${name === '' ? '' : `/${name}`}`;

/** A claim that is bound, for what runs keep. */
export async function bindClaim(cluster: Cluster): Promise<void> {
  await request(cluster, 'POST', '/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'training' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      storageClassName: 'by-hand',
      hostPath: { path: '/var/empty' },
    },
  });
  await request(cluster, 'POST', `/api/v1/namespaces/${SHOP}/persistentvolumeclaims`, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'training' },
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: 'by-hand',
      resources: { requests: { storage: '1Gi' } },
    },
  });
}

export async function setTrainingStage(): Promise<TrainingStage> {
  const models = await setModelStage();
  const { cluster } = models;
  try {
    await bindClaim(cluster);
    await request(cluster, 'POST', `${API}/clustertrainingruntimes`, {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'ClusterTrainingRuntime',
      metadata: { name: 'forecaster' },
      spec: {
        image: 'example.invalid/trainer',
        cpu: { resources: { requests: { cpu: '100m', memory: '64Mi' } } },
        gpu: {},
      },
    });
    return new TrainingStage(models);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
