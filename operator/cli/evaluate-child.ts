/** The process that scores one series after the other for `foresail evaluate`. */
import { systemClock } from '../clock.ts';
import { closeModels, type Opened, openModels } from './evaluate-models.ts';
import { type EvaluateDone, type EvaluateJob, evaluateSeries } from './evaluate-series.ts';
import { serveJobs } from './farm/serve-jobs.ts';

const { signal } = new AbortController();
/** All jobs of an evaluation name the same forecasters. */
let opened: readonly Opened[] | undefined;

serveJobs(
  async (job: EvaluateJob, onProgress): Promise<EvaluateDone> => {
    opened ??= await openModels(job.names, { ...job.open, clock: systemClock });
    const contenders = opened.flatMap(({ contender }) => (contender === undefined ? [] : [contender]));
    return await evaluateSeries(job, contenders, onProgress, signal);
  },
  async () => await closeModels(opened ?? []),
);
