/** A model that passed becomes a version of its registry, with what it was made of and what the gate measured. */
import { TRAINING_ANNOTATIONS, type TrainingJob } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { changeIndex, type IndexClient, readIndex } from '../../registry/index-store.ts';
import { type ModelIndex, moveAlias, publish, versionOfAlias } from '../../registry/model-index.ts';
import { entryOf, type VersionSource } from '../../registry/version-entry.ts';
import type { RunState, Verdict } from './plan/types.ts';

export type Published = NonNullable<Verdict['published']>;

interface Target {
  readonly registry: string;
  readonly alias: string;
}

export interface Registrar {
  /**
   * Doing it twice does nothing twice.
   *
   * @returns the number of the version
   * @throws ForesailError REGISTRY_INVALID (terminal) for an index that cannot be read
   */
  register(namespace: string, target: Target, version: VersionSource, signal: AbortSignal): Promise<number>;
  /** What an alias means; undefined where there is no such registry or alias. */
  find(namespace: string, target: Target, signal: AbortSignal): Promise<Published | undefined>;
}

/** @param client fenced */
export function createRegistrar(client: IndexClient, clock: Pick<Clock, 'now'>): Registrar {
  return {
    async register(namespace, { registry, alias }, source, signal) {
      const edit = (index: ModelIndex) => {
        const { index: added, version } = publish(index, entryOf(source), clock.now());
        return { index: named(added, alias, version), version };
      };
      return (await changeIndex(client, { namespace, registry }, edit, signal)).version;
    },
    async find(namespace, { registry, alias }, signal) {
      const index = await readIndex(client, { namespace, registry }, signal);
      const meant = versionOfAlias(index, alias);
      return index.versions.find(({ version }) => version === meant);
    },
  };
}

/** Never back: after a crash between index and status somebody may have gone on from here. */
function named(index: ModelIndex, alias: string, version: number): ModelIndex {
  return (versionOfAlias(index, alias) ?? 0) >= version ? index : moveAlias(index, alias, version);
}

/** What the index says of a run's model. */
export function sourceOf(
  { metadata, spec }: Pick<TrainingJob, 'metadata' | 'spec'>,
  { result, gate }: Pick<RunState, 'result' | 'gate'>,
  published: Published,
): VersionSource {
  const { lineage = {} } = result ?? {};
  const { codeDigest, package: name, dataDigest, seed = spec.seed, ...times } = lineage;
  const cause = metadata.annotations?.[TRAINING_ANNOTATIONS.cause];
  const scores = Object.entries(gate?.scores ?? {}).map(([score, value]) => [score, Number(value)]);
  return {
    ...published,
    lineage: {
      family: spec.model.family,
      seed,
      code: { package: name, sha256: codeDigest },
      data: { from: spec.data.storageUri ?? 'predictiveScalers', sha256: dataDigest, ...times },
    },
    scores: Object.fromEntries(scores),
    tags: { run: metadata.name, ...(cause === undefined ? {} : { cause }) },
  };
}
