/** The objects of one attempt: its Job with its token, and the Service by which its pods find each other. */
import {
  API_VERSION,
  QUEUE_LABEL,
  TRAINING_ANNOTATIONS,
  TRAINING_EXIT,
  TRAINING_JOB,
  TRAINING_LABELS,
  type TrainingJob,
} from '../../../api/index.ts';
import { MAX_INT32 } from '../../../api/schema/scalars.ts';
import type { KubeObject } from '../../../runtime/index.ts';
import { type Child, ownerReference } from '../../owned-objects.ts';
import { attemptName, runLabels, stageOf, tokenName } from './names.ts';
import { type Gang, RENDEZVOUS_PORT, TRAINER, workerPod } from './worker-pod.ts';

export function ownedBy({ metadata }: Pick<TrainingJob, 'metadata'>) {
  return ownerReference({ apiVersion: API_VERSION, kind: TRAINING_JOB.kind, metadata });
}

/** One for all attempts: of which only one lives at a time. */
export function gangService(run: TrainingJob): Child {
  const { name, namespace } = run.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      labels: { [TRAINING_LABELS.job]: name },
      ownerReferences: [ownedBy(run)],
    },
    spec: {
      clusterIP: 'None',
      // Ranks look for each other before any of them is ready.
      publishNotReadyAddresses: true,
      selector: runLabels(name, 'train'),
      ports: [{ name: 'rendezvous', port: RENDEZVOUS_PORT, protocol: 'TCP', targetPort: RENDEZVOUS_PORT }],
    },
  };
}

const DISRUPTED = [{ type: 'DisruptionTarget', status: 'True' }];
/** Of a rule of podFailurePolicy. */
export const onExit = (containerName: string, ...values: number[]) => ({
  containerName,
  operator: 'In',
  values,
});
/** The first rule of all: observe.ts reads in the end of a Job which one it was. */
const CONFIG_FAILS = { action: 'FailJob', onExitCodes: onExit(TRAINER, TRAINING_EXIT.config) };

/** A rank that fails takes the gang down, so the Job starts none again; that is decided over all attempts. */
const TOGETHER = {
  backoffLimit: 0,
  podFailurePolicy: { rules: [CONFIG_FAILS, { action: 'FailJob', onPodConditions: DISRUPTED }] },
};

/**
 * Who searches works alone: the Job starts each again that fails, with a waiting time of its own, as often as it likes.
 * Failures are counted against the run's limit where those of its other attempts are.
 */
const ALONE = {
  backoffLimit: MAX_INT32,
  backoffLimitPerIndex: MAX_INT32,
  podFailurePolicy: {
    rules: [
      CONFIG_FAILS,
      { action: 'Ignore', onPodConditions: DISRUPTED },
      { action: 'Ignore', onExitCodes: onExit(TRAINER, TRAINING_EXIT.stopped) },
    ],
  },
};

/** Suspended: its token comes before its pods do. */
export function gangJob(gang: Gang, tokenSha256: string): Child {
  const { run, attempt } = gang;
  const { name, namespace } = run.metadata;
  const { queueName } = run.spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: attemptName(name, attempt.number),
      namespace,
      labels: {
        ...runLabels(name, stageOf(attempt), attempt.number),
        ...(queueName === undefined ? {} : { [QUEUE_LABEL]: queueName }),
      },
      annotations: { [TRAINING_ANNOTATIONS.tokenSha256]: tokenSha256 },
      ownerReferences: [ownedBy(run)],
    },
    spec: {
      suspend: true,
      completionMode: 'Indexed',
      completions: attempt.nodes,
      parallelism: attempt.nodes,
      podReplacementPolicy: 'Failed',
      ...(attempt.searches === true ? ALONE : TOGETHER),
      template: workerPod(gang),
    },
  };
}

/**
 * Goes with its Job. The operator never reads it.
 *
 * @param authorities by which the pods know the operator, beside the token as Kubernetes lays them beside its own
 */
export function tokenSecret(
  job: KubeObject,
  token: string,
  authorities: string | undefined,
): KubeObject & { readonly stringData: object } {
  const { name, namespace, labels, uid } = job.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: tokenName(name),
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ownerReferences: [ownerReference({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name, uid } })],
    },
    stringData: { token, ...(authorities === undefined ? {} : { 'ca.crt': authorities }) },
  };
}
