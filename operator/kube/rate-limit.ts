/**
 * A token bucket on the client's side: a bug of ours must not become a denial of service against the control plane.
 * The default is generous, for the server's own priority and fairness is the real protection.
 */
import type { Clock } from '../clock.ts';

export class RateLimiter {
  readonly #qps: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #refilledAt: number;

  constructor(options: { readonly qps: number; readonly burst: number }, clock: Clock) {
    this.#qps = options.qps;
    this.#burst = options.burst;
    this.#clock = clock;
    this.#tokens = options.burst;
    this.#refilledAt = clock.monotonic();
  }

  /** Resolves with the time waited. Callers are served in order: each takes its token now and waits for its turn. */
  async acquire(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#refilledAt) / 1000) * this.#qps);
    this.#refilledAt = now;
    this.#tokens -= 1;
    if (this.#tokens >= 0) return 0;
    const waitMs = (-this.#tokens / this.#qps) * 1000;
    try {
      await this.#clock.sleep(waitMs, signal);
    } catch (error) {
      this.#tokens += 1;
      throw error;
    }
    return waitMs;
  }
}
