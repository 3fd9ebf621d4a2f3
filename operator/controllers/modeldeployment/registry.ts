/**
 * The index of a registered model: which versions there are and which of them an alias means. It is a ConfigMap in the
 * ModelDeployment's own namespace, `foresail-registry-<name>`, written by whoever publishes versions. The operator only
 * reads it, with rights on ConfigMaps and none on the store: the files are fetched by the pods, with the tenant's
 * credentials, and by their digest. docs/adr/0007-registry-index.md has the reasons.
 */
import { LABELS, type Model } from '../../api/index.ts';
import { messageOf } from '../../errors.ts';
import {
  INDEX_KEY,
  type ModelIndex,
  parseIndex,
  registryName,
  versionOfAlias,
} from '../../registry/model-index.ts';
import type { Store } from '../../runtime/index.ts';
import type { ConfigMap } from '../config-map.ts';

/** What an alias means now, or what keeps it from meaning anything. */
export type Followed =
  | { readonly version: number; readonly storageUri: string; readonly sha256: string }
  | { readonly reason: RegistryRefusal; readonly message: string };

export type RegistryRefusal =
  | 'RegistryNotConfigured'
  | 'RegistryNotFound'
  | 'RegistryInvalid'
  | 'AliasNotFound'
  | 'RegisteredVersionNotFound';

export interface Registries {
  follow(namespace: string, from: NonNullable<Model['from']>): Followed;
}

export const NO_REGISTRIES: Registries = {
  follow: (_, { registry, alias }) => ({
    reason: 'RegistryNotConfigured',
    message: `the administrator has not switched model registries on (modelServing.registries), so nobody says what ${registry}:${alias} is`,
  }),
};

/** @param indexes ConfigMaps that have the label of a registry, by `namespace/name` */
export function createRegistries(indexes: Pick<Store<ConfigMap>, 'get'>): Registries {
  return {
    follow(namespace, { registry, alias }) {
      const name = registryName(registry);
      const index = indexes.get(`${namespace}/${name}`);
      if (index === undefined || index.metadata.labels?.[LABELS.registry] !== registry)
        return {
          reason: 'RegistryNotFound',
          message: `there is no ConfigMap ${name} with the label ${LABELS.registry}: ${registry} in ${namespace}`,
        };
      let parsed: ModelIndex;
      try {
        parsed = parseIndex(index.data?.[INDEX_KEY]);
      } catch (error) {
        const message = `${INDEX_KEY} of the ConfigMap ${name}: ${messageOf(error)}`;
        return { reason: 'RegistryInvalid', message };
      }
      const version = versionOfAlias(parsed, alias);
      if (version === undefined)
        return { reason: 'AliasNotFound', message: `the registry ${registry} has no alias ${alias}` };
      const found = parsed.versions.find((each) => each.version === version);
      if (found === undefined)
        return {
          reason: 'RegisteredVersionNotFound',
          message: `${alias} of the registry ${registry} means version ${version}, which it does not have`,
        };
      return { version, storageUri: found.storageUri, sha256: found.sha256 };
    },
  };
}
