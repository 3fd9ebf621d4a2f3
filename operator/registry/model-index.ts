/**
 * The index of a registered model: its versions, and the aliases that mean one of them. Pure: whoever publishes changes
 * it, the operator reads it. Where it lies and why: docs/adr/0007-registry-index.md.
 */
import { z } from 'zod';
import { pinnedModel } from '../api/modeldeployment/model.ts';
import { dnsLabel, int32 } from '../api/schema/scalars.ts';
import { ForesailError } from '../errors.ts';

/** Key of the ConfigMap. */
export const INDEX_KEY = 'index.json';
export const MOST_VERSIONS = 1_000;
/** A ConfigMap holds 1 MiB of everything in it. */
const MOST_BYTES = 900 * 1024;
const MOST_ALIASES = 100;

/** Whoever publishes may write more (tags, lineage, scores); it is kept and not looked at. */
const indexSchema = z.looseObject({
  versions: z
    .array(z.looseObject({ version: int32(1), ...pinnedModel, createdAt: z.iso.datetime().optional() }))
    .max(MOST_VERSIONS),
  aliases: z.record(dnsLabel(), int32(1)).refine((aliases) => Object.keys(aliases).length <= MOST_ALIASES, {
    error: `must be at most ${MOST_ALIASES}`,
  }),
});

export type ModelIndex = z.infer<typeof indexSchema>;
export type RegisteredVersion = ModelIndex['versions'][number];

export const EMPTY_INDEX: ModelIndex = { versions: [], aliases: {} };

/** Name of the ConfigMap of a registry. */
export function registryName(registry: string): string {
  return `foresail-registry-${registry}`;
}

/** @throws REGISTRY_INVALID (terminal) that names the field and never quotes the text */
export function parseIndex(text: string | undefined): ModelIndex {
  if (text === undefined) throw invalid('is not there');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('is no JSON');
  }
  const result = indexSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is invalid'}`);
}

export function indexText(index: ModelIndex): string {
  return `${JSON.stringify(index, undefined, 1)}\n`;
}

/** What an alias means; undefined when there is no such alias. */
export function versionOfAlias({ aliases }: ModelIndex, alias: string): number | undefined {
  return Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
}

/**
 * Adds a version under the next number. Publishing the same file at the same place again is no new version, so that a
 * publisher may repeat what he does not know the end of.
 */
export function publish(
  index: ModelIndex,
  { storageUri, sha256 }: Pick<RegisteredVersion, 'storageUri' | 'sha256'>,
  nowMs: number,
): { readonly index: ModelIndex; readonly version: number } {
  const known = index.versions.find((each) => each.sha256 === sha256 && each.storageUri === storageUri);
  if (known !== undefined) return { index, version: known.version };
  const version = Math.max(0, ...index.versions.map((each) => each.version)) + 1;
  const createdAt = new Date(nowMs).toISOString();
  const added = { ...index, versions: [...index.versions, { version, storageUri, sha256, createdAt }] };
  return { index: checked(pruned(added)), version };
}

/** @throws REGISTRY_INVALID when there is no such version, or too many aliases */
export function moveAlias(index: ModelIndex, alias: string, version: number): ModelIndex {
  if (!index.versions.some((each) => each.version === version)) throw invalid(`has no version ${version}`);
  return checked({ ...index, aliases: { ...index.aliases, [alias]: version } });
}

/** The oldest that no alias means go first, until the rest fits. */
function pruned(index: ModelIndex): ModelIndex {
  const meant = new Set(Object.values(index.aliases));
  const byAge = index.versions
    .filter(({ version }) => !meant.has(version))
    .sort((a, b) => a.version - b.version);
  const gone = new Set<RegisteredVersion>();
  let bytes = Buffer.byteLength(indexText(index));
  for (const oldest of byAge) {
    if (bytes <= MOST_BYTES && index.versions.length - gone.size <= MOST_VERSIONS) break;
    gone.add(oldest);
    bytes -= Buffer.byteLength(JSON.stringify(oldest));
  }
  return gone.size === 0 ? index : { ...index, versions: index.versions.filter((each) => !gone.has(each)) };
}

function checked(index: ModelIndex): ModelIndex {
  return parseIndex(JSON.stringify(index));
}

function invalid(what: string): ForesailError {
  return new ForesailError('REGISTRY_INVALID', 'terminal', what, { subject: INDEX_KEY });
}
