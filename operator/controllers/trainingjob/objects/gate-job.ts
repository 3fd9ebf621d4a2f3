/**
 * The pod that judges the trained model: the operator's image, the run's folder, the incumbent's file brought by the
 * container before it, and the store that a model which passes is brought to.
 */
import {
  type ClusterTrainingRuntime,
  type Output,
  TRAINING_EXIT,
  TRAINING_PATHS,
  type TrainingJob,
} from '../../../api/index.ts';
import { fetching, fetchVolumes, MODELS } from '../../fetching.ts';
import type { Child } from '../../owned-objects.ts';
import { RESTRICTED, RESTRICTED_POD } from '../../restricted.ts';
import { onExit, ownedBy } from './gang.ts';
import { gateName, runFolder, runLabels } from './names.ts';
import { runUser } from './run-user.ts';
import type { TrainingSettings } from './settings.ts';

/** What the new model has to beat, and how its file is had. */
export interface Incumbent {
  readonly storageUri: string;
  readonly digest: string;
  readonly credentialsSecretRef?: { readonly name: string } | undefined;
  readonly serviceAccountName?: string | undefined;
}

export interface Gate {
  readonly run: TrainingJob;
  readonly runtime: ClusterTrainingRuntime['spec'];
  readonly incumbent: Incumbent | undefined;
  readonly settings: TrainingSettings;
}

export const GATE = 'gate';
const DEFAULT_REQUESTS = { cpu: '1', memory: '1Gi' };
const FETCH_REQUESTS = { cpu: '100m', memory: '256Mi' };
const CREDENTIALS = '/var/run/foresail/output';
const CLAIMS = '/mnt/pvc';
const INCUMBENT = 'incumbent';
/** Says the same again when it is held again. */
const FAILED = 1;

export function gateJob({ run, runtime, incumbent, settings }: Gate): Child {
  const { name, namespace } = run.metadata;
  const labels = runLabels(name, 'gate');
  const image = runtime.gate.image ?? settings.image ?? '';
  const store =
    run.spec.output === undefined ? undefined : storeOf(run.spec.output, run.spec.checkpoint.claimName);
  const credentials = run.spec.output?.credentialsSecretRef?.name;
  const file = incumbent && { ...incumbent, namespace, folder: INCUMBENT };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: gateName(name), namespace, labels, ownerReferences: [ownedBy(run)] },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 2,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          // The first of all: observe.ts reads in the end of a Job which one it was.
          { action: 'FailJob', onExitCodes: onExit(GATE, TRAINING_EXIT.full) },
          { action: 'FailJob', onExitCodes: onExit(GATE, FAILED) },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      },
      template: {
        metadata: { labels },
        spec: {
          ...RESTRICTED_POD,
          securityContext: runUser(runtime.security),
          restartPolicy: 'Never',
          ...(incumbent?.serviceAccountName === undefined
            ? {}
            : { serviceAccountName: incumbent.serviceAccountName }),
          ...(file === undefined
            ? {}
            : {
                initContainers: [
                  {
                    name: 'fetch',
                    image,
                    command: settings.command,
                    resources: { requests: FETCH_REQUESTS },
                    securityContext: RESTRICTED,
                    ...fetching(file, file, settings.fetch),
                  },
                ],
              }),
          containers: [
            {
              name: GATE,
              image,
              command: settings.command,
              args: gateArgs(run, incumbent, store, settings),
              resources: runtime.gate.resources ?? { requests: DEFAULT_REQUESTS },
              securityContext: RESTRICTED,
              terminationMessagePolicy: 'FallbackToLogsOnError',
              volumeMounts: [
                { name: 'work', mountPath: TRAINING_PATHS.work, subPath: runFolder(run.metadata) },
                { name: 'tmp', mountPath: '/tmp' },
                ...(incumbent === undefined ? [] : [{ name: 'models', mountPath: MODELS, readOnly: true }]),
                ...(store?.claim === undefined
                  ? []
                  : [
                      {
                        name: 'store',
                        mountPath: [CLAIMS, store.claim, store.path].filter((part) => part !== '').join('/'),
                        ...(store.path === '' ? {} : { subPath: store.path }),
                      },
                    ]),
                ...(credentials === undefined
                  ? []
                  : [{ name: 'output-credentials', mountPath: CREDENTIALS, readOnly: true }]),
              ],
            },
          ],
          volumes: [
            { name: 'work', persistentVolumeClaim: { claimName: run.spec.checkpoint.claimName } },
            { name: 'tmp', emptyDir: {} },
            ...(store?.claim === undefined
              ? []
              : [{ name: 'store', persistentVolumeClaim: { claimName: store.claim } }]),
            ...(credentials === undefined
              ? []
              : [{ name: 'output-credentials', secret: { secretName: credentials } }]),
            ...(file === undefined
              ? []
              : [{ name: 'models', emptyDir: {} }, ...fetchVolumes(file, file, settings.fetch)]),
          ],
        },
      },
    },
  };
}

interface OutputStore {
  readonly uri: string;
  /** Of a `pvc://` address, and the folder in it. */
  readonly claim?: string;
  readonly path: string;
}

/** Without an address of its own a version lies on the claim of the run, outside the run's folder. */
function storeOf({ storageUri, registry }: Output, claimName: string): OutputStore {
  const uri = storageUri ?? `pvc://${claimName}/foresail/models/${registry}`;
  const [, claim, path = ''] = /^pvc:\/\/([^/]+)\/?(.*?)\/*$/.exec(uri) ?? [];
  return { uri, path, ...(claim === undefined ? {} : { claim }) };
}

function gateArgs(
  { spec }: TrainingJob,
  incumbent: Incumbent | undefined,
  store: OutputStore | undefined,
  { fetch }: TrainingSettings,
): string[] {
  const { work } = TRAINING_PATHS;
  const flag = (name: string, ...value: readonly string[]) => [name, ...value];
  return [
    'gate',
    ...flag('--candidate', `${work}/out/model.onnx`),
    ...flag('--data', `${work}/holdout`),
    ...flag('--training', `${work}/data`),
    ...flag('--lineage', `${work}/out/lineage.json`),
    ...(incumbent === undefined ? [] : flag('--incumbent', `${MODELS}/${INCUMBENT}/model.onnx`)),
    ...flag('--min-improvement', spec.gate.minImprovement),
    ...flag('--report', `${work}/gate/report.json`),
    ...flag('--termination-log', '/dev/termination-log'),
    ...(store === undefined ? [] : flag('--publish', store.uri)),
    ...(spec.output?.credentialsSecretRef === undefined ? [] : flag('--credentials', CREDENTIALS)),
    ...(fetch.allowAddresses.length === 0 ? [] : flag('--allow-address', fetch.allowAddresses.join(','))),
    ...(fetch.allowHttp ? flag('--allow-http') : []),
  ];
}
