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
/** A ConfigMap holds 1 MiB of everything in it. A new version pushes the oldest out beyond the first of these… */
const FULL_BYTES = 900 * 1024;
/** …and nothing, not even a tag, is written beyond the second. */
const MOST_BYTES = 1000 * 1024;
const MOST_ALIASES = 100;

/** Whoever publishes may write more (version-entry.ts); it is kept, and none of it decides what is served. */
const versionSchema = z.looseObject({
  version: int32(1),
  ...pinnedModel,
  createdAt: z.iso.datetime().optional(),
});

const indexSchema = z.looseObject({
  versions: z.array(versionSchema).max(MOST_VERSIONS),
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
 *
 * @throws REGISTRY_FULL when there is no room for it though every version that no alias means is gone
 */
export function publish(
  index: ModelIndex,
  added: Pick<RegisteredVersion, 'storageUri' | 'sha256'> & Readonly<Record<string, unknown>>,
  nowMs: number,
): { readonly index: ModelIndex; readonly version: number } {
  const { storageUri, sha256 } = added;
  const known = index.versions.find((each) => each.sha256 === sha256 && each.storageUri === storageUri);
  if (known !== undefined) return { index, version: known.version };
  const version = Math.max(0, ...index.versions.map((each) => each.version)) + 1;
  const entry = { ...added, version, createdAt: new Date(nowMs).toISOString() };
  return { index: checked(pruned({ ...index, versions: [...index.versions, entry] }, version)), version };
}

/**
 * Changes what stands beside a version; its number, its file and its digest never change.
 *
 * @throws REGISTRY_INVALID when there is no such version; REGISTRY_FULL
 */
export function annotate(
  index: ModelIndex,
  version: number,
  fields: Readonly<Record<string, unknown>>,
): ModelIndex {
  const { storageUri, sha256, createdAt } = versionOf(index, version);
  const kept = { version, storageUri, sha256, ...(createdAt === undefined ? {} : { createdAt }) };
  const versions = index.versions.map((one) =>
    one.version === version ? { ...one, ...fields, ...kept } : one,
  );
  return checked({ ...index, versions });
}

/** @throws REGISTRY_INVALID when there is no such version */
export function versionOf(index: ModelIndex, version: number): RegisteredVersion {
  const found = index.versions.find((each) => each.version === version);
  if (found === undefined) throw invalid(`has no version ${version}`);
  return found;
}

/** Aliases that mean a version, in order. */
export function aliasesOf({ aliases }: ModelIndex, version: number): string[] {
  return Object.entries(aliases)
    .filter(([, meant]) => meant === version)
    .map(([alias]) => alias)
    .sort();
}

/** @throws REGISTRY_INVALID when there is no such version, or too many aliases */
export function moveAlias(index: ModelIndex, alias: string, version: number): ModelIndex {
  versionOf(index, version);
  return checked({ ...index, aliases: { ...index.aliases, [alias]: version } });
}

/**
 * What the alias meant stays, until it is the oldest that none means and its room is needed.
 *
 * @throws REGISTRY_INVALID when there is no such alias: nobody is told that he has taken away what he mistyped
 */
export function dropAlias(index: ModelIndex, alias: string): ModelIndex {
  if (versionOfAlias(index, alias) === undefined) throw invalid(`has no alias ${alias}`);
  const { [alias]: _, ...aliases } = index.aliases;
  return checked({ ...index, aliases });
}

/** The oldest that no alias means go first, until the rest fits; never the one that is added, or its number came back. */
function pruned(index: ModelIndex, added: number): ModelIndex {
  const meant = new Set([...Object.values(index.aliases), added]);
  const byAge = index.versions
    .filter(({ version }) => !meant.has(version))
    .sort((a, b) => a.version - b.version);
  const gone = new Set<RegisteredVersion>();
  let bytes = bytesOf(index);
  for (const oldest of byAge) {
    if (bytes <= FULL_BYTES && index.versions.length - gone.size <= MOST_VERSIONS) break;
    gone.add(oldest);
    bytes -= Buffer.byteLength(JSON.stringify(oldest));
  }
  return gone.size === 0 ? index : { ...index, versions: index.versions.filter((each) => !gone.has(each)) };
}

function checked(index: ModelIndex): ModelIndex {
  const bytes = bytesOf(index);
  if (bytes > MOST_BYTES)
    throw new ForesailError(
      'REGISTRY_FULL',
      'terminal',
      `is full: it would have ${bytes} bytes, at most ${MOST_BYTES}; take away tags, or aliases of versions that nobody needs`,
      { subject: INDEX_KEY },
    );
  return parseIndex(JSON.stringify(index));
}

function bytesOf(index: ModelIndex): number {
  return Buffer.byteLength(indexText(index));
}

function invalid(what: string): ForesailError {
  return new ForesailError('REGISTRY_INVALID', 'terminal', what, { subject: INDEX_KEY });
}
