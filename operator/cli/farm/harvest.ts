/** The farm as a command uses it: jobs have names, how far they are is shown, and what is missing at the end is told. */
import { ForesailError } from '../../errors.ts';
import { INTERRUPTED } from '../interrupt.ts';
import type { Progress } from '../progress.ts';
import { type FarmJob, farm } from './farm.ts';

export interface NamedJob<Job> extends FarmJob<Job> {
  /** Of what the job works on: a trace, a series. */
  readonly name: string;
}

export interface Harvest<Done> {
  /** In the order of the jobs, whichever was done first; undefined for one that failed. */
  readonly done: readonly (Done | undefined)[];
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** INTERRUPTED or RESULTS_INCOMPLETE: what a script has to hear when the report is not whole. */
  readonly problem: ForesailError | undefined;
}

export interface HarvestOptions {
  readonly entry: URL;
  readonly parallel?: number | undefined;
  readonly progress: Pick<Progress, 'note' | 'show' | 'expect' | 'partDone'>;
}

export async function harvest<Job, Done>(
  jobs: readonly NamedJob<Job>[],
  { entry, parallel, progress }: HarvestOptions,
  signal: AbortSignal,
): Promise<Harvest<Done>> {
  const nameOf = (job: number): string => jobs[job]?.name ?? '';
  progress.expect(jobs.length);
  const outcomes = await farm<Job, Done>(
    jobs,
    {
      entry,
      parallel,
      onProgress: (job, what, done, all) => progress.show(`${nameOf(job)}: ${what}`, done, all),
      onOutcome: (job, outcome) => {
        // Who pressed Ctrl-C need not read that of each.
        if (outcome.kind === 'failed' && !signal.aborted)
          progress.note(`${nameOf(job)}: failed, ${outcome.message}`);
        progress.partDone(nameOf(job));
      },
    },
    signal,
  );
  const failed = outcomes.flatMap((outcome, i) =>
    outcome.kind === 'failed' ? [{ name: nameOf(i), reason: outcome.message }] : [],
  );
  return {
    done: outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.done : undefined)),
    failed,
    problem: problemOf(failed, jobs.length, signal),
  };
}

function problemOf(
  failed: Harvest<unknown>['failed'],
  all: number,
  { aborted }: AbortSignal,
): ForesailError | undefined {
  const [first] = failed;
  if (first === undefined) return undefined;
  return new ForesailError(
    aborted ? INTERRUPTED : 'RESULTS_INCOMPLETE',
    'terminal',
    `${failed.length} of ${all} without results; ${first.name}: ${first.reason}`,
    { subject: first.name },
  );
}
