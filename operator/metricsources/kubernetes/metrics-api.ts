/** What every source over the API server's aggregation layer shares: one request per path at a time, a gate per API. */
import type { Clock } from '../../clock.ts';
import { isForesailError } from '../../errors.ts';
import { type BreakerOptions, defaultBreakerOptions } from '../breaker.ts';
import { Gate } from '../gate.ts';
import { ReadError } from '../read-error.ts';
import { SingleFlight } from '../single-flight.ts';
import type { ApiReader } from '../types.ts';
import { apiFailure } from './api-failure.ts';

export interface MetricsApiLimits {
  readonly timeoutMs: number;
  /** The newest sample of an answer may be this old. */
  readonly maxSampleAgeMs: number;
  readonly maxClockSkewMs: number;
}

export const defaultMetricsApiLimits: MetricsApiLimits = {
  timeoutMs: 10_000,
  maxSampleAgeMs: 300_000,
  maxClockSkewMs: 30_000,
};

/** Generous: an adapter serves from memory, and the API server has limits of its own. */
const line = { concurrent: 32, concurrentPerNamespace: 16, queued: 20_000, queuedPerNamespace: 10_000 };

export interface MetricsApiDependencies {
  readonly reader: ApiReader;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits?: MetricsApiLimits;
  readonly breaker?: BreakerOptions;
}

export class MetricsApi {
  readonly clock: Clock;
  readonly #deps: MetricsApiDependencies;
  readonly #limits: MetricsApiLimits;
  readonly #flights = new SingleFlight<unknown>();
  /** An adapter that hangs must not hold up the CPU metrics of everybody, so each API has a gate of its own. */
  readonly #gates = new Map<string, Gate>();

  constructor(deps: MetricsApiDependencies) {
    this.#deps = deps;
    this.clock = deps.clock;
    this.#limits = deps.limits ?? defaultMetricsApiLimits;
  }

  /** `namespace` is who asks. Rejects with a ReadError, or with the signal's reason. */
  get(api: string, path: string, namespace: string, signal: AbortSignal): Promise<unknown> {
    return this.#flights.run(path, signal, (shared) =>
      this.#gate(api).run(namespace, shared, async (inner, reached) => {
        try {
          return await this.#deps.reader.getJson(path, inner);
        } catch (error) {
          inner.throwIfAborted();
          // The adapter failed at this metric; 503 and silence are about the whole API.
          if (isForesailError(error, 'KUBE_INTERNAL')) reached();
          throw apiFailure(error, api);
        }
      }),
    );
  }

  #gate(api: string): Gate {
    const { clock, random, breaker = defaultBreakerOptions } = this.#deps;
    const { timeoutMs } = this.#limits;
    const gate =
      this.#gates.get(api) ??
      new Gate({ name: api, limits: line, timeoutMs, waitingCounts: true, breaker, clock, random });
    this.#gates.set(api, gate);
    return gate;
  }

  /** HPA takes samples of any age. We do not: an adapter that lost its source goes on serving what it had. */
  checkTime(newestMs: number, api: string): void {
    const ageMs = this.clock.now() - newestMs;
    if (ageMs > this.#limits.maxSampleAgeMs)
      throw new ReadError('Stale', `the newest sample of ${api} is ${Math.round(ageMs / 1000)} s old`);
    if (-ageMs > this.#limits.maxClockSkewMs)
      throw new ReadError(
        'FromTheFuture',
        `a sample of ${api} is ${Math.round(-ageMs / 1000)} s ahead of our clock`,
      );
  }
}
