/**
 * What the index says of a version beside its file: enough to compare versions without asking their store. The whole
 * lineage, all scores and the card lie beside the file.
 */
import { z } from 'zod';
import { ForesailError } from '../errors.ts';
import { annotate, type ModelIndex, type RegisteredVersion, versionOf } from './model-index.ts';

/** The part of a lineage that stands in the index. */
export interface LineageFacts {
  readonly family?: string | undefined;
  readonly seed?: number | undefined;
  readonly code?: { readonly package?: string | undefined; readonly sha256?: string | undefined } | undefined;
  readonly data?:
    | {
        readonly from?: string | undefined;
        readonly sha256?: string | undefined;
        readonly series?: number | undefined;
        readonly points?: number | undefined;
        readonly firstTime?: string | undefined;
        readonly trainEnd?: string | undefined;
        readonly validateEnd?: string | undefined;
        readonly lastTime?: string | undefined;
      }
    | undefined;
}

export interface VersionSource {
  /** Of model.onnx in its folder. */
  readonly storageUri: string;
  readonly sha256: string;
  readonly lineage: LineageFacts;
  readonly scores: Readonly<Record<string, number | null>>;
  readonly tags?: Readonly<Record<string, string>>;
}

const MOST_FACTS = 64;
const few = (record: Readonly<Record<string, unknown>>): boolean => Object.keys(record).length <= MOST_FACTS;
const fewError = { error: `must be at most ${MOST_FACTS}` };
const name = z.string().min(1).max(63);

const tagsSchema = z.record(name, z.string().max(256)).refine(few, fewError);
const lineageSchema = z.record(name, z.union([z.string().max(256), z.number()])).refine(few, fewError);
const scoresSchema = z.record(name, z.number().nullable()).refine(few, fewError);

export interface VersionFacts {
  readonly tags: Readonly<Record<string, string>>;
  readonly lineage: Readonly<Record<string, string | number>>;
  /** Null: it could not be told. */
  readonly scores: Readonly<Record<string, number | null>>;
  readonly lineageUri: string | undefined;
}

export interface VersionEntry extends Partial<VersionFacts> {
  readonly storageUri: string;
  readonly sha256: string;
  readonly [more: string]: unknown;
}

/** What a version says of itself; what somebody else wrote in another form is passed over. */
export function factsOf(version: RegisteredVersion): VersionFacts {
  const uri = version['lineageUri'];
  return {
    tags: tagsSchema.safeParse(version['tags']).data ?? {},
    lineage: lineageSchema.safeParse(version['lineage']).data ?? {},
    scores: scoresSchema.safeParse(version['scores']).data ?? {},
    lineageUri: typeof uri === 'string' ? uri : undefined,
  };
}

/**
 * @param changes undefined takes a tag away
 * @throws REGISTRY_INVALID when there is no such version, or the tags are too many or too long
 */
export function tagVersion(
  index: ModelIndex,
  version: number,
  changes: Readonly<Record<string, string | undefined>>,
): ModelIndex {
  const { tags } = factsOf(versionOf(index, version));
  const all = Object.entries({ ...tags, ...changes }).filter((pair) => pair[1] !== undefined);
  const result = tagsSchema.safeParse(Object.fromEntries(all));
  if (result.success) return annotate(index, version, { tags: result.data });
  const [issue] = result.error.issues;
  throw new ForesailError(
    'REGISTRY_INVALID',
    'terminal',
    `tags.${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    {
      subject: 'tags',
    },
  );
}

const DIGITS = 5;
const MOST_TEXT = 128;

/** @returns what `publish` takes of a version whose files `foresail gate` has put into a folder */
export function entryOf({ storageUri, sha256, lineage, scores, tags }: VersionSource): VersionEntry {
  return {
    storageUri,
    sha256,
    lineageUri: storageUri.replace(/[^/]*$/, 'lineage.json'),
    lineage: flat(lineage),
    scores: Object.fromEntries(
      Object.entries(scores).map(([score, value]) => [
        score,
        value === null ? null : Number(value.toPrecision(DIGITS)),
      ]),
    ),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** One level deep, so that versions compare line by line. */
function flat({ family, seed, code, data }: LineageFacts): Record<string, string | number> {
  const facts = {
    family,
    seed,
    package: code?.package,
    code: code?.sha256,
    from: data?.from,
    data: data?.sha256,
    series: data?.series,
    points: data?.points,
    firstTime: data?.firstTime,
    trainEnd: data?.trainEnd,
    validateEnd: data?.validateEnd,
    lastTime: data?.lastTime,
  };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([fact, value]) =>
      value === undefined ? [] : [[fact, typeof value === 'string' ? value.slice(0, MOST_TEXT) : value]],
    ),
  );
}
