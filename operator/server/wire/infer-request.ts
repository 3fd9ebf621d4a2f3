/**
 * An inference request of the protocol's HTTP form: a JSON object and, by the binary tensor extension, the bytes of
 * some or all inputs behind it.
 */

import { invalid } from '../core/errors.ts';
import { DATATYPES, elementsOf } from '../core/tensors.ts';
import type { InferRequest, ModelMetadata, Tensor } from '../core/types.ts';
import { unsupported } from './errors.ts';
import {
  booleanParameter,
  type JsonObject,
  own,
  type Parameters,
  readList,
  readName,
  readObject,
  readParameters,
  wholeParameter,
} from './fields.ts';
import { readJsonData } from './json-data.ts';
import { readRaw } from './raw.ts';
import { readDatatype, readShape } from './shape.ts';

export interface ModelPath {
  readonly model: string;
  readonly version?: string;
}

export interface ReceivedInfer {
  readonly request: InferRequest;
  /** To be echoed. */
  readonly id?: string;
  /** Whether an output is to be answered as bytes. */
  readonly asBinary: (output: string) => boolean;
}

const MOST_TENSORS = 256;
const MOST_ID = 1024;

/**
 * @param binary what follows the JSON object
 * @throws INPUT_INVALID that names the field, UNSUPPORTED
 */
export function readInferRequest(path: ModelPath, json: unknown, binary: Uint8Array): ReceivedInfer {
  const head = readObject(json, 'the body');
  const id = readId(own(head, 'id'));
  const parameters = readParameters(own(head, 'parameters'), 'parameters');
  const inputs = readInputs(own(head, 'inputs'), binary);
  const outputs = readOutputs(own(head, 'outputs'));
  const binaryByDefault = booleanParameter(parameters, 'binary_data_output', 'parameters') ?? false;
  return {
    request: {
      ...path,
      inputs,
      ...(outputs.length === 0 ? {} : { outputs: outputs.map(({ name }) => name) }),
      ...scheduling(parameters),
    },
    ...(id === undefined ? {} : { id }),
    asBinary: (name) => outputs.find((output) => output.name === name)?.binary ?? binaryByDefault,
  };
}

/** Priority as it is; Triton's time-out is in microseconds. */
export function scheduling(parameters: Parameters): Pick<InferRequest, 'priority' | 'timeoutMs'> {
  for (const key of ['sequence_id', 'shared_memory_region'])
    if ((parameters.get(key) ?? 0) !== 0) throw unsupported(`the parameter ${key} is not supported`);
  const priority = wholeParameter(parameters, 'priority', 'parameters');
  const timeout = wholeParameter(parameters, 'timeout', 'parameters');
  return {
    ...(priority === undefined ? {} : { priority }),
    ...(timeout === undefined || timeout === 0 ? {} : { timeoutMs: timeout / 1_000 }),
  };
}

function readId(value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value.length <= MOST_ID)) return value;
  throw invalid('id', `id is not a text of at most ${MOST_ID} characters`);
}

function readInputs(value: unknown, binary: Uint8Array): Tensor[] {
  const list = readList(value ?? [], 'inputs', MOST_TENSORS);
  if (list.length === 0) throw invalid('inputs', 'inputs is missing or empty');
  let used = 0;
  const inputs = list.map((item, i): Tensor => {
    const field = `inputs[${i}]`;
    const input = readObject(item, field);
    const name = readName(own(input, 'name'), `${field}.name`);
    const datatype = readDatatype(own(input, 'datatype'), `${field}.datatype`);
    const shape = readShape(own(input, 'shape'), `${field}.shape`);
    const size = binarySize(input, field);
    if (size === undefined) {
      const data = readJsonData(datatype, shape, own(input, 'data'), `${field}.data`);
      return { name, datatype, shape, data };
    }
    if (size > binary.byteLength - used)
      throw invalid(field, `${field} announces ${size} bytes; ${binary.byteLength - used} are left`);
    const bytes = binary.subarray(used, used + size);
    used += size;
    return { name, datatype, shape, data: readRaw(datatype, elementsOf(shape), bytes, field) };
  });
  if (used !== binary.byteLength)
    throw invalid('inputs', `${binary.byteLength - used} bytes belong to no input`);
  return inputs;
}

function binarySize(input: JsonObject, field: string): number | undefined {
  const parameters = readParameters(own(input, 'parameters'), `${field}.parameters`);
  if (parameters.has('shared_memory_region')) throw unsupported('shared memory is not supported');
  const size = wholeParameter(parameters, 'binary_data_size', `${field}.parameters`);
  if (size !== undefined && own(input, 'data') !== undefined)
    throw invalid(field, `${field} has both data and binary_data_size`);
  return size;
}

function readOutputs(value: unknown): { name: string; binary: boolean | undefined }[] {
  const seen = new Set<string>();
  return readList(value ?? [], 'outputs', MOST_TENSORS).map((item, i) => {
    const field = `outputs[${i}]`;
    const output = readObject(item, field);
    const name = readName(own(output, 'name'), `${field}.name`);
    if (seen.has(name)) throw invalid(field, `${field} names an output twice`);
    seen.add(name);
    const parameters = readParameters(own(output, 'parameters'), `${field}.parameters`);
    if ((parameters.get('classification') ?? 0) !== 0) throw unsupported('classification is not supported');
    if (parameters.has('shared_memory_region')) throw unsupported('shared memory is not supported');
    return { name, binary: booleanParameter(parameters, 'binary_data', `${field}.parameters`) };
  });
}

/**
 * The form without any JSON: the body is the only input of the model, and its one variable dimension follows from the
 * number of bytes. The answer is binary.
 *
 * @throws INPUT_INVALID when the model or the number of bytes does not allow it
 */
export function readBareInfer(path: ModelPath, metadata: ModelMetadata, body: Uint8Array): ReceivedInfer {
  const [spec, ...others] = metadata.inputs;
  if (spec === undefined || others.length > 0)
    throw invalid('inputs', 'a body without JSON needs a model with exactly one input');
  const variable = spec.shape.filter((dim) => dim < 0).length;
  if (variable > 1)
    throw invalid('inputs', 'a body without JSON needs an input with at most one variable dimension');
  const fixed = elementsOf(spec.shape.filter((dim) => dim >= 0));
  if (spec.datatype === 'BYTES') throw unsupported('BYTES need a request with JSON');
  const count = Math.floor(body.byteLength / DATATYPES[spec.datatype].size);
  const free = variable === 1 && fixed > 0 ? Math.floor(count / fixed) : 1;
  const shape = spec.shape.map((dim) => (dim < 0 ? free : dim));
  const data = readRaw(spec.datatype, elementsOf(shape), body, 'the body');
  return {
    request: { ...path, inputs: [{ name: spec.name, datatype: spec.datatype, shape, data }] },
    asBinary: () => true,
  };
}
