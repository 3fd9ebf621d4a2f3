/**
 * Routes each metric to its source and keeps the room's promise: an Observation always, an exception never (but for
 * the caller's own abort), no matter what a source does.
 */
import type { MetricSpec, MetricSpecOf } from '../api/predictivescaler/metrics.ts';
import { type Clock, systemClock } from '../clock.ts';
import { watchClockJumps } from '../clock-jumps.ts';
import {
  type Known,
  type LoadSeries,
  type MetricReading,
  type Observation,
  type Unknown,
  unknown,
} from '../observation.ts';
import { readContainerResource } from './kubernetes/container-resource.ts';
import { CustomMetrics } from './kubernetes/custom-metrics.ts';
import { readExternal } from './kubernetes/external.ts';
import { MetricsApi, type MetricsApiLimits } from './kubernetes/metrics-api.ts';
import { readObject } from './kubernetes/object.ts';
import { readPods } from './kubernetes/pods.ts';
import { readResource } from './kubernetes/resource.ts';
import { OutageTracker } from './outage-tracker.ts';
import { PrometheusBackfill } from './prometheus/backfill.ts';
import type { PrometheusServer } from './prometheus/config.ts';
import { ServerClient, type ServerDependencies } from './prometheus/server.ts';
import { PrometheusSource } from './prometheus/source.ts';
import { ReadError } from './read-error.ts';
import { SingleFlight } from './single-flight.ts';
import type {
  ApiReader,
  KindResolver,
  MetricRequest,
  MetricSources,
  NumberRequest,
  ReadEvent,
  ReadObserver,
} from './types.ts';

export interface MetricSourcesOptions {
  readonly api: ApiReader;
  readonly kinds: KindResolver;
  readonly prometheusServers: readonly PrometheusServer[];
  /** Where the API server listens; metric servers at these endpoints are refused. */
  readonly apiServers: ServerDependencies['apiServers'];
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly observe?: ReadObserver;
  /** A mistake of ours (not of a source), for the log. */
  readonly unexpected?: (error: unknown) => void;
  readonly metricsApiLimits?: MetricsApiLimits;
  readonly resolveHost?: ServerDependencies['resolveHost'];
  readonly breaker?: ServerDependencies['breaker'];
  readonly userAgent?: string;
}

interface Prometheus {
  readonly client: ServerClient;
  readonly source: PrometheusSource;
  readonly past: PrometheusBackfill;
}

export function createMetricSources(options: MetricSourcesOptions): MetricSources {
  return new Registry(options);
}

class Registry implements MetricSources {
  readonly #clock: Clock;
  readonly #observe: ReadObserver;
  readonly #unexpected: (error: unknown) => void;
  readonly #metrics: MetricsApi;
  readonly #custom: CustomMetrics;
  readonly #prometheus: ReadonlyMap<string, Prometheus>;
  readonly #reads = new SingleFlight<Observation<MetricReading>>();
  readonly #outages: OutageTracker;
  readonly #backfillOutages: OutageTracker;

