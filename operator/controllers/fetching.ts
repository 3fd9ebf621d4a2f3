/**
 * The container that brings the pinned file of a model to a folder of its pod, and the volumes that it alone sees: the tenant's Secret, the claim that
 * the address names, the administrator's cache.
 */
import type { ModelDeploymentSpec } from '../api/index.ts';
import type { AddressClass } from '../net/address.ts';

/** What the administrator lets it do. */
export interface FetchSettings {
  /** Of one file. */
  readonly maxMib: number;
  /** Milliseconds, for all of one file. */
  readonly timeout: number;
  readonly allowHttp: boolean;
  readonly allowAddresses: readonly AddressClass[];
  readonly cache?: CacheSettings | undefined;
}

export interface CacheSettings {
  /** A folder of the node. Each namespace has its own below, and no pod sees another's. */
  readonly hostPath?: string | undefined;
  /** A PersistentVolumeClaim of this name in the namespace. */
  readonly claim?: string | undefined;
  /** Of all files of a namespace in it. */
  readonly maxMib: number;
}

export const MODELS = '/models';
const CREDENTIALS = '/var/run/foresail/credentials';
const CLAIMS = '/mnt/pvc';
const CACHE = '/var/cache/foresail';

/** One file, and the folder below MODELS that it is wanted in. */
export interface FetchedFile {
  readonly namespace: string;
  readonly storageUri: string;
  readonly digest: string;
  readonly folder: string;
}

type Spec = Pick<ModelDeploymentSpec, 'serviceAccountName' | 'credentialsSecretRef'>;

/** Arguments and mounts of the container; image, resources and security context are every container's. */
export function fetching(file: FetchedFile, spec: Spec, settings: FetchSettings) {
  const claim = claimOf(file.storageUri);
  const { cache } = settings;
  return {
    args: fetchArgs(file, spec, settings),
    // Why it failed stands in the pod's status then.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      { name: 'models', mountPath: MODELS },
      { name: 'tmp', mountPath: '/tmp' },
      ...(spec.credentialsSecretRef === undefined
        ? []
        : [{ name: 'credentials', mountPath: CREDENTIALS, readOnly: true }]),
      ...(claim === undefined ? [] : [{ name: 'claim', mountPath: `${CLAIMS}/${claim}`, readOnly: true }]),
      ...(cache === undefined
        ? []
        : [
            {
              name: 'cache',
              mountPath: CACHE,
              ...(cache.hostPath === undefined ? {} : { subPath: file.namespace }),
            },
          ]),
    ],
  };
}

export function fetchVolumes(
  { storageUri }: Pick<FetchedFile, 'storageUri'>,
  spec: Spec,
  { cache }: FetchSettings,
) {
  const secretName = spec.credentialsSecretRef?.name;
  const claimName = claimOf(storageUri);
  return [
    ...(secretName === undefined ? [] : [{ name: 'credentials', secret: { secretName } }]),
    // Read-only where it is mounted: said of the claim, it would hold for every other mount of it in the pod too.
    ...(claimName === undefined ? [] : [{ name: 'claim', persistentVolumeClaim: { claimName } }]),
    // `Directory`: kubelet would make one that nobody but root can write to.
    ...(cache?.hostPath === undefined
      ? []
      : [{ name: 'cache', hostPath: { path: cache.hostPath, type: 'Directory' } }]),
    ...(cache?.claim === undefined
      ? []
      : [{ name: 'cache', persistentVolumeClaim: { claimName: cache.claim } }]),
  ];
}

function fetchArgs(
  { storageUri, digest, folder }: FetchedFile,
  { serviceAccountName, credentialsSecretRef }: Spec,
  { maxMib, timeout, allowHttp, allowAddresses, cache }: FetchSettings,
): string[] {
  const flag = (name: string, ...value: readonly string[]) => [name, ...value];
  return [
    'fetch',
    ...flag('--uri', storageUri),
    ...flag('--sha256', digest),
    ...flag('--to', `${MODELS}/${folder}`),
    ...flag('--max-mib', String(maxMib)),
    ...flag('--timeout', `${Math.ceil(timeout / 1000)}s`),
    ...(credentialsSecretRef === undefined ? [] : flag('--credentials', CREDENTIALS)),
    // The account is on the administrator's list, or the version would not exist (resolve.ts).
    ...(serviceAccountName === undefined ? [] : flag('--workload-identity')),
    ...(allowAddresses.length === 0 ? [] : flag('--allow-address', allowAddresses.join(','))),
    ...(allowHttp ? flag('--allow-http') : []),
    ...(cache === undefined ? [] : flag('--cache', CACHE, '--cache-max-mib', String(cache.maxMib))),
    // Admitted by the administrator's list too.
    ...(storageUri.startsWith('file://') ? flag('--allow-file') : []),
  ];
}

/** `pvc://claim/path`: the claim is mounted, as nobody but a pod of the namespace can read it. */
function claimOf(storageUri: string): string | undefined {
  return /^pvc:\/\/([^/]+)/.exec(storageUri)?.[1];
}
