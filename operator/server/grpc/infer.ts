/** ModelInfer: the message to a request of the engine and back. Raw is answered raw, typed lists with typed lists. */
import { invalid } from '../core/errors.ts';
import { elementsOf, rawBytes } from '../core/tensors.ts';
import type { InferAnswer, InferRequest, Tensor } from '../core/types.ts';
import { unsupported } from '../wire/errors.ts';
import { readModelName, readName, readVersion } from '../wire/fields.ts';
import { type ModelPath, scheduling } from '../wire/infer-request.ts';
import { readRaw } from '../wire/raw.ts';
import { readDatatype, readShape } from '../wire/shape.ts';
import { hasContents, readContents, writeContents } from './contents.ts';
import { type ModelInferRequest, type ModelInferResponse, scalars } from './messages.ts';

const MOST_TENSORS = 256;

/** An empty version is an absent one. */
export function modelPathOf(model: string | undefined, version: string | undefined): ModelPath {
  return {
    model: readModelName(model, 'the model name'),
    ...(version === undefined || version === '' ? {} : { version: readVersion(version, 'the version') }),
  };
}

/** @throws INPUT_INVALID that names the field, UNSUPPORTED */
export function readInfer(message: ModelInferRequest): InferRequest {
  const path = modelPathOf(message.model_name, message.model_version);
  const outputs = (message.outputs ?? []).map(({ name, parameters }, i) => {
    if (scalars(parameters).has('classification')) throw unsupported('classification is not supported');
    return readName(name, `outputs[${i}].name`);
  });
  return {
    ...path,
    inputs: readInputs(message),
    ...(outputs.length === 0 ? {} : { outputs }),
    ...scheduling(scalars(message.parameters)),
  };
}

function readInputs({ inputs = [], raw_input_contents: raw = [] }: ModelInferRequest): Tensor[] {
  if (inputs.length === 0 || inputs.length > MOST_TENSORS)
    throw invalid('inputs', `${inputs.length} inputs were sent; there must be 1 to ${MOST_TENSORS}`);
  if (raw.length > 0 && raw.length !== inputs.length)
    throw invalid(
      'raw_input_contents',
      `raw_input_contents has ${raw.length} entries for ${inputs.length} inputs`,
    );
  return inputs.map((input, i): Tensor => {
    const field = `inputs[${i}]`;
    const name = readName(input.name, `${field}.name`);
    if (scalars(input.parameters).has('shared_memory_region'))
      throw unsupported('shared memory is not supported');
    const datatype = readDatatype(input.datatype, `${field}.datatype`);
    const shape = readShape((input.shape ?? []).map(Number), `${field}.shape`);
    const count = elementsOf(shape);
    const bytes = raw[i];
    if (bytes === undefined)
      return { name, datatype, shape, data: readContents(datatype, shape, count, input.contents, field) };
    if (input.contents !== undefined)
      throw invalid(field, `${field} has contents beside raw_input_contents; only one of them may be given`);
    return { name, datatype, shape, data: readRaw(datatype, count, bytes, field) };
  });
}

/** Bytes of a message's tensors, near enough to bound memory. */
export function sizeOf({ inputs = [], raw_input_contents: raw = [] }: ModelInferRequest): number {
  let size = 0;
  for (const bytes of raw) size += bytes.byteLength;
  for (const { contents } of inputs)
    for (const list of Object.values(contents ?? {}) as (readonly unknown[])[]) size += 8 * list.length;
  return size;
}

export function writeInfer(answer: InferAnswer, message: ModelInferRequest): ModelInferResponse {
  // FP16 has no list, and an answer is either raw as a whole or not at all.
  const raw = (message.raw_input_contents ?? []).length > 0 || !answer.outputs.every(hasContents);
  return {
    model_name: answer.model,
    model_version: answer.version,
    ...(message.id === undefined ? {} : { id: message.id }),
    outputs: answer.outputs.map((tensor) => ({
      name: tensor.name,
      datatype: tensor.datatype,
      shape: tensor.shape,
      ...(raw ? {} : { contents: writeContents(tensor) }),
    })),
    ...(raw ? { raw_output_contents: answer.outputs.map(({ data }) => rawBytes(data)) } : {}),
  };
}