  constructor(options: MetricSourcesOptions) {
    const clock = options.clock ?? systemClock;
    const random = options.random ?? Math.random;
    this.#clock = clock;
    const jumped = watchClockJumps(clock);
    this.#outages = new OutageTracker(jumped);
    this.#backfillOutages = new OutageTracker(jumped);
    this.#observe = options.observe ?? (() => {});
    this.#unexpected = options.unexpected ?? (() => {});
    const { apiServers, resolveHost, breaker, userAgent, metricsApiLimits: limits } = options;
    this.#metrics = new MetricsApi({
      reader: options.api,
      clock,
      random,
      ...(limits === undefined ? {} : { limits }),
      ...(breaker === undefined ? {} : { breaker }),
    });
    this.#custom = new CustomMetrics(this.#metrics, options.kinds);
    const deps: ServerDependencies = {
      clock,
      random,
      apiServers,
      ...(resolveHost === undefined ? {} : { resolveHost }),
      ...(breaker === undefined ? {} : { breaker }),
      ...(userAgent === undefined ? {} : { userAgent }),
    };
    this.#prometheus = new Map(
      options.prometheusServers.map((entry) => {
        const client = new ServerClient(entry, deps);
        const source = new PrometheusSource(client, clock, random);
        return [entry.name, { client, source, past: new PrometheusBackfill(client, clock, random) }];
      }),
    );
  }

  read(request: MetricRequest, signal: AbortSignal): Promise<Observation<MetricReading>> {
    const key = keyOf(request);
    return this.#reads.run(key, signal, async (shared) => {
      const observation = await this.#attempt('read', namesOf(request.metric), shared, () =>
        this.#route(request, shared),
      );
      return this.#outages.settle(key, observation);
    });
  }

  async backfill(
    request: MetricRequest,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<Observation<LoadSeries>> {
    const { metric, namespace } = request;
    const observation = await this.#attempt('backfill', namesOf(metric), signal, async () => {
      if (metric.type !== 'Prometheus')
        throw new ReadError('NoData', `the past of a ${metric.type} metric cannot be asked for`);
      const { past } = this.#server(metric);
      return await past.run(namespace, metric.prometheus.query, { fromMs, toMs, stepMs }, signal);
    });
    return this.#backfillOutages.settle(keyOf(request), observation);
  }

  cadence({ metric, namespace }: MetricRequest, signal: AbortSignal): Promise<Observation<number>> {
    return this.#attempt('cadence', namesOf(metric), signal, async () => {
      if (metric.type !== 'Prometheus')
        throw new ReadError('NoData', `the cadence of a ${metric.type} metric cannot be asked for`);
      return await this.#server(metric).source.cadence(namespace, metric.prometheus.query, signal);
    });
  }

  number({ namespace, server, query }: NumberRequest, signal: AbortSignal): Promise<Observation<number>> {
    const names = { type: 'Prometheus', server } as const;
    return this.#attempt('number', names, signal, () =>
      this.#named(server).source.number(namespace, query, signal),
    );
  }

  canBackfill(metric: MetricSpec): boolean {
    return metric.type === 'Prometheus' && this.#prometheus.has(metric.prometheus.serverRef.name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#prometheus.values()].map(({ client }) => client.close()));
  }

  async #route(request: MetricRequest, signal: AbortSignal): Promise<Known<MetricReading>> {
    const { metric } = request;
    switch (metric.type) {
      case 'Prometheus':
        return await this.#server(metric).source.read(request.namespace, metric.prometheus.query, signal);
      case 'Resource':
        return await readResource(this.#metrics, metric, request, signal);
      case 'ContainerResource':
        return await readContainerResource(this.#metrics, metric, request, signal);
      case 'Pods':
        return await readPods(this.#custom, metric, request, signal);
      case 'Object':
        return await readObject(this.#custom, metric, request, signal);
      case 'External':
        return await readExternal(this.#metrics, metric, request, signal);
    }
  }

  #server(metric: MetricSpecOf<'Prometheus'>): Prometheus {
    return this.#named(metric.prometheus.serverRef.name);
  }

  #named(name: string): Prometheus {
    const server = this.#prometheus.get(name);
    if (server === undefined)
      throw new ReadError('NotConfigured', `the administrator's list has no Prometheus server "${name}"`);
    return server;
  }

  async #attempt<T>(
    operation: ReadEvent['operation'],
    { type, server: name = '' }: Source,
    signal: AbortSignal,
    work: () => Promise<Known<T>>,
  ): Promise<Observation<T>> {
    const start = this.#clock.monotonic();
    let observation: Observation<T>;
    try {
      signal.throwIfAborted();
      observation = await work();
    } catch (error) {
      signal.throwIfAborted();
      observation = this.#unknown(error);
    }
    this.#observe({
      operation,
      source: type,
      // A name that is on no list comes from a tenant and would make an endless label.
      server: this.#prometheus.has(name) ? name : '',
      outcome: observation.kind === 'value' ? 'value' : observation.reason,
      seconds: (this.#clock.monotonic() - start) / 1000,
    });
    return observation;
  }

  #unknown(error: unknown): Unknown {
    const now = this.#clock.now();
    if (error instanceof ReadError) return unknown(error.reason, error.message, now);
    this.#unexpected(error);
    // A mistake of ours must not take the scaler down, and its text may hold anything.
    return unknown('BadAnswer', 'the answer could not be read', now);
  }
}

/** What a read is counted under. */
interface Source {
  readonly type: ReadEvent['source'];
  readonly server?: string;
}

function namesOf(metric: MetricSpec): Source {
  const { type } = metric;
  return type === 'Prometheus' ? { type, server: metric.prometheus.serverRef.name } : { type };
}

function keyOf({ namespace, metric, podSelector }: MetricRequest): string {
  const perPod = metric.type === 'Resource' || metric.type === 'ContainerResource' || metric.type === 'Pods';
  return JSON.stringify([namespace, sourceOf(metric), perPod ? podSelector : '']);
}

/** The metric without its target and capacity: they change what the number means, not the number. */
function sourceOf(metric: MetricSpec): unknown {
  switch (metric.type) {
    case 'Prometheus':
      return ['Prometheus', metric.prometheus.serverRef.name, metric.prometheus.query];
    case 'Resource':
      return ['Resource', metric.resource.name];
    case 'ContainerResource':
      return ['ContainerResource', metric.containerResource.name, metric.containerResource.container];
    case 'Pods':
      return ['Pods', metric.pods.metric];
    case 'Object':
      return ['Object', metric.object.describedObject, metric.object.metric];
    case 'External':
      return ['External', metric.external.metric];
  }
}
