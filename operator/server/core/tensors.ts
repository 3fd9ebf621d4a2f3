/** Datatypes of the Open Inference Protocol, their bytes, and the check of a request against a model's signature. */
import { isUtf8 } from 'node:buffer';
import { invalid, shown } from './errors.ts';
import type { Datatype, InferRequest, Tensor, TensorData, TensorSpec } from './types.ts';

interface DatatypeInfo {
  /** Bytes per element; 0 = variable (BYTES). */
  readonly size: number;
  /** ONNX TensorProto.DataType, onnxruntime's name for it. */
  readonly onnx: number;
  readonly ort: string;
}

export const DATATYPES: Readonly<Record<Datatype, DatatypeInfo>> = {
  BOOL: { size: 1, onnx: 9, ort: 'bool' },
  UINT8: { size: 1, onnx: 2, ort: 'uint8' },
  UINT16: { size: 2, onnx: 4, ort: 'uint16' },
  UINT32: { size: 4, onnx: 12, ort: 'uint32' },
  UINT64: { size: 8, onnx: 13, ort: 'uint64' },
  INT8: { size: 1, onnx: 3, ort: 'int8' },
  INT16: { size: 2, onnx: 5, ort: 'int16' },
  INT32: { size: 4, onnx: 6, ort: 'int32' },
  INT64: { size: 8, onnx: 7, ort: 'int64' },
  FP16: { size: 2, onnx: 10, ort: 'float16' },
  FP32: { size: 4, onnx: 1, ort: 'float32' },
  FP64: { size: 8, onnx: 11, ort: 'float64' },
  BYTES: { size: 0, onnx: 8, ort: 'string' },
};

const BY_ONNX = new Map(
  Object.entries(DATATYPES).map(([datatype, info]) => [info.onnx, datatype as Datatype] as const),
);

export function datatypeOfOnnx(type: number): Datatype | undefined {
  return BY_ONNX.get(type);
}

export function elementsOf(shape: readonly number[]): number {
  let product = 1;
  for (const dim of shape) product *= dim;
  return product;
}

/** Numbers as they lie in memory; every platform we run on is little-endian, as the wire is. */
export function viewOf(
  datatype: Exclude<Datatype, 'BYTES'>,
  buffer: ArrayBufferLike,
  offset: number,
  count: number,
): Exclude<TensorData, readonly Uint8Array[]> {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return new Uint8Array(buffer, offset, count);
    case 'UINT16':
    case 'FP16':
      return new Uint16Array(buffer, offset, count);
    case 'UINT32':
      return new Uint32Array(buffer, offset, count);
    case 'UINT64':
      return new BigUint64Array(buffer, offset, count);
    case 'INT8':
      return new Int8Array(buffer, offset, count);
    case 'INT16':
      return new Int16Array(buffer, offset, count);
    case 'INT32':
      return new Int32Array(buffer, offset, count);
    case 'INT64':
      return new BigInt64Array(buffer, offset, count);
    case 'FP32':
      return new Float32Array(buffer, offset, count);
    case 'FP64':
      return new Float64Array(buffer, offset, count);
  }
}

/** The bytes of tensor data without a copy; BYTES as `u32 length, bytes` per element (with a copy). */
export function rawBytes(data: TensorData): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const total = data.reduce((sum, item) => sum + 4 + item.byteLength, 0);
  const joined = Buffer.allocUnsafe(total);
  let at = 0;
  for (const item of data) {
    at = joined.writeUInt32LE(item.byteLength, at);
    joined.set(item, at);
    at += item.byteLength;
  }
  return joined;
}

/** Elements of a BYTES tensor, or undefined when the lengths do not add up. */
export function splitBytes(raw: Uint8Array, count: number): Uint8Array[] | undefined {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const items: Uint8Array[] = [];
  let at = 0;
  while (items.length < count) {
    if (raw.byteLength - at < 4) return undefined;
    const length = view.getUint32(at, true);
    at += 4;
    if (length > raw.byteLength - at) return undefined;
    items.push(raw.subarray(at, at + length));
    at += length;
  }
  return at === raw.byteLength ? items : undefined;
}

/** Rows `[from, to)` of data whose first dimension has `rows`; a view, no copy. */
export function rowsOf(data: TensorData, rows: number, from: number, to: number): TensorData {
  const width = data.length / rows;
  return ArrayBuffer.isView(data)
    ? data.subarray(from * width, to * width)
    : data.slice(from * width, to * width);
}

