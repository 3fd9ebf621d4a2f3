/**
 * Gathers the requests of many scalers into runs of one model: 64 windows in one run cost far less than 64 runs. The
 * first request waits a few milliseconds for company; order of arrival is kept; one run at a time.
 */
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import type { Forecaster, ForecastWindow, QuantileForecast } from '../forecast/types.ts';

export interface BatcherOptions {
  readonly clock: Clock;
  readonly maxBatch?: number;
  /** How long the first request waits for company. */
  readonly maxDelayMs?: number;
  /** A request that has not been answered by then is given up. */
  readonly deadlineMs?: number;
  /** Requests beyond it are refused at once. */
  readonly maxQueue?: number;
  readonly onRun?: (windows: number, seconds: number, failed: boolean) => void;
}

interface Request {
  readonly window: ForecastWindow;
  readonly resolve: (forecast: QuantileForecast) => void;
  readonly reject: (error: unknown) => void;
  /** Takes the request's timer and abort listener away. */
  readonly release: () => void;
  done: boolean;
}

export class Batcher {
  readonly #forecaster: Forecaster;
  readonly #options: Required<Omit<BatcherOptions, 'onRun'>> & Pick<BatcherOptions, 'onRun'>;
  #queue: Request[] = [];
  #running: Promise<void> | undefined;
  #cancelWait: (() => void) | undefined;
  #closed = false;
  readonly #stop = new AbortController();

  constructor(forecaster: Forecaster, options: BatcherOptions) {
    this.#forecaster = forecaster;
    this.#options = { maxBatch: 64, maxDelayMs: 4, deadlineMs: 3000, maxQueue: 20_000, ...options };
  }

  get id(): string {
    return this.#forecaster.id;
  }

  /** Rejects with FORECAST_OVERLOADED, FORECAST_TIMEOUT, the forecaster's error, or the signal's reason. */
  forecast(window: ForecastWindow, signal: AbortSignal): Promise<QuantileForecast> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#closed)
      return Promise.reject(new ForesailError('MODEL_LOADING', 'terminal', 'the model is closed'));
    if (this.#queue.length >= this.#options.maxQueue) {
      const message = `${this.#queue.length} forecasts are waiting`;
      return Promise.reject(new ForesailError('FORECAST_OVERLOADED', 'transient', message));
    }
    return new Promise((resolve, reject) => {
      const { deadlineMs } = this.#options;
      const onAbort = (): void => this.#end(request, () => reject(signal.reason));
      const cancel = this.#options.clock.after(deadlineMs, () => {
        const error = new ForesailError(
          'FORECAST_TIMEOUT',
          'transient',
          `no forecast within ${deadlineMs} ms`,
        );
        this.#end(request, () => reject(error));
      });
      const request: Request = {
        window,
        resolve,
        reject,
        release: () => {
          cancel();
          signal.removeEventListener('abort', onAbort);
        },
        done: false,
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(request);
      this.#schedule();
    });
  }

  /** Answers what is queued, then refuses. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#startRun();
    await this.#running;
  }

  #schedule(): void {
    if (this.#running !== undefined) return;
    if (this.#queue.length >= this.#options.maxBatch) this.#startRun();
    else this.#cancelWait ??= this.#options.clock.after(this.#options.maxDelayMs, () => this.#startRun());
  }

  #startRun(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // A request may have come in after the last look at the queue.
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  async #drain(): Promise<void> {
    for (;;) {
      const waiting = this.#queue.filter((request) => !request.done);
      const batch = waiting.slice(0, this.#options.maxBatch);
      this.#queue = waiting.slice(batch.length);
      if (batch.length === 0) return;
      // oxlint-disable-next-line no-await-in-loop -- one model runs one batch at a time
      await this.#run(batch);
    }
  }

  async #run(batch: readonly Request[]): Promise<void> {
    const started = this.#options.clock.monotonic();
    const seconds = (): number => (this.#options.clock.monotonic() - started) / 1000;
    try {
      const windows = batch.map((request) => request.window);
      const forecasts = await this.#forecaster.forecast(windows, this.#stop.signal);
      this.#options.onRun?.(batch.length, seconds(), false);
      batch.forEach((request, i) => {
        const forecast = forecasts[i];
        if (forecast !== undefined) this.#end(request, () => request.resolve(forecast));
        else
          this.#end(request, () =>
            request.reject(new ForesailError('MODEL_RUN_FAILED', 'transient', 'no answer')),
          );
      });
    } catch (error) {
      this.#options.onRun?.(batch.length, seconds(), true);
      for (const request of batch) this.#end(request, () => request.reject(error));
    }
  }

  #end(request: Request, settle: () => void): void {
    if (request.done) return;
    request.done = true;
    request.release();
    settle();
  }
}
