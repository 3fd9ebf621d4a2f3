/** Phase "resolve": which file is wanted, and whether the administrator lets it be served as it is asked for. */
import type { ModelDeploymentSpec } from '../../api/index.ts';
import { BOX_MODEL } from '../../inference/box-model.ts';
import type { ModelSource } from '../../rollout/types.ts';

export interface Admission {
  /** Schemes of `storageUri` that are allowed here. */
  readonly schemes: readonly string[];
  /** Service accounts that pods of tenants may have. */
  readonly serviceAccounts: readonly string[];
  readonly protectedNamespaces: readonly string[];
}

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export type Resolved = { readonly source: ModelSource } | { readonly refusal: Refusal };

export function resolveModel({ model }: Pick<ModelDeploymentSpec, 'model'>): Resolved {
  const { storageUri, sha256, from } = model;
  if (storageUri !== undefined && sha256 !== undefined) return { source: { storageUri, digest: sha256 } };
  const asked = from === undefined ? '' : ` to say what ${from.registry}:${from.alias} is`;
  return { refusal: { reason: 'RegistryNotConfigured', message: `no model registry is configured${asked}` } };
}

/** The first thing that keeps the object from being acted on at all. */
export function refusalOf(
  namespace: string,
  spec: ModelDeploymentSpec,
  admission: Admission,
): Refusal | undefined {
  const { schemes, serviceAccounts, protectedNamespaces } = admission;
  if (protectedNamespaces.includes(namespace))
    return {
      reason: 'ProtectedNamespace',
      message: `the administrator protects the namespace ${namespace}`,
    };
  const variants = spec.abTest?.variants ?? [];
  const uris = [
    { field: 'spec.model.storageUri', uri: spec.model.storageUri },
    ...variants.map(({ name, storageUri }) => ({
      field: `spec.abTest: storageUri of ${name}`,
      uri: storageUri,
    })),
  ];
  for (const { field, uri } of uris) {
    const scheme = uri?.split(':')[0];
    // The model in the box is part of the image: its file may be served wherever the image may.
    if (scheme === 'file' && spec.model.sha256 === BOX_MODEL.sha256) continue;
    if (scheme !== undefined && !schemes.includes(scheme))
      return {
        reason: 'SchemeNotAllowed',
        message: `${field}: the administrator does not allow ${scheme}://`,
      };
  }
  if (spec.serviceAccountName !== undefined && !serviceAccounts.includes(spec.serviceAccountName))
    return {
      reason: 'ServiceAccountNotAllowed',
      message: `spec.serviceAccountName: ${spec.serviceAccountName} is not on the administrator's list`,
    };
  if (spec.route !== undefined)
    return {
      reason: 'NotSupported',
      message: 'spec.route is not served yet: remove it for the built-in router',
    };
  return undefined;
}
