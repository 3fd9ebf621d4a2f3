/**
 * Which resource serves a kind, and whether it can be scaled. Answers are kept; a kind that is not found asks the
 * server again, but no more than every few seconds, since CRDs come and go.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { abortable } from './abortable.ts';
import { isNotFound } from './errors.ts';
import { groupVersion, groupVersionPath } from './paths.ts';
import type { ApiReader, Discovery, ResourceInfo } from './types.ts';

const MAX_AGE_MS = 600_000;
const MISS_AGE_MS = 5_000;

interface Entry {
  readonly kinds: Promise<ReadonlyMap<string, ResourceInfo>>;
  readonly at: number;
}

/** metav1.APIResourceList, as far as we read it. */
interface ApiResourceList {
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
  }[];
}

export class CachedDiscovery implements Discovery {
  readonly #reader: ApiReader;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Entry>();

  constructor(reader: ApiReader, clock: Clock = systemClock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  async resolve(apiVersion: string, kind: string, signal: AbortSignal): Promise<ResourceInfo> {
    let entry = this.#fresh(apiVersion, MAX_AGE_MS) ?? this.#ask(apiVersion);
    let info = (await abortable(entry.kinds, signal)).get(kind);
    if (info === undefined) {
      entry = this.#fresh(apiVersion, MISS_AGE_MS) ?? this.#ask(apiVersion);
      info = (await abortable(entry.kinds, signal)).get(kind);
    }
    if (info !== undefined) return info;
    throw new ForesailError(
      'KUBE_UNKNOWN_KIND',
      'transient',
      `the API server serves no ${kind} in ${apiVersion}`,
      {
        subject: `${apiVersion} ${kind}`,
      },
    );
  }

  #fresh(apiVersion: string, maxAgeMs: number): Entry | undefined {
    const entry = this.#groups.get(apiVersion);
    return entry !== undefined && this.#clock.monotonic() - entry.at < maxAgeMs ? entry : undefined;
  }

  #ask(apiVersion: string): Entry {
    // Shared by all who ask, so no single asker's signal ends it; the client's deadline does.
    const entry: Entry = {
      kinds: this.#fetch(apiVersion, new AbortController().signal),
      at: this.#clock.monotonic(),
    };
    this.#groups.set(apiVersion, entry);
    // A failure is told to all who wait for it and then forgotten.
    entry.kinds.catch(() => {
      if (this.#groups.get(apiVersion) === entry) this.#groups.delete(apiVersion);
    });
    return entry;
  }

  async #fetch(apiVersion: string, signal: AbortSignal): Promise<ReadonlyMap<string, ResourceInfo>> {
    const { group, version } = groupVersion(apiVersion);
    let list: ApiResourceList;
    try {
      list = (await this.#reader.getJson(groupVersionPath(group, version), signal)) as ApiResourceList;
    } catch (error) {
      if (isNotFound(error)) return new Map();
      throw error;
    }
    const resources = list.resources ?? [];
    const scalable = new Set(
      resources
        .filter(({ name }) => name.endsWith('/scale'))
        .map(({ name }) => name.slice(0, -'/scale'.length)),
    );
    return new Map(
      resources
        .filter(({ name }) => !name.includes('/'))
        .map(({ name, kind, namespaced }) => [
          kind,
          { ref: { group, version, plural: name, namespaced }, kind, scalable: scalable.has(name) },
        ]),
    );
  }
}
