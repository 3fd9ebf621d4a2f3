/**
 * The pods of a version: one container fetches the file, checks its digest and ends, the other serves it. They meet Pod
 * Security "restricted", hold no token of the cluster, and write to nothing but two empty folders.
 */
import { type Gpu, LABELS, type ModelDeploymentSpec, PORTS } from '../../api/index.ts';
import { type FetchSettings, fetching, fetchVolumes, MODELS } from '../fetching.ts';
import { RESTRICTED, RESTRICTED_POD } from '../restricted.ts';

export interface PodSettings {
  /** Image with `foresail fetch` and `foresail serve`. */
  readonly image: string;
  /** What starts `foresail` in it. */
  readonly command: readonly string[];
  readonly fetch: FetchSettings;
}

export interface ServedVersion {
  /** No node with a GPU had room for it. */
  readonly onCpu: boolean;
  readonly namespace: string;
  readonly deployment: string;
  readonly version: number;
  readonly storageUri: string;
  readonly digest: string;
}

/** Pods end when the endpoint is out of every router and what is under way was answered. */
const GRACE_SECONDS = 60;
const DEFAULT_REQUESTS = { cpu: '100m', memory: '256Mi' };

export function versionLabels({ deployment, version, digest }: ServedVersion): Record<string, string> {
  return { ...selectorLabels(deployment, version), [LABELS.digest]: digest.slice(0, 12) };
}

/** What never changes of a version. */
export function selectorLabels(deployment: string, version: number): Record<string, string> {
  return { [LABELS.deployment]: deployment, [LABELS.version]: String(version) };
}

export function podTemplate(served: ServedVersion, spec: ModelDeploymentSpec, settings: PodSettings) {
  const { server, serviceAccountName } = spec;
  const gpu = served.onCpu ? undefined : server.gpu;
  return {
    metadata: { labels: versionLabels(served) },
    spec: {
      ...RESTRICTED_POD,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      ...(gpu?.nodeSelector === undefined ? {} : { nodeSelector: gpu.nodeSelector }),
      ...(gpu?.tolerations === undefined ? {} : { tolerations: gpu.tolerations }),
      topologySpreadConstraints: [
        {
          topologyKey: 'kubernetes.io/hostname',
          maxSkew: 1,
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: selectorLabels(served.deployment, served.version) },
        },
      ],
      initContainers: [
        {
          name: 'fetch',
          image: settings.image,
          command: settings.command,
          resources: { requests: DEFAULT_REQUESTS },
          securityContext: RESTRICTED,
          ...fetching({ ...served, folder: `${served.deployment}/${served.version}` }, spec, settings.fetch),
        },
      ],
      containers: [
        {
          name: 'server',
          image: settings.image,
          command: settings.command,
          args: serveArgs(spec, served),
          ports: Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort })),
          readinessProbe: probe('/v2/health/ready', { periodSeconds: 2, failureThreshold: 2 }),
          livenessProbe: probe('/v2/health/live', { periodSeconds: 10, failureThreshold: 6 }),
          startupProbe: probe('/v2/health/live', { periodSeconds: 2, failureThreshold: 60 }),
          resources: resourcesOf(spec, gpu),
          securityContext: RESTRICTED,
          volumeMounts: [
            { name: 'models', mountPath: MODELS, readOnly: true },
            { name: 'tmp', mountPath: '/tmp' },
          ],
        },
      ],
      volumes: [
        { name: 'models', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
        ...fetchVolumes(served, spec, settings.fetch),
      ],
    },
  };
}

function argsOf(command: string, flags: Readonly<Record<string, string | number | undefined>>): string[] {
  const given = Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, String(value)],
  );
  return [command, ...given];
}

const ACCELERATORS = { auto: 'auto', cpu: 'cpu', nvidia: 'cuda' } as const;

function serveArgs({ server }: ModelDeploymentSpec, { onCpu }: ServedVersion): string[] {
  const { accelerator, batching, latencyTarget } = server;
  return argsOf('serve', {
    '--model-repository': MODELS,
    '--http-port': PORTS.http,
    '--grpc-port': PORTS.grpc,
    '--accelerator': onCpu ? ACCELERATORS.cpu : ACCELERATORS[accelerator],
    '--max-batch': batching?.maxBatchSize,
    '--max-queue-delay': batching?.maxQueueDelay,
    '--latency-target': latencyTarget,
  });
}

function resourcesOf({ server: { resources } }: ModelDeploymentSpec, gpu: Gpu | undefined) {
  const devices = gpu === undefined ? {} : { [gpu.resource]: String(gpu.count) };
  const limits = { ...resources?.limits, ...devices };
  return {
    // Kubernetes takes the limit for the request where there is a limit and no request.
    requests: { ...(resources === undefined ? DEFAULT_REQUESTS : resources.requests), ...devices },
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

function probe(path: string, timing: { periodSeconds: number; failureThreshold: number }) {
  return { httpGet: { path, port: 'http', scheme: 'HTTP' }, timeoutSeconds: 2, ...timing };
}
