/** Phase "resolve": which file is wanted, and whether the administrator lets it be served as it is asked for. */
import type { ModelDeploymentSpec, ModelDeploymentStatus } from '../../api/index.ts';
import { BOX_MODEL } from '../../inference/box-model.ts';
import type { ModelSource } from '../../rollout/types.ts';
import type { NewCondition } from '../../runtime/index.ts';
import type { Registries } from './registry.ts';

export interface Admission {
  /** Schemes of `storageUri` that are allowed here. */
  readonly schemes: readonly string[];
  /** Service accounts that pods of tenants may have. */
  readonly serviceAccounts: readonly string[];
  readonly protectedNamespaces: readonly string[];
  /** Whether HTTPRoutes may be written. */
  readonly gateway: boolean;
}

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

export type Resolved =
  | { readonly source: ModelSource; readonly followed?: { readonly version: number } & Followable }
  | { readonly refusal: Refusal };

type Followable = NonNullable<ModelDeploymentSpec['model']['from']>;

export function resolveModel(
  namespace: string,
  { model }: Pick<ModelDeploymentSpec, 'model'>,
  registries: Registries,
  { schemes }: Pick<Admission, 'schemes'>,
): Resolved {
  const { storageUri, sha256, from } = model;
  if (storageUri !== undefined && sha256 !== undefined) return { source: { storageUri, digest: sha256 } };
  // The schema lets it come to this with an alias alone.
  if (from === undefined) return { refusal: { reason: 'InvalidSpec', message: 'spec.model names no file' } };
  const followed = registries.follow(namespace, from);
  if ('reason' in followed) return { refusal: followed };
  if (!isAllowed(followed.storageUri, followed.sha256, schemes)) {
    const message = `${from.registry}:${from.alias} lies at ${schemeOf(followed.storageUri)}://, which the administrator does not allow`;
    return { refusal: { reason: 'SchemeNotAllowed', message } };
  }
  const source = { storageUri: followed.storageUri, digest: followed.sha256 };
  return { source, followed: { ...from, version: followed.version } };
}

/** What it has come to, for status and condition. */
export function toldOf(resolved: Resolved): {
  readonly condition: NewCondition;
  readonly resolved: ModelDeploymentStatus['resolved'];
} {
  const type = 'ModelResolved';
  if ('refusal' in resolved)
    return { condition: { type, status: 'False', ...resolved.refusal }, resolved: undefined };
  const { source, followed } = resolved;
  const digest = `sha256 ${source.digest}`;
  if (followed === undefined)
    return { condition: { type, status: 'True', reason: 'Pinned', message: digest }, resolved: undefined };
  const { registry, alias, version } = followed;
  const message = `${registry}:${alias} is version ${version} of the registry, ${digest}`;
  return {
    condition: { type, status: 'True', reason: 'Followed', message },
    resolved: { registry, alias, version, ...source },
  };
}

/** The first thing that keeps the object from being acted on at all. */
export function refusalOf(
  namespace: string,
  spec: ModelDeploymentSpec,
  admission: Admission,
): Refusal | undefined {
  const { schemes, serviceAccounts, protectedNamespaces, gateway } = admission;
  if (protectedNamespaces.includes(namespace))
    return {
      reason: 'ProtectedNamespace',
      message: `the administrator protects the namespace ${namespace}`,
    };
  const variants = spec.abTest?.variants ?? [];
  const files = [
    { field: 'spec.model.storageUri', ...spec.model },
    ...variants.map(({ name, ...file }) => ({ field: `spec.abTest: storageUri of ${name}`, ...file })),
  ];
  for (const { field, storageUri, sha256 } of files)
    if (storageUri !== undefined && !isAllowed(storageUri, sha256, schemes))
      return {
        reason: 'SchemeNotAllowed',
        message: `${field}: the administrator does not allow ${schemeOf(storageUri)}://`,
      };
  if (spec.serviceAccountName !== undefined && !serviceAccounts.includes(spec.serviceAccountName))
    return {
      reason: 'ServiceAccountNotAllowed',
      message: `spec.serviceAccountName: ${spec.serviceAccountName} is not on the administrator's list`,
    };
  if (spec.abTest !== undefined && spec.route !== undefined)
    return {
      reason: 'NotSupported',
      message: 'spec.abTest is served by the built-in router alone: remove it or spec.route',
    };
  if (spec.route !== undefined && !gateway)
    return {
      reason: 'GatewayNotEnabled',
      message:
        'spec.route: the administrator has not set modelServing.gateway; remove it for the built-in router',
    };
  return undefined;
}

function isAllowed(storageUri: string, sha256: string | undefined, schemes: readonly string[]): boolean {
  const scheme = schemeOf(storageUri);
  // The model in the box is part of the image: its file may be served wherever the image may.
  return schemes.includes(scheme) || (scheme === 'file' && sha256 === BOX_MODEL.sha256);
}

function schemeOf(storageUri: string): string {
  return storageUri.split(':')[0] ?? '';
}
