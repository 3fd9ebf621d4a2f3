/** All guards of one pair of versions: what is looked at when, and what it has come to. */
import type { GuardSpec, ModelDeployment } from '../../../api/index.ts';
import type { Clock } from '../../../clock.ts';
import { parseDurationMs } from '../../../duration.ts';
import type { NumberSource } from '../../../metricsources/types.ts';
import { parseQuantityNumber } from '../../../quantity.ts';
import type { Pair } from '../../../rollout/compared.ts';
import type { SeenPod } from '../pod-health.ts';
import type { Finding } from './finding.ts';
import type { CounterReader } from './pod-metrics.ts';
import { type Measurement, QueryGuard } from './query.ts';
import { type PodLook, RATE_GUARDS, RateGuards } from './rates.ts';

export interface Sources {
  readonly counters: Pick<CounterReader, 'read'>;
  readonly numbers: NumberSource;
  /** Pods of a version. */
  readonly podsOf: (key: string, version: number) => readonly SeenPod[];
  readonly clock: Clock;
}

/** Asked of each version at each look: enough to compare, and few enough for hundreds of rollouts. */
const MOST_PODS = 8;

interface Query {
  readonly guard: QueryGuard;
  readonly server: string;
  readonly text: string;
  readonly intervalMs: number;
  dueAtMs: number;
}

export class Comparison {
  readonly #sources: Sources;
  readonly #object: ModelDeployment;
  readonly #pair: Pair;
  readonly #rates: RateGuards | undefined;
  readonly #queries: readonly Query[];

  constructor(object: ModelDeployment, pair: Pair, sources: Sources) {
    this.#object = object;
    this.#pair = pair;
    this.#sources = sources;
    const { guards = RATE_GUARDS.map((type): GuardSpec => ({ type })), minLabels } =
      object.spec.rollout.judge;
    const names = RATE_GUARDS.filter((name) => guards.some(({ type }) => type === name));
    this.#rates = names.length === 0 ? undefined : new RateGuards({ names, minRequests: minLabels });
    this.#queries = guards.flatMap((guard, i) => queryOf(guard, i, object, pair));
  }

  /** Never throws, except the signal's reason when it aborts. */
  async look(signal: AbortSignal): Promise<void> {
    const now = this.#sources.clock.monotonic();
    await Promise.all([
      this.#compareRates(signal),
      ...this.#queries
        .filter(({ dueAtMs }) => dueAtMs <= now)
        .map(async (query) => {
          query.dueAtMs = now + query.intervalMs;
          query.guard.take(await this.#measure(query, signal));
        }),
    ]);
  }

  get findings(): readonly Finding[] {
    return [...(this.#rates?.findings ?? []), ...this.#queries.map(({ guard }) => guard.finding)];
  }

  async #compareRates(signal: AbortSignal): Promise<void> {
    if (this.#rates === undefined) return;
    const { baseline, candidate } = this.#pair;
    const [stable, canary] = await Promise.all([this.#pods(baseline, signal), this.#pods(candidate, signal)]);
    this.#rates.take(stable, canary);
  }

  async #pods(version: number, signal: AbortSignal): Promise<PodLook[]> {
    const { name, namespace } = this.#object.metadata;
    const { clock, counters, podsOf } = this.#sources;
    const pods = podsOf(`${namespace}/${name}`, version).flatMap(({ metadata: { uid }, status }) => {
      const startedAt = Date.parse(status.startTime ?? '');
      if (uid === undefined || status.podIP === undefined || Number.isNaN(startedAt) || !isReady(status))
        return [];
      return [{ uid, address: status.podIP, ageMs: clock.now() - startedAt }];
    });
    // The youngest: they are nearest to the canary's age, and the same ones at the next look.
    const asked = pods.sort((a, b) => a.ageMs - b.ageMs || (a.uid < b.uid ? -1 : 1)).slice(0, MOST_PODS);
    return await Promise.all(
      asked.map(async ({ uid, address, ageMs }) => ({
        uid,
        ageMs,
        counters: await counters.read({ address, model: name, version }, signal),
      })),
    );
  }

  async #measure({ server, text }: Query, signal: AbortSignal): Promise<Measurement> {
    const { namespace } = this.#object.metadata;
    const answer = await this.#sources.numbers.number({ namespace, server, query: text }, signal);
    if (answer.kind === 'value') return { kind: 'number', value: answer.value };
    return { kind: answer.reason === 'NoData' ? 'none' : 'error', why: answer.message };
  }
}

function isReady({ conditions = [] }: SeenPod['status']): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

function queryOf(
  { prometheus }: GuardSpec,
  place: number,
  { metadata }: ModelDeployment,
  pair: Pair,
): Query[] {
  if (prometheus === undefined) return [];
  const { serverRef, query, max, min, interval, ...limits } = prometheus;
  // Numbers and names of Kubernetes objects: nothing in them ends a string of PromQL.
  const words: Readonly<Record<string, string | number>> = {
    canary: pair.candidate,
    stable: pair.baseline,
    name: metadata.name,
    namespace: metadata.namespace,
  };
  const limit = (quantity: string | number | undefined) =>
    quantity === undefined ? undefined : parseQuantityNumber(quantity);
  return [
    {
      guard: new QueryGuard(`Prometheus[${place}]`, { max: limit(max), min: limit(min), ...limits }),
      server: serverRef.name,
      text: query.replaceAll(/\{\{(canary|stable|name|namespace)\}\}/g, (_, word: string) =>
        String(words[word]),
      ),
      intervalMs: parseDurationMs(interval),
      dueAtMs: 0,
    },
  ];
}
