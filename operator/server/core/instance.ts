/** A child that has loaded its model, as the batcher sees it: requests in, answers out. */
import type { Clock } from '../../clock.ts';
import type { Runner, RunResult } from './batcher.ts';
import type { Signature } from './child/protocol.ts';
import type { ModelChild } from './model-child.ts';
import { type InferJob, joinJobs, splitAnswers } from './run-batch.ts';
import type { Tensor } from './types.ts';

export class Instance implements Runner<InferJob, readonly Tensor[]> {
  readonly #child: ModelChild;
  readonly #signature: Signature;
  readonly #clock: Clock;

  constructor(child: ModelChild, signature: Signature, clock: Clock) {
    this.#child = child;
    this.#signature = signature;
    this.#clock = clock;
  }

  async run(jobs: readonly InferJob[]): Promise<RunResult<readonly Tensor[]>> {
    const started = this.#clock.monotonic();
    const { inputs, outputs } = joinJobs(jobs);
    const asked = this.#child.run(inputs, outputs);
    const sent = this.#clock.monotonic();
    const { inferMs, outputs: decoded } = await asked;
    const answers = splitAnswers(jobs, decoded, this.#signature.outputs);
    const inputMs = sent - started;
    // What is neither ours nor the runtime's is the way through the pipes.
    const outputMs = Math.max(0, this.#clock.monotonic() - sent - inferMs);
    return { answers, inputMs, inferMs, outputMs };
  }
}
