/** All that a backtest makes of one trace. Plain data goes in and comes out, so that it can run in another process. */
import { modelRivals } from '../forecast/registry.ts';
import type { Forecaster } from '../forecast/types.ts';
import type { ModelSource } from '../inference/types.ts';
import { type BacktestOptions, runBacktest, type TracePlan } from '../simulate/backtest.ts';
import { sweepTrace } from '../simulate/frontier-runs.ts';
import { recordedSeries } from '../simulate/recorded-series.ts';
import type { BacktestResult, BacktestSeries, FrontierSweep } from '../simulate/report-types.ts';
import { BANDS, createRunner } from '../simulate/runner.ts';
import { recordTape, tapeBytes } from '../simulate/tape.ts';
import type { OnProgress } from './farm/serve-jobs.ts';

export interface BacktestJob {
  readonly plan: TracePlan;
  readonly options: BacktestOptions;
  /** Undefined where nothing forecasts. */
  readonly model: Required<ModelSource> | undefined;
  /** Let the other forecasters compete with the model, as the operator does. */
  readonly contest: boolean;
  readonly frontier: boolean;
  /** Keep what charts are drawn from. */
  readonly series: boolean;
}

export interface BacktestDone {
  readonly results: readonly BacktestResult[];
  readonly sweeps: readonly FrontierSweep[];
  readonly series: readonly BacktestSeries[];
}

/** Code, the runtime of the model, its file. */
const BASE_BYTES = 250e6;

/** Memory that a job takes at its height, roughly. */
export function bytesOf({ plan, model, contest }: BacktestJob): number {
  const { trace, horizon } = plan;
  const tape = model === undefined ? 0 : tapeBytes(trace, horizon, contest ? 1 + modelRivals().length : 1);
  const bands = model === undefined ? 0 : BANDS * (horizon + 2) * 8 * trace.values.length;
  return BASE_BYTES + 4 * trace.values.byteLength + tape + bands;
}

/** @param model the one that the job names, opened */
export async function backtestTrace(
  { plan, options, contest, frontier, series }: BacktestJob,
  model: Forecaster | undefined,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<BacktestDone> {
  const { trace, scored, capacity, horizon } = plan;
  const tape =
    model === undefined
      ? undefined
      : await recordTape(
          trace,
          [model, ...modelRivals()],
          {
            horizon,
            origins: { from: 0, to: scored.to },
            everyone: contest,
            onProgress: (done, all) => onProgress('forecasting', done, all),
          },
          signal,
        );
  const runner = createRunner(trace, tape, { metricDelayMs: options.metricDelayMs, capacity, scored });
  const results = runBacktest(plan, runner, options, (done, all) => onProgress('deciding', done, all));
  const onSweep = (done: number, all: number): void => onProgress('frontier', done, all);
  return {
    results,
    sweeps: frontier ? sweepTrace(plan, runner, { ...options, onProgress: onSweep }) : [],
    series: series ? recordedSeries(plan, runner, tape, options) : [],
  };
}
