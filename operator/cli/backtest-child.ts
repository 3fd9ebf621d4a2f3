/** The process that backtests one trace after the other for `foresail backtest`. */
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { openModel } from '../inference/model.ts';
import type { OnnxModel } from '../inference/types.ts';
import { type BacktestDone, type BacktestJob, backtestTrace } from './backtest-trace.ts';
import { serveJobs } from './farm/serve-jobs.ts';

const { signal } = new AbortController();
/** All jobs of a backtest name the same model. */
let model: OnnxModel | undefined;

async function opened(source: NonNullable<BacktestJob['model']>): Promise<OnnxModel> {
  model ??= await openModel(source, { clock: systemClock });
  if (model.state.phase === 'ready') return model;
  throw new ForesailError('MODEL_INVALID', 'terminal', `${source.path}: ${model.state.message}`);
}

serveJobs(
  async (job: BacktestJob, onProgress): Promise<BacktestDone> =>
    backtestTrace(job, job.model === undefined ? undefined : await opened(job.model), onProgress, signal),
  async () => await model?.close(),
);
