/** From requests to one run and back: rows are put behind each other on the way in and cut apart on the way out. */
import type { BlockTensor, DecodedTensor } from './child/tensor-block.ts';
import { runFailed } from './errors.ts';
import { rawBytes, rowsOf } from './tensors.ts';
import type { Tensor, TensorSpec } from './types.ts';

export interface InferJob {
  /** In the order of the signature. */
  readonly inputs: readonly Tensor[];
  /** Indexes into the outputs in the order of the request; undefined = all. */
  readonly outputs: readonly number[] | undefined;
  /** Size of the first dimension; 1 for a model that is not batched. */
  readonly rows: number;
}

export interface RunOrder {
  readonly inputs: readonly BlockTensor[];
  readonly outputs: readonly number[] | undefined;
}

export function joinJobs(jobs: readonly InferJob[]): RunOrder {
  const [first] = jobs;
  const rows = jobs.reduce((sum, job) => sum + job.rows, 0);
  const inputs = (first?.inputs ?? []).map((tensor, index) => ({
    index,
    shape: jobs.length === 1 ? tensor.shape : [rows, ...tensor.shape.slice(1)],
    parts: jobs.map((job) => rawBytes(job.inputs[index]?.data ?? [])),
  }));
  return { inputs, outputs: wanted(jobs) };
}

/** The outputs that any of them asks for. */
function wanted(jobs: readonly InferJob[]): readonly number[] | undefined {
  const indexes = new Set<number>();
  for (const { outputs } of jobs) {
    if (outputs === undefined) return undefined;
    for (const index of outputs) indexes.add(index);
  }
  return [...indexes];
}

/**
 * Views, no copies. @throws BACKEND when an output is missing or has not one row per row of input: what a model
 * answers is checked at every run
 */
export function splitAnswers(
  jobs: readonly InferJob[],
  run: readonly DecodedTensor[],
  specs: readonly TensorSpec[],
): Tensor[][] {
  const total = jobs.reduce((sum, job) => sum + job.rows, 0);
  const byIndex = new Map(run.map((tensor) => [tensor.index, tensor] as const));
  let from = 0;
  return jobs.map((job) => {
    const to = from + job.rows;
    const outputs = (job.outputs ?? specs.map((_, i) => i)).map((index) => {
      const spec = specs[index];
      const tensor = byIndex.get(index);
      if (spec === undefined || tensor === undefined) throw runFailed('the model left out an output');
      const { name, datatype } = spec;
      if (jobs.length === 1) return { name, datatype, shape: tensor.shape, data: tensor.data };
      if (tensor.shape[0] !== total) throw runFailed(`"${name}" has ${tensor.shape[0]} rows, not ${total}`);
      const data = rowsOf(tensor.data, total, from, to);
      return { name, datatype, shape: [job.rows, ...tensor.shape.slice(1)], data };
    });
    from = to;
    return outputs;
  });
}

/** Every tensor has a free first dimension, so rows of several requests may go into one run. */
export function hasBatchDimension(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): boolean {
  return inputs.length > 0 && [...inputs, ...outputs].every((spec) => spec.shape[0] === -1);
}

/** Rows of a request to a batched model; undefined when its inputs do not agree. */
export function rowsInRequest(inputs: readonly Tensor[]): number | undefined {
  const rows = inputs[0]?.shape[0];
  return inputs.every((tensor) => tensor.shape[0] === rows) ? rows : undefined;
}

/** Requests share a run when everything behind the first dimension is equal. */
export function shapeKeyOf(inputs: readonly Tensor[], specs: readonly TensorSpec[]): string {
  if (specs.every((spec) => !spec.shape.includes(-1, 1))) return '';
  return inputs.map((tensor) => tensor.shape.slice(1).join()).join(';');
}
