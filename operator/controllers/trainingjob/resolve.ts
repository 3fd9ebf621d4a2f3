/** Phase "resolve": whether the administrator lets the run be what it asks for, and what it then is. */
import {
  CLUSTER_TRAINING_RUNTIME,
  type ClusterTrainingRuntime,
  parseClusterTrainingRuntime,
  type TrainingJob,
} from '../../api/index.ts';
import { parseDurationMs } from '../../duration.ts';
import { isForesailError } from '../../errors.ts';
import type { KubeObject } from '../../runtime/index.ts';
import type { TrainingSettings } from './objects/settings.ts';
import type { RunSettings } from './plan/types.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export type Resolved =
  | { readonly runtime: ClusterTrainingRuntime['spec']; readonly gpu: boolean }
  | { readonly refusal: Refusal };

type Rules = Pick<
  TrainingSettings,
  'image' | 'schemes' | 'protectedNamespaces' | 'namespace' | 'address' | 'trackingUri'
>;

export function resolveRun(
  { metadata, spec }: Pick<TrainingJob, 'metadata' | 'spec'>,
  stored: KubeObject | undefined,
  rules: Rules,
): Resolved {
  const refused = (reason: string, message: string): Resolved => ({ refusal: { reason, message } });
  if (rules.protectedNamespaces.includes(metadata.namespace))
    return refused('ProtectedNamespace', `the administrator protects the namespace ${metadata.namespace}`);
  const { name } = spec.runtimeRef;
  if (stored === undefined)
    return refused('RuntimeNotFound', `there is no ${CLUSTER_TRAINING_RUNTIME.kind} ${name}`);
  let runtime: ClusterTrainingRuntime['spec'];
  try {
    runtime = parseClusterTrainingRuntime(stored).spec;
  } catch (error) {
    if (!isForesailError(error, 'SPEC_INVALID')) throw error;
    return refused('RuntimeInvalid', `${CLUSTER_TRAINING_RUNTIME.kind} ${name}: ${error.message}`);
  }
  const { families, maxNodes, maxProcsPerNode, cpu, gpu } = runtime;
  const { nodes, procsPerNode, accelerator, resourceName } = spec.workers;
  if (rules.image === undefined && runtime.gate.image === undefined)
    return refused(
      'ImageNotConfigured',
      'training.gate.image of the configuration is not set, so nothing can be judged',
    );
  if (families?.includes(spec.model.family) === false)
    return refused(
      'FamilyNotAllowed',
      `spec.model.family: the runtime ${name} trains ${families.join(', ')}`,
    );
  if (nodes > maxNodes)
    return refused('TooManyWorkers', `spec.workers.nodes: the runtime ${name} allows ${maxNodes}`);
  if (spec.search !== undefined && spec.search.parallelism > maxNodes)
    return refused('TooManyWorkers', `spec.search.parallelism: the runtime ${name} allows ${maxNodes}`);
  if (procsPerNode > maxProcsPerNode)
    return refused(
      'TooManyWorkers',
      `spec.workers.procsPerNode: the runtime ${name} allows ${maxProcsPerNode}`,
    );
  if (accelerator === 'cpu' && cpu === undefined)
    return refused('AcceleratorNotAllowed', `spec.workers.accelerator: the runtime ${name} has no CPU`);
  if (accelerator === 'nvidia' && gpu === undefined)
    return refused('AcceleratorNotAllowed', `spec.workers.accelerator: the runtime ${name} has no GPU`);
  if (resourceName !== undefined && gpu?.resourceNames.includes(resourceName) !== true)
    return refused(
      'AcceleratorNotAllowed',
      `spec.workers.resourceName: the runtime ${name} does not allow it`,
    );
  for (const [field, uri] of [
    ['spec.data.storageUri', spec.data.storageUri],
    ['spec.output.storageUri', spec.output?.storageUri],
  ] as const)
    if (uri !== undefined && !rules.schemes.includes(schemeOf(uri)))
      return refused('SchemeNotAllowed', `${field}: the administrator does not allow ${schemeOf(uri)}://`);
  const { predictiveScalers } = spec.data;
  if (predictiveScalers?.allNamespaces === true && metadata.namespace !== rules.namespace)
    return refused(
      'NotAllowedHere',
      `spec.data.predictiveScalers.allNamespaces: only in the namespace ${rules.namespace}`,
    );
  if (predictiveScalers !== undefined && rules.address === undefined)
    return refused(
      'AddressNotConfigured',
      'training.address of the configuration is not set, so pods cannot ask for data',
    );
  if (spec.tracking !== undefined && spec.tracking.uri === undefined && rules.trackingUri === undefined)
    return refused(
      'TrackingNotConfigured',
      'spec.tracking.uri: missing, and training.tracking.uri of the configuration is not set',
    );
  const onGpu = accelerator !== 'cpu' && gpu !== undefined;
  if (!onGpu && isBoundByGpu(spec))
    return refused(
      'AcceleratorNotAllowed',
      'spec.search: gpuHours alone is no bound without GPUs; set trials or maxDuration as well',
    );
  return { runtime, gpu: onGpu };
}

/** Without GPUs its search would never end. */
function isBoundByGpu({ search }: Pick<TrainingJob['spec'], 'search'>): boolean {
  return search !== undefined && search.trials === undefined && search.maxDuration === undefined;
}

export function schemeOf(uri: string): string {
  return uri.split(':')[0] ?? '';
}

const AUTO_FALLBACK_MS = 10 * 60_000;

/** A spec as the plan reads it. */
export function runSettings(
  { spec }: Pick<TrainingJob, 'spec'>,
  resolved: Resolved,
  {
    elasticWaitMs,
    fencingMs,
    restartDelay,
  }: Pick<TrainingSettings, 'elasticWaitMs' | 'fencingMs' | 'restartDelay'>,
): RunSettings {
  const { nodes, elastic, accelerator, fallbackAfter } = spec.workers;
  const fallback =
    fallbackAfter !== undefined
      ? parseDurationMs(fallbackAfter)
      : accelerator === 'auto'
        ? AUTO_FALLBACK_MS
        : undefined;
  const { gpu, runtime, refusal } = { gpu: false, runtime: undefined, refusal: undefined, ...resolved };
  const falls = gpu && runtime?.cpu !== undefined && !isBoundByGpu(spec);
  return {
    refusal,
    nodes,
    minNodes: elastic?.minNodes ?? nodes,
    searchNodes: spec.search?.parallelism,
    elasticWaitMs,
    gpu,
    gpuFallbackMs: falls ? fallback : undefined,
    backoffLimit: spec.backoffLimit,
    restartDelay,
    progressDeadlineMs: parseDurationMs(spec.progressDeadline),
    claim: spec.checkpoint.claimName,
    searchScratch: spec.search?.storage !== undefined,
    suspend: spec.suspend,
    queued: spec.queueName !== undefined,
    ttlMs: spec.ttlSecondsAfterFinished === undefined ? undefined : spec.ttlSecondsAfterFinished * 1000,
    fencingMs,
    registers: spec.output !== undefined,
  };
}
