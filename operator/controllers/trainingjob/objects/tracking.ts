/** What the pods of a run are told of its MLflow server. The operator asks none and reads no credentials for one. */
import { type ClusterTrainingRuntime, TRACKING_CREDENTIALS, type TrainingJob } from '../../../api/index.ts';
import { secretEnv } from './secret-env.ts';

/** A block of the trainer's settings; none where neither the run nor the administrator names a server. */
export function trackingBlock(
  { metadata, spec }: Pick<TrainingJob, 'metadata' | 'spec'>,
  defaultUri: string | undefined,
): { readonly tracking?: { readonly uri: string; readonly experiment: string } } {
  const { uri = defaultUri, experiment = `foresail/${metadata.namespace}` } = spec.tracking ?? {};
  return uri === undefined ? {} : { tracking: { uri, experiment } };
}

/** Three keys by name: a Secret as a whole could set any variable of the administrator's trainer. */
export function credentialsEnv({ tracking }: Pick<TrainingJob['spec'], 'tracking'>) {
  const secret = tracking?.credentialsSecretRef?.name;
  if (secret === undefined) return [];
  // What is missing costs the log, as a server that refuses does, and not the run.
  return TRACKING_CREDENTIALS.map((key) => secretEnv(key, { name: secret, key }, true));
}

/** The runtime's variables; of its credentials none that would go to another server, or be mixed with the run's own. */
export function runtimeEnv(
  { env = [] }: Pick<ClusterTrainingRuntime['spec'], 'env'>,
  { tracking }: Pick<TrainingJob['spec'], 'tracking'>,
) {
  const own = tracking?.uri !== undefined || tracking?.credentialsSecretRef !== undefined;
  return own ? env.filter(({ name }) => TRACKING_CREDENTIALS.every((each) => each !== name)) : env;
}
