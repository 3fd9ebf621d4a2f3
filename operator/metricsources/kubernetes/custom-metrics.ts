/** The custom metrics API, v1beta2 or v1beta1 as the installed adapter serves it. */

import { ReadError } from '../read-error.ts';
import type { KindResolver } from '../types.ts';
import { apiFailure } from './api-failure.ts';
import { badAnswer, field, isObject, itemsOf, type JsonObject, quantityOf, textOf, timeOf } from './list.ts';
import type { MetricsApi } from './metrics-api.ts';
import { segment, withQuery } from './path.ts';

const api = 'custom.metrics.k8s.io';
const group = '/apis/custom.metrics.k8s.io';
const versions = ['v1beta2', 'v1beta1'] as const;
type Version = (typeof versions)[number];

/** An adapter may be replaced by another one while we run. */
const versionAgeMs = 600_000;
/** metrics without a window are counted over the last minute, as in HPA. */
const defaultWindowMs = 60_000;

export interface CustomValue {
  readonly object: string;
  readonly milli: number;
  readonly at: number;
  readonly windowMs: number;
}

export class CustomMetrics {
  readonly #metrics: MetricsApi;
  readonly #kinds: KindResolver;
  #version: { readonly version: Version; readonly at: number } | undefined;

  constructor(metrics: MetricsApi, kinds: KindResolver) {
    this.#metrics = metrics;
    this.#kinds = kinds;
  }

  /** `resourcePath` goes between the namespace and the metric's name, e.g. `pods/*`. */
  async values(
    namespace: string,
    resourcePath: string,
    metric: string,
    selectors: { readonly labelSelector: string; readonly metricLabelSelector: string },
    signal: AbortSignal,
  ): Promise<readonly CustomValue[]> {
    const version = await this.#preferred(namespace, signal);
    const base = `${group}/${version}/namespaces/${segment(namespace, 'the namespace')}`;
    const path = withQuery(`${base}/${resourcePath}/${segment(metric, 'the name of the metric')}`, selectors);
    let answer: unknown;
    try {
      answer = await this.#metrics.get(api, path, namespace, signal);
    } catch (error) {
      // Perhaps the version is gone with the adapter that served it.
      if (error instanceof ReadError && error.reason === 'NoData') this.#version = undefined;
      throw error;
    }
    const now = this.#metrics.clock.now();
    const items = itemsOf(answer, api);
    if (items.length === 0) throw new ReadError('NoData', `${api} has no sample of this metric`);
    const values = items.map((item) => customValue(item, version, now));
    this.#metrics.checkTime(Math.max(...values.map(({ at }) => at)), api);
    return values;
  }

  /** `deployments.apps/web` for a Deployment; `metrics` for the namespace itself. */
  async objectPath(
    apiVersion: string | undefined,
    kind: string,
    name: string,
    signal: AbortSignal,
  ): Promise<string> {
    const version = apiVersion ?? 'v1';
    if (kind === 'Namespace' && !version.includes('/')) return 'metrics';
    try {
      const { ref } = await this.#kinds.resolve(version, kind, signal);
      const resource = ref.group === '' ? ref.plural : `${ref.plural}.${ref.group}`;
      return `${segment(resource, 'the resource')}/${segment(name, 'the name of the object')}`;
    } catch (error) {
      signal.throwIfAborted();
      throw apiFailure(error, api);
    }
  }

  async #preferred(namespace: string, signal: AbortSignal): Promise<Version> {
    const now = this.#metrics.clock.monotonic();
    if (this.#version !== undefined && now - this.#version.at < versionAgeMs) return this.#version.version;
    let answer: unknown;
    try {
      answer = await this.#metrics.get(api, group, namespace, signal);
    } catch (error) {
      if (error instanceof ReadError && error.reason === 'NoData')
        throw new ReadError('NotConfigured', `${api} is not installed in this cluster`, error);
      throw error;
    }
    const version = chooseVersion(answer);
    this.#version = { version, at: now };
    return version;
  }
}

/** The group's preferred version if we speak it, else the first one that we do. */
export function chooseVersion(answer: unknown): Version {
  if (!isObject(answer)) throw badAnswer(api, 'something that is not an API group');
  const nameOf = (entry: unknown) => (isObject(entry) ? field(entry, 'version') : undefined);
  const listed = field(answer, 'versions');
  const offered = [
    field(answer, 'preferredVersion'),
    ...(Array.isArray(listed) ? (listed as unknown[]) : []),
  ];
  for (const entry of offered) {
    const found = versions.find((version) => version === nameOf(entry));
    if (found !== undefined) return found;
  }
  throw new ReadError('NotConfigured', `${api} is served in no version that is known here`);
}

function customValue(item: JsonObject, version: Version, now: number): CustomValue {
  const object = field(item, 'describedObject');
  if (!isObject(object)) throw badAnswer(api, 'an item without describedObject');
  const windowSeconds = field(item, version === 'v1beta2' ? 'windowSeconds' : 'window') ?? null;
  if (windowSeconds !== null && (!Number.isInteger(windowSeconds) || Number(windowSeconds) < 0))
    throw badAnswer(api, 'a window that is not a number of seconds');
  return {
    object: textOf(object, 'name', api),
    milli: quantityOf(field(item, 'value'), api),
    at: timeOf(item, now, api),
    windowMs: windowSeconds === null ? defaultWindowMs : Number(windowSeconds) * 1000,
  };
}