export interface CheckedInputs {
  /** In the order of the signature. */
  readonly inputs: readonly Tensor[];
  /** Indexes into the outputs, in the order that the request gave; undefined = all. */
  readonly outputs: readonly number[] | undefined;
}

/**
 * A run that fails inside onnxruntime leaks memory there, so nothing that cannot fit reaches it.
 * @throws INPUT_INVALID, its subject naming the field
 */
export function checkInputs(
  request: Pick<InferRequest, 'inputs' | 'outputs'>,
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
): CheckedInputs {
  if (request.inputs.length !== inputs.length) {
    const names = inputs.map((spec) => `"${spec.name}"`).join(', ');
    throw invalid('inputs', `${request.inputs.length} inputs, the model takes ${inputs.length}: ${names}`);
  }
  const ordered = inputs.map((spec) => {
    const tensor = request.inputs.find((candidate) => candidate.name === spec.name);
    if (tensor === undefined) throw invalid('inputs', `the input "${spec.name}" is missing`);
    checkTensor(tensor, spec);
    return tensor;
  });
  return { inputs: ordered, outputs: outputIndexes(request.outputs ?? [], outputs) };
}

function outputIndexes(
  names: readonly string[],
  outputs: readonly TensorSpec[],
): readonly number[] | undefined {
  if (names.length === 0) return undefined;
  if (new Set(names).size !== names.length) throw invalid('outputs', 'an output is named twice');
  return names.map((name) => {
    const index = outputs.findIndex((spec) => spec.name === name);
    if (index < 0) throw invalid('outputs', `the model has no output "${shown(name)}"`);
    return index;
  });
}

function checkTensor(tensor: Tensor, spec: TensorSpec): void {
  const field = `inputs.${spec.name}`;
  if (tensor.datatype !== spec.datatype) {
    throw invalid(`${field}.datatype`, `"${spec.name}" is ${spec.datatype}, not ${tensor.datatype}`);
  }
  const { shape, data } = tensor;
  if (!fits(shape, spec.shape)) {
    const [got, wanted] = [shape.join(', '), spec.shape.join(', ')];
    throw invalid(`${field}.shape`, `"${spec.name}" has the shape [${wanted}], not [${got}]`);
  }
  const count = elementsOf(shape);
  if (data.length !== count) {
    throw invalid(`${field}.data`, `"${spec.name}" has ${data.length} elements, its shape says ${count}`);
  }
  if (tensor.datatype === 'BYTES') {
    if (ArrayBuffer.isView(data) || !data.every((item) => isUtf8(item))) {
      throw invalid(`${field}.data`, `"${spec.name}" is not a list of UTF-8 texts`);
    }
  } else if (!ArrayBuffer.isView(data) || !sameKind(data, tensor.datatype)) {
    throw invalid(`${field}.data`, `the data of "${spec.name}" is not ${tensor.datatype}`);
  } else if (tensor.datatype === 'BOOL' && (data as Uint8Array).some((value) => value > 1)) {
    throw invalid(`${field}.data`, `"${spec.name}" has values that are neither 0 nor 1`);
  }
}

/** A model that gives no shape (or a scalar: the runtime does not tell them apart) takes what comes. */
function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return false;
  if (wanted.length === 0) return true;
  return (
    shape.length === wanted.length &&
    shape.every((dim, i) => wanted[i] === -1 || wanted[i] === dim) &&
    shape[0] !== 0
  );
}

const KIND: Readonly<Record<Exclude<Datatype, 'BYTES'>, string>> = {
  BOOL: 'Uint8Array',
  UINT8: 'Uint8Array',
  UINT16: 'Uint16Array',
  UINT32: 'Uint32Array',
  UINT64: 'BigUint64Array',
  INT8: 'Int8Array',
  INT16: 'Int16Array',
  INT32: 'Int32Array',
  INT64: 'BigInt64Array',
  FP16: 'Uint16Array',
  FP32: 'Float32Array',
  FP64: 'Float64Array',
};

/** By tag, not by instanceof: a Buffer is a Uint8Array, and another realm's array is an array too. */
function sameKind(data: ArrayBufferView, datatype: Exclude<Datatype, 'BYTES'>): boolean {
  return Object.prototype.toString.call(data) === `[object ${KIND[datatype]}]`;
}
