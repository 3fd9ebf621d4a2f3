/** What every source over the API server's aggregation layer shares: one request per path at a time, one deadline. */
import type { Clock } from '../../clock.ts';
import { withDeadline } from '../deadline.ts';
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

export class MetricsApi {
  readonly clock: Clock;
  readonly #reader: ApiReader;
  readonly #limits: MetricsApiLimits;
  readonly #flights = new SingleFlight<unknown>();

  constructor(reader: ApiReader, clock: Clock, limits: MetricsApiLimits) {
    this.#reader = reader;
    this.clock = clock;
    this.#limits = limits;
  }

  /** Rejects with a ReadError, or with the signal's reason. */
  async get(api: string, path: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#flights.run(path, signal, (shared) =>
        withDeadline(this.#limits.timeoutMs, api, this.clock, shared, (inner) =>
          this.#reader.getJson(path, inner),
        ),
      );
    } catch (error) {
      signal.throwIfAborted();
      throw apiFailure(error, api);
    }
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
