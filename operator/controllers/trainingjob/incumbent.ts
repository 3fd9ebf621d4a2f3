/** What the new model has to beat: a ModelDeployment's stable version, or the version that the alias means. */
import { MODEL_DEPLOYMENT, parseModelDeployment, type TrainingJob } from '../../api/index.ts';
import { isForesailError } from '../../errors.ts';
import { BOX_MODEL } from '../../inference/box-model.ts';
import { type Client, isNotFound, type KubeObject } from '../../runtime/index.ts';
import type { Incumbent } from './objects/gate-job.ts';
import type { TrainingSettings } from './objects/settings.ts';
import type { Registrar } from './registrar.ts';
import { type Refusal, schemeOf } from './resolve.ts';

const DEPLOYMENTS = {
  group: MODEL_DEPLOYMENT.group,
  version: MODEL_DEPLOYMENT.version,
  plural: MODEL_DEPLOYMENT.plural,
  namespaced: true,
} as const;

export type Found = { readonly incumbent: Incumbent | undefined } | { readonly refusal: Refusal };

export async function findIncumbent(
  { metadata: { namespace }, spec }: Pick<TrainingJob, 'metadata' | 'spec'>,
  client: Pick<Client, 'get'>,
  registrar: Pick<Registrar, 'find'>,
  { incumbentSchemes, serviceAccounts }: Pick<TrainingSettings, 'incumbentSchemes' | 'serviceAccounts'>,
  signal: AbortSignal,
): Promise<Found> {
  const name = spec.gate.against?.modelDeployment;
  const found =
    name === undefined
      ? await ofAlias(namespace, spec.output, registrar, signal)
      : await ofDeployment({ namespace, name }, client, signal);
  if ('refusal' in found || found.incumbent === undefined) return found;
  const { storageUri, digest, serviceAccountName: account } = found.incumbent;
  const scheme = schemeOf(storageUri);
  // As for ModelDeployments: the model in the box may be read wherever the image may.
  if (!incumbentSchemes.includes(scheme) && !(scheme === 'file' && digest === BOX_MODEL.sha256)) {
    const message = `the model to beat lies at ${scheme}://, which the administrator does not allow`;
    return { refusal: { reason: 'SchemeNotAllowed', message } };
  }
  if (account !== undefined && !serviceAccounts.includes(account)) {
    const message = `the model to beat is read as ${account}, which is not on the administrator's list`;
    return { refusal: { reason: 'ServiceAccountNotAllowed', message } };
  }
  return found;
}

async function ofAlias(
  namespace: string,
  output: TrainingJob['spec']['output'],
  registrar: Pick<Registrar, 'find'>,
  signal: AbortSignal,
): Promise<Found> {
  if (output === undefined) return { incumbent: undefined };
  const version = await registrar.find(namespace, output, signal);
  if (version === undefined) return { incumbent: undefined };
  const { storageUri, sha256: digest } = version;
  const { credentialsSecretRef } = output;
  return {
    incumbent: {
      storageUri,
      digest,
      ...(credentialsSecretRef === undefined ? {} : { credentialsSecretRef }),
    },
  };
}

async function ofDeployment(
  key: { readonly namespace: string; readonly name: string },
  client: Pick<Client, 'get'>,
  signal: AbortSignal,
): Promise<Found> {
  const reason = 'IncumbentNotFound';
  const stored = await client.get<KubeObject>(DEPLOYMENTS, key, signal).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (stored === undefined)
    return { refusal: { reason, message: `spec.gate.against: there is no ModelDeployment ${key.name}` } };
  try {
    const { spec, status } = parseModelDeployment(stored);
    const record = status?.history?.find(({ version }) => version === status.stable?.version);
    // Nothing serves yet: whatever beats seasonal naive is better.
    if (record === undefined) return { incumbent: undefined };
    const { credentialsSecretRef, serviceAccountName } = spec;
    const { storageUri, digest } = record;
    return { incumbent: { storageUri, digest, credentialsSecretRef, serviceAccountName } };
  } catch (error) {
    if (!isForesailError(error, 'SPEC_INVALID')) throw error;
    return { refusal: { reason, message: `ModelDeployment ${key.name} cannot be read: ${error.message}` } };
  }
}
