/**
 * What a loaded model has to show before its first request, through the very path that requests take: it answers, with
 * finite numbers and ordered quantiles, what its golden vectors say, within the latency target; and whether rows of
 * different requests may share a run is tried out instead of believed.
 */
import type { Clock } from '../../../clock.ts';
import { messageOf } from '../../../errors.ts';
import type { Runner, RunResult } from '../batcher.ts';
import type { Signature } from '../child/protocol.ts';
import { isRunFailure, refused } from '../errors.ts';
import { hasBatchDimension, type InferJob, rowsInRequest } from '../run-batch.ts';
import type { Tensor } from '../types.ts';
import { checkFinite, checkForecast, closeTo } from './answers.ts';
import { firstDifference, type Golden } from './golden.ts';
import { sampleInputs } from './samples.ts';

export type InferRunner = Runner<InferJob, readonly Tensor[]>;

export interface WarmUpOptions {
  readonly clock: Clock;
  readonly runs: number;
  readonly maxBatch: number;
  readonly latencyTargetMs: number | undefined;
  /** Until the first answer. */
  readonly coldStart: { readonly startedAt: number; readonly budgetMs: number };
}

export interface WarmUp {
  /** A sound question, for the warm-up of further children. */
  readonly probe: InferJob;
  readonly batching: { readonly on: boolean; readonly reason: string };
  /** Runs that were timed, to begin the latency line with. */
  readonly timings: readonly { readonly rows: number; readonly ms: number }[];
}

/** A noisy neighbour spoils one try, not three. */
const LATENCY_TRIES = 3;
const TIMED_SIZES = [2, 8];
const RUNS_PER_SIZE = 3;
/** A slow model is timed by fewer runs: its start counts too. */
const TIMING_BUDGET_MS = 2000;

/** @throws MODEL_REFUSED; BACKEND when the child ends; the signal's reason */
export async function checkBeforeServing(
  runner: InferRunner,
  signature: Signature,
  golden: Golden | undefined,
  options: WarmUpOptions,
  signal: AbortSignal,
): Promise<WarmUp> {
  const probe = await firstRun(runner, signature, golden, signal);
  const { startedAt, budgetMs } = options.coldStart;
  const coldStart = options.clock.monotonic() - startedAt;
  if (coldStart > budgetMs) {
    throw refused(
      'ColdStart',
      `the first answer came after ${Math.round(coldStart)} ms, allowed are ${budgetMs} ms`,
    );
  }
  await checkGolden(runner, golden, signal);
  const batching = await tryBatching(runner, signature, golden, probe, options.maxBatch, signal);
  const timings = await timeRuns(runner, probe, batching.on, options, signal);
  return { probe, batching, timings };
}

async function firstRun(
  runner: InferRunner,
  signature: Signature,
  golden: Golden | undefined,
  signal: AbortSignal,
): Promise<InferJob> {
  const candidates = golden?.cases[0] === undefined ? sampleInputs(signature, 0) : [golden.cases[0].inputs];
  let failure: unknown;
  for (const inputs of candidates) {
    signal.throwIfAborted();
    const job = jobOf(inputs);
    try {
      // oxlint-disable-next-line no-await-in-loop -- the next one only if this one fails
      const answers = await runOne(runner, job);
      checkFinite(answers);
      checkForecast(signature, answers);
      return job;
    } catch (error) {
      if (!isRunFailure(error)) throw error;
      failure = error;
    }
  }
  const hint = golden === undefined ? '; a golden.json beside the model brings better inputs' : '';
  throw refused('WarmUpFailed', `the first run fails: ${messageOf(failure)}${hint}`, failure);
}

async function checkGolden(
  runner: InferRunner,
  golden: Golden | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const one of golden?.cases ?? []) {
    signal.throwIfAborted();
    // oxlint-disable-next-line no-await-in-loop -- one child, one run at a time
    const difference = firstDifference(one, golden?.tolerance ?? 0, await runOne(runner, jobOf(one.inputs)));
    if (difference !== undefined) throw refused('GoldenMismatch', `golden case "${one.name}": ${difference}`);
  }
}

