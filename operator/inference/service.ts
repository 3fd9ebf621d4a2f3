/** The operator's one door to forecasts: the model, batched over all scalers, and simple forecasters behind it. */
import type { Clock } from '../clock.ts';
import type { Forecaster, ForecastOutcome, ForecastWindow } from '../forecast/types.ts';
import { Batcher, type BatcherOptions } from './batcher.ts';
import { batchedLink, type ChainLink, forecastByChain, linkOf, ordered } from './chain.ts';
import type {
  ContestRequest,
  ContestRound,
  ForecastService,
  InferenceStats,
  ModelState,
  OnnxModel,
} from './types.ts';

export interface ForecastServiceOptions extends Omit<BatcherOptions, 'onRun'> {
  readonly clock: Clock;
  /** See `batchedLink`. */
  readonly minKnown?: number;
}

export class ChainedForecastService implements ForecastService {
  readonly #model: OnnxModel;
  readonly #batcher: Batcher;
  readonly #links: readonly ChainLink[];
  #stats = { runs: 0, windows: 0, failedRuns: 0, runSeconds: 0, largestBatch: 0 };

  /** @param fallbacks in order; each must be cheap, they run one window at a time */
  constructor(model: OnnxModel, fallbacks: readonly Forecaster[], options: ForecastServiceOptions) {
    this.#model = model;
    this.#batcher = new Batcher(model, {
      ...options,
      onRun: (windows, seconds, failed) => this.#count(windows, seconds, failed),
    });
    this.#links = [batchedLink(this.#batcher, options.minKnown), ...fallbacks.map(linkOf)];
  }

  get model(): ModelState {
    return this.#model.state;
  }

  get stats(): InferenceStats {
    return { ...this.#stats, childRestarts: this.#model.restarts ?? 0 };
  }

  forecast(window: ForecastWindow, signal: AbortSignal): Promise<ForecastOutcome> {
    return signal.aborted ? Promise.reject(signal.reason) : forecastByChain(this.#links, window, signal);
  }

  async contest(
    window: ForecastWindow,
    { order, everyone, own }: ContestRequest,
    signal: AbortSignal,
  ): Promise<ContestRound> {
    signal.throwIfAborted();
    const links = ordered(own === undefined ? this.#links : [own, ...this.#links], order);
    const outcome = await forecastByChain(links, window, signal);
    if (!everyone || outcome.kind === 'unavailable') return { outcome, others: [] };
    // Those ahead of the one that served have failed already.
    const rest = links.slice(links.findIndex((link) => link.id === outcome.by) + 1);
    const answers = await Promise.all(rest.map((link) => forecastByChain([link], window, signal)));
    const others = answers.flatMap((answer) =>
      answer.kind === 'forecast' ? [{ by: answer.by, forecast: answer.forecast }] : [],
    );
    return { outcome, others };
  }

  async close(): Promise<void> {
    await this.#batcher.close();
    await this.#model.close();
  }

  #count(windows: number, seconds: number, failed: boolean): void {
    const stats = this.#stats;
    stats.runs++;
    stats.windows += windows;
    stats.runSeconds += seconds;
    if (failed) stats.failedRuns++;
    stats.largestBatch = Math.max(stats.largestBatch, windows);
  }
}
