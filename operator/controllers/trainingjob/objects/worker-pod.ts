/**
 * The pods that train. What they are is the administrator's (image, command, volumes, resources), what they learn is the
 * tenant's, and everything else (environment, mounts, security) is fixed here.
 */
import { type ClusterTrainingRuntime, TRAINING_PATHS, type TrainingJob } from '../../../api/index.ts';
import { parseQuantityMilli } from '../../../quantity.ts';
import { RESTRICTED, RESTRICTED_POD } from '../../restricted.ts';
import type { Attempt } from '../plan/types.ts';
import { attemptName, runLabels, stageOf, tokenName } from './names.ts';
import { gangMarks } from './pod-group.ts';
import { runUser } from './run-user.ts';
import { searchesByDatabase, storageEnv, WORK, workFolder } from './search-storage.ts';
import type { TrainingSettings } from './settings.ts';
import { credentialsEnv, runtimeEnv } from './tracking.ts';
import { trainConfig } from './train-config.ts';

/** Long enough for a checkpoint of every rank. */
export const GRACE_SECONDS = 120;
export const TRAINER = 'trainer';
export const RENDEZVOUS_PORT = 29_400;
const CONFIG_ANNOTATION = 'foresail.io/training-config';
const DATA_CREDENTIALS = '/var/run/foresail-data';
const CLAIMS = '/mnt/pvc';
const INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
const GPU_TAINT = { key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' };

export interface Gang {
  readonly run: TrainingJob;
  readonly runtime: ClusterTrainingRuntime['spec'];
  readonly attempt: Attempt;
  readonly settings: Pick<TrainingSettings, 'address' | 'caFile' | 'trackingUri'>;
  /** It has one of coscheduling. */
  readonly podGroup?: boolean;
}

export function workerPod(gang: Gang) {
  const { run, runtime, attempt, settings } = gang;
  const { name, namespace, uid } = run.metadata;
  const { workers, data } = run.spec;
  const job = attemptName(name, attempt.number);
  // Who searches runs one trial at a time.
  const processes = attempt.searches === true ? 1 : workers.procsPerNode;
  const kind = attempt.onCpu ? runtime.cpu : runtime.gpu;
  const claim = data.storageUri === undefined ? undefined : /^pvc:\/\/([^/]+)/.exec(data.storageUri)?.[1];
  // The kubelet mounts a claim once for a pod: as a second volume it would be read-only for both, or for none.
  const onWork = claim === run.spec.checkpoint.claimName && !searchesByDatabase(run.spec, attempt);
  const dataVolume = onWork ? WORK : 'foresail-data';
  const work = workFolder(run, attempt, runtime);
  const credentials = data.credentialsSecretRef?.name;
  const marks = gangMarks(gang);
  const volumes = runtime.volumes ?? [];
  const devices = attempt.onCpu
    ? {}
    : {
        [workers.resourceName ?? runtime.gpu?.resourceNames[0] ?? 'nvidia.com/gpu']: String(processes),
      };
  const limits = { ...kind?.resources?.limits, ...devices };
  const requests = { ...kind?.resources?.requests, ...devices };
  const tolerations = [...(kind?.tolerations ?? []), ...(attempt.onCpu ? [] : [GPU_TAINT])];
  const runtimeClassName = attempt.onCpu ? undefined : runtime.gpu?.runtimeClassName;
  return {
    metadata: {
      labels: { ...runLabels(name, stageOf(attempt), attempt.number), ...marks.labels },
      annotations: {
        [CONFIG_ANNOTATION]: JSON.stringify(trainConfig(run, attempt.onCpu, settings)),
        ...marks.annotations,
      },
    },
    spec: {
      ...RESTRICTED_POD,
      securityContext: runUser(runtime.security),
      restartPolicy: 'Never',
      subdomain: name,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      ...(runtime.schedulerName === undefined ? {} : { schedulerName: runtime.schedulerName }),
      ...(runtime.priorityClassName === undefined ? {} : { priorityClassName: runtime.priorityClassName }),
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
      ...(runtime.imagePullSecrets === undefined ? {} : { imagePullSecrets: runtime.imagePullSecrets }),
      ...(kind?.nodeSelector === undefined ? {} : { nodeSelector: kind.nodeSelector }),
      ...(tolerations.length === 0 ? {} : { tolerations }),
      containers: [
        {
          name: TRAINER,
          image: runtime.image,
          ...(runtime.imagePullPolicy === undefined ? {} : { imagePullPolicy: runtime.imagePullPolicy }),
          command: runtime.command,
          env: [
            ...runtimeEnv(runtime, run.spec),
            { name: 'PET_NNODES', value: String(attempt.nodes) },
            { name: 'PET_NPROC_PER_NODE', value: String(processes) },
            { name: 'PET_NODE_RANK', valueFrom: { fieldRef: { fieldPath: INDEX } } },
            { name: 'PET_MASTER_ADDR', value: `${job}-0.${name}` },
            { name: 'PET_MASTER_PORT', value: String(RENDEZVOUS_PORT) },
            ...(runtime.env?.some((each) => each.name === 'OMP_NUM_THREADS') === true
              ? []
              : [{ name: 'OMP_NUM_THREADS', value: String(threads(kind, processes)) }]),
            ...(settings.address === undefined
              ? []
              : [
                  {
                    name: 'FORESAIL_CONTROL_URL',
                    value: `${settings.address}/training/v1/namespaces/${namespace}/trainingjobs/${name}/attempts/${attempt.number}`,
                  },
                ]),
            { name: 'FORESAIL_TOKEN_FILE', value: TRAINING_PATHS.token },
            ...(settings.caFile === undefined
              ? []
              : [{ name: 'FORESAIL_CA_FILE', value: TRAINING_PATHS.authorities }]),
            ...(attempt.searches === true ? [{ name: 'FORESAIL_STAGE', value: 'search' }] : []),
            { name: 'FORESAIL_ATTEMPT', value: String(attempt.number) },
            { name: 'FORESAIL_RUN', value: uid ?? '' },
            { name: 'FORESAIL_WORK', value: TRAINING_PATHS.work },
            ...(credentials === undefined
              ? []
              : [{ name: 'FORESAIL_DATA_CREDENTIALS', value: DATA_CREDENTIALS }]),
            ...credentialsEnv(run.spec),
            ...storageEnv(run.spec),
          ],
          resources: {
            ...(Object.keys(requests).length === 0 ? {} : { requests }),
            ...(Object.keys(limits).length === 0 ? {} : { limits }),
          },
          securityContext: RESTRICTED,
          // What went wrong before the trainer could say it stands in its log.
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [
            { name: 'foresail-config', mountPath: folderOf(TRAINING_PATHS.config), readOnly: true },
            { name: 'foresail-token', mountPath: folderOf(TRAINING_PATHS.token), readOnly: true },
            work.mount,
            { name: 'foresail-tmp', mountPath: '/tmp' },
            ...(credentials === undefined
              ? []
              : [{ name: 'foresail-data-credentials', mountPath: DATA_CREDENTIALS, readOnly: true }]),
            ...(claim === undefined
              ? []
              : [{ name: dataVolume, mountPath: `${CLAIMS}/${claim}`, readOnly: true }]),
            ...volumes.map(({ name: volume, mountPath, emptyDir }) => ({
              name: volume,
              mountPath,
              ...(emptyDir === undefined ? { readOnly: true } : {}),
            })),
          ],
        },
      ],
      volumes: [
        {
          name: 'foresail-config',
          downwardAPI: {
            items: [
              {
                path: fileOf(TRAINING_PATHS.config),
                fieldRef: { fieldPath: `metadata.annotations['${CONFIG_ANNOTATION}']` },
              },
            ],
          },
        },
        { name: 'foresail-token', secret: { secretName: tokenName(job), defaultMode: 0o440 } },
        work.volume,
        { name: 'foresail-tmp', emptyDir: {} },
        ...(credentials === undefined
          ? []
          : [{ name: 'foresail-data-credentials', secret: { secretName: credentials } }]),
        ...(claim === undefined || onWork
          ? []
          : [{ name: dataVolume, persistentVolumeClaim: { claimName: claim } }]),
        ...volumes.map(({ mountPath: _, ...volume }) => volume),
      ],
    },
  };
}

type Placed = { readonly resources?: { readonly requests?: Cpu; readonly limits?: Cpu } | undefined };
type Cpu = { readonly cpu?: string | number | undefined } | undefined;

/** Each process its whole share of the pod's cores. */
function threads(kind: unknown, processes: number): number {
  const { resources } = (kind ?? {}) as Placed;
  const cores = resources?.limits?.cpu ?? resources?.requests?.cpu ?? 1;
  return Math.max(1, Math.floor(parseQuantityMilli(cores) / 1000 / processes));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function fileOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
