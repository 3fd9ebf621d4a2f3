/** Reads a Prometheus metric: one instant query, its answer checked, several series summed. */
import type { Clock } from '../../clock.ts';
import { type Known, known, type TotalReading } from '../../observation.ts';
import type { LabelMatcher } from '../promql/enforce.ts';
import { ReadError } from '../read-error.ts';
import { RecentMap } from '../recent-map.ts';
import { type ScopedQuery, scopeQuery } from './access.ts';
import { type Answer, largestLoad, parseAnswer, toMilli, unusable } from './answer.ts';
import { cadenceOf, cadenceQuery } from './cadence.ts';
import { FlatLine, freshnessQuery, newestSample } from './freshness.ts';
import type { ServerClient } from './server.ts';

/** What a metric's earlier reads left behind. */
interface Memory {
  newestSampleMs: number | undefined;
  /** Age at which the newest sample is asked for again; spread, so that not all metrics ask in the same moment. */
  probeAgeMs: number;
  readonly flatLine: FlatLine;
}

export class PrometheusSource {
  readonly #server: ServerClient;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #memory = new RecentMap<Memory>(20_000);

  constructor(server: ServerClient, clock: Clock, random: () => number) {
    this.#server = server;
    this.#clock = clock;
    this.#random = random;
  }

  /** Rejects with a ReadError, or with the signal's reason. */
  async read(namespace: string, query: string, signal: AbortSignal): Promise<Known<TotalReading>> {
    const scoped = scopeQuery(this.#server.entry, namespace, query);
    const answer = await this.#instant(namespace, scoped.text, signal);
    const { value, atMs, series } = total(answer);
    this.#checkTime(atMs, 'the answer');
    const key = `${namespace} ${scoped.text}`;
    const memory = this.#recall(key);
    const newestSampleMs = await this.#freshness(namespace, scoped, atMs, memory, signal);
    const { flatLineLimit } = this.#server.entry;
    const flatMs = memory.flatLine.ageMs(value, this.#clock.monotonic());
    if (flatLineLimit > 0 && flatMs >= flatLineLimit)
      throw new ReadError('Stale', `the value has not moved for ${Math.floor(flatMs / 3_600_000)} h`);
    const newest = newestSampleMs === undefined ? {} : { newestSampleAt: newestSampleMs };
    return known({ form: 'total', milli: toMilli(value), series, ...newest }, atMs);
  }

  /**
   * One series' value as it stands, which may be a small ratio, negative or NaN: for whoever compares it with limits of
   * his own. Rejects as `read` does; with NoData for an empty answer.
   */
  async number(namespace: string, query: string, signal: AbortSignal): Promise<Known<number>> {
    const scoped = scopeQuery(this.#server.entry, namespace, query);
    const answer = await this.#instant(namespace, scoped.text, signal);
    const [first, ...more] = answer.series;
    if (answer.type === 'matrix' || more.length > 0)
      throw new ReadError('BadQuery', 'the query gives several numbers; it must give one');
    const sample = first?.samples[0];
    if (sample === undefined) throw new ReadError('NoData', 'the query matches no series');
    this.#checkTime(sample.atMs, 'the answer');
    const memory = this.#recall(`${namespace} ${scoped.text}`);
    await this.#freshness(namespace, scoped, sample.atMs, memory, signal);
    return known(sample.value, sample.atMs);
  }

  /** Milliseconds between two samples of the query's fastest series. Rejects with a ReadError. */
  async cadence(namespace: string, query: string, signal: AbortSignal): Promise<Known<number>> {
    const { parsed } = scopeQuery(this.#server.entry, namespace, query);
    const { enforcedNamespaceLabel: label } = this.#server.entry;
    const matcher = label === undefined ? undefined : { label, value: namespace };
    const text = parsed === undefined ? undefined : cadenceQuery(parsed, matcher);
    if (text === undefined)
      throw new ReadError('NoData', 'the query names no series whose samples could be counted');
    const params = { query: text };
    const answer = parseAnswer(
      await this.#server.ask({ path: '/api/v1/query', params, namespace, lane: 'backfill' }, signal),
    );
    const cadence = cadenceOf(answer);
    if (cadence === undefined)
      throw new ReadError('NoData', 'no series has had a steady rhythm for an hour yet');
    return known(cadence, this.#clock.now());
  }

  #recall(key: string): Memory {
    const memory = this.#memory.get(key) ?? {
      newestSampleMs: undefined,
      probeAgeMs: 0,
      flatLine: new FlatLine(),
    };
    this.#memory.set(key, memory);
    return memory;
  }

  async #instant(namespace: string, query: string, signal: AbortSignal): Promise<Answer> {
    const text = await this.#server.ask(
      { path: '/api/v1/query', params: { query }, namespace, lane: 'live' },
      signal,
    );
    return parseAnswer(text);
  }

  #checkTime(atMs: number, what: string): void {
    const { maxSampleAge, maxClockSkew } = this.#server.entry;
    const ageMs = this.#clock.now() - atMs;
    if (ageMs > maxSampleAge)
      throw new ReadError('Stale', `${what} is ${seconds(ageMs)} old, more than ${seconds(maxSampleAge)}`);
    if (-ageMs > maxClockSkew)
      throw new ReadError('FromTheFuture', `${what} is ${seconds(-ageMs)} ahead of our clock`);
  }

  async #freshness(
    namespace: string,
    { parsed }: ScopedQuery,
    atMs: number,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { freshnessProbe, maxSampleAge, enforcedNamespaceLabel: label } = this.#server.entry;
    if (!freshnessProbe || parsed === undefined) return undefined;
    const matcher: LabelMatcher | undefined = label === undefined ? undefined : { label, value: namespace };
    const probe = freshnessQuery(parsed, maxSampleAge, matcher);
    if (probe === undefined) return undefined;
    const lastMs = memory.newestSampleMs;
    if (lastMs !== undefined && atMs - lastMs <= memory.probeAgeMs) return lastMs;
    let newestMs: number | undefined;
    try {
      newestMs = newestSample(parsed, await this.#instant(namespace, probe, signal));
    } catch (error) {
      // The value itself did arrive. While the last sample that was seen is young enough it stays good.
      const good = lastMs !== undefined && this.#clock.now() - lastMs <= maxSampleAge;
      if (good && error instanceof ReadError && error.reason !== 'Stale') return lastMs;
      throw error;
    }
    memory.newestSampleMs = newestMs;
    memory.probeAgeMs = maxSampleAge * (0.25 + this.#random() / 4);
    if (newestMs !== undefined) this.#checkTime(newestMs, 'the newest sample behind the value');
    return newestMs;
  }
}

/** One number from an instant answer. Throws NoData and NotANumber. */
export function total(answer: Answer): { value: number; atMs: number; series: number } {
  if (answer.type === 'matrix')
    throw new ReadError('BadQuery', 'the query gives a range of samples; it must give one number');
  if (answer.series.length === 0) throw new ReadError('NoData', 'the query matches no series');
  let value = 0;
  let atMs = Infinity;
  for (const { samples } of answer.series) {
    const [sample] = samples;
    if (sample === undefined) throw new ReadError('BadAnswer', 'the answer has a series without a value');
    const why = unusable(sample.value);
    if (why !== undefined) throw new ReadError('NotANumber', `the value is ${why}`);
    value += sample.value;
    atMs = Math.min(atMs, sample.atMs);
  }
  if (value > largestLoad) throw new ReadError('NotANumber', `the sum is larger than ${largestLoad}`);
  return { value, atMs, series: answer.series.length };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