/**
 * A free first dimension is usually the batch, but may be a sequence; then rows would change each other's answers. So
 * two rows are run apart and together, and must answer the same.
 */
async function tryBatching(
  runner: InferRunner,
  signature: Signature,
  golden: Golden | undefined,
  probe: InferJob,
  maxBatch: number,
  signal: AbortSignal,
): Promise<{ on: boolean; reason: string }> {
  if (maxBatch === 1) return { on: false, reason: 'maxBatch is 1' };
  if (!hasBatchDimension(signature.inputs, signature.outputs)) {
    return { on: false, reason: 'not every input and output has a free first dimension' };
  }
  if (rowsInRequest(probe.inputs) === undefined) {
    return { on: false, reason: 'the first dimensions of the golden inputs differ' };
  }
  const other = jobOf(golden?.cases[1]?.inputs ?? secondSample(signature, probe));
  try {
    const apart = [await runOne(runner, probe), await runOne(runner, other)];
    signal.throwIfAborted();
    const together = (await runner.run([probe, other])).answers;
    const same = apart.every((answers, i) => closeTo(answers, together[i] ?? []));
    return same
      ? { on: true, reason: 'rows of a batch do not change each other' }
      : { on: false, reason: 'rows of a batch change each other: the first dimension is no batch' };
  } catch (error) {
    if (!isRunFailure(error)) throw error;
    return { on: false, reason: `a batch of two cannot be run: ${messageOf(error)}`.slice(0, 300) };
  }
}

/** Made-up rows of the probe's own shape. */
function secondSample(signature: Signature, probe: InferJob): readonly Tensor[] {
  const shapes = (inputs: readonly Tensor[]): string => JSON.stringify(inputs.map((tensor) => tensor.shape));
  const same = sampleInputs(signature, 1).find((inputs) => shapes(inputs) === shapes(probe.inputs));
  return same ?? probe.inputs;
}

async function timeRuns(
  runner: InferRunner,
  probe: InferJob,
  batched: boolean,
  { clock, runs, maxBatch, latencyTargetMs }: WarmUpOptions,
  signal: AbortSignal,
): Promise<{ rows: number; ms: number }[]> {
  const timings: { rows: number; ms: number }[] = [];
  const time = async (jobs: readonly InferJob[]): Promise<number> => {
    signal.throwIfAborted();
    const started = clock.monotonic();
    await runner.run(jobs);
    const ms = clock.monotonic() - started;
    timings.push({ rows: jobs.reduce((sum, job) => sum + job.rows, 0), ms });
    return ms;
  };
  const began = clock.monotonic();
  const late = (): boolean => clock.monotonic() - began > TIMING_BUDGET_MS;
  const series = async (): Promise<number[]> => {
    const taken: number[] = [];
    while (taken.length < runs && !(late() && taken.length >= RUNS_PER_SIZE)) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what is measured
      taken.push(await time([probe]));
    }
    return taken;
  };
  let single = await series();
  if (latencyTargetMs !== undefined) {
    for (let again = 1; again < LATENCY_TRIES && quantile99(single) > latencyTargetMs; again++) {
      timings.length = 0;
      // oxlint-disable-next-line no-await-in-loop -- as above
      single = await series();
    }
    const p99 = quantile99(single);
    if (p99 > latencyTargetMs) {
      throw refused(
        'TooSlow',
        `p99 of ${single.length} single runs is ${p99.toFixed(2)} ms, the latency target is ${latencyTargetMs} ms`,
      );
    }
  }
  for (const size of batched ? TIMED_SIZES.filter((rows) => rows <= maxBatch) : []) {
    for (let i = 0; i < RUNS_PER_SIZE && !late(); i++) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await time(Array.from({ length: size }, () => probe));
    }
  }
  return timings;
}

/** Nearest rank; of fewer than 100 values the largest. */
export function quantile99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN;
}

function jobOf(inputs: readonly Tensor[]): InferJob {
  return { inputs, outputs: undefined, rows: rowsInRequest(inputs) ?? 1 };
}

async function runOne(runner: InferRunner, job: InferJob): Promise<readonly Tensor[]> {
  const { answers }: RunResult<readonly Tensor[]> = await runner.run([job]);
  return answers[0] ?? [];
}
