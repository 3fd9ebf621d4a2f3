/** A request, checked against the model's signature, as a job for its queue. */
import type { Job } from './batcher.ts';
import type { Signature } from './child/protocol.ts';
import { invalid } from './errors.ts';
import { type InferJob, rowsInRequest, shapeKeyOf } from './run-batch.ts';
import type { ModelSettings } from './settings.ts';
import { checkInputs } from './tensors.ts';
import type { InferRequest, Tensor } from './types.ts';

/** @throws INPUT_INVALID, its subject naming the field */
export function prepareRequest(
  request: InferRequest,
  signature: Signature,
  batched: boolean,
  settings: Pick<ModelSettings, 'priorityLevels' | 'defaultTimeoutMs'>,
): Job<InferJob> {
  const { inputs, outputs } = checkInputs(request, signature.inputs, signature.outputs);
  const rows = batched ? rowsInRequest(inputs) : 1;
  if (rows === undefined) {
    throw invalid('inputs', 'the first dimensions of the inputs differ; it is the batch in this model');
  }
  return {
    payload: { inputs, outputs, rows },
    rows,
    bytes: batched ? bytesOf(inputs) : 0,
    priority: priorityOf(request.priority ?? 0, settings.priorityLevels),
    shapeKey: batched ? shapeKeyOf(inputs, signature.inputs) : '',
    timeoutMs: timeoutOf(request.timeoutMs) ?? settings.defaultTimeoutMs,
  };
}

function priorityOf(priority: number, levels: number): number {
  if (!Number.isInteger(priority) || priority < 0 || priority > levels) {
    throw invalid('priority', `priority is a whole number from 1 (highest) to ${levels}; 0 = the lowest`);
  }
  return priority === 0 ? levels : priority;
}

function timeoutOf(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs === undefined || timeoutMs === 0) return undefined;
  if (!(timeoutMs > 0 && timeoutMs <= 3_600_000)) {
    throw invalid('timeout', 'the timeout is a positive number of milliseconds, an hour at most');
  }
  return timeoutMs;
}

function bytesOf(inputs: readonly Tensor[]): number {
  return inputs.reduce(
    (sum, { data }) =>
      sum +
      (ArrayBuffer.isView(data) ? data.byteLength : data.reduce((all, item) => all + item.byteLength, 0)),
    0,
  );
}
