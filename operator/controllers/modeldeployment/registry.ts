/**
 * The index of a registered model: which versions there are and which of them an alias means. It is a ConfigMap in the
 * ModelDeployment's own namespace, `foresail-registry-<name>`, written by whoever publishes versions. The operator only
 * reads it, with rights on ConfigMaps and none on the store: the files are fetched by the pods, with the tenant's
 * credentials, and by their digest. docs/adr/0007-registry-index.md has the reasons.
 */
import { z } from 'zod';
import { LABELS, type Model } from '../../api/index.ts';
import { pinnedModel } from '../../api/modeldeployment/model.ts';
import { dnsLabel, int32 } from '../../api/schema/scalars.ts';
import type { KubeObject, Store } from '../../runtime/index.ts';

export const INDEX_KEY = 'index.json';
/** A ConfigMap holds 1 MiB; an index is pruned long before. */
const MOST_VERSIONS = 1_000;
const MOST_ALIASES = 100;

export interface RegistryIndex extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const indexSchema = z.object({
  versions: z
    .array(z.object({ version: int32(1), ...pinnedModel, createdAt: z.iso.datetime().optional() }))
    .max(MOST_VERSIONS),
  aliases: z.record(dnsLabel(), int32(1)).refine((aliases) => Object.keys(aliases).length <= MOST_ALIASES, {
    error: `must be at most ${MOST_ALIASES}`,
  }),
});

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

export function registryName(registry: string): string {
  return `foresail-registry-${registry}`;
}

/** @param indexes ConfigMaps that have the label of a registry, by `namespace/name` */
export function createRegistries(indexes: Pick<Store<RegistryIndex>, 'get'>): Registries {
  return {
    follow(namespace, { registry, alias }) {
      const name = registryName(registry);
      const index = indexes.get(`${namespace}/${name}`);
      if (index === undefined || index.metadata.labels?.[LABELS.registry] !== registry)
        return {
          reason: 'RegistryNotFound',
          message: `there is no ConfigMap ${name} with the label ${LABELS.registry}: ${registry} in ${namespace}`,
        };
      const parsed = parse(index.data?.[INDEX_KEY]);
      if ('problem' in parsed)
        return {
          reason: 'RegistryInvalid',
          message: `${INDEX_KEY} of the ConfigMap ${name}: ${parsed.problem}`,
        };
      const { aliases, versions } = parsed;
      const version = Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
      if (version === undefined)
        return { reason: 'AliasNotFound', message: `the registry ${registry} has no alias ${alias}` };
      const found = versions.find((each) => each.version === version);
      if (found === undefined)
        return {
          reason: 'RegisteredVersionNotFound',
          message: `${alias} of the registry ${registry} means version ${version}, which it does not have`,
        };
      return { version, storageUri: found.storageUri, sha256: found.sha256 };
    },
  };
}

function parse(text: string | undefined): z.infer<typeof indexSchema> | { readonly problem: string } {
  if (text === undefined) return { problem: 'is not there' };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    return { problem: 'is no JSON' };
  }
  const result = indexSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return { problem: `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is invalid'}` };
}
