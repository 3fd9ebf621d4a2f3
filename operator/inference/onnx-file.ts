/**
 * Reads what an ONNX file says about itself without running it: metadata (which onnxruntime-node does not hand out),
 * inputs and outputs, and what we refuse before a native parser sees it: tensors kept in other files and operators
 * from outside. Plain protobuf wire format (protobuf.dev/programming-guides/encoding, onnx.proto3); every length is
 * checked against the bytes that are there, depth and number of fields are bounded, nothing is copied but names.
 */
import { ForesailError } from '../errors.ts';
import type { QuarantineReason } from './types.ts';

export interface TensorShape {
  readonly name: string;
  /** ONNX TensorProto.DataType; 1 = float32. */
  readonly elementType: number;
  /** -1 for a dimension that is named or unknown. */
  readonly dims: readonly number[];
}

export interface OnnxSummary {
  readonly irVersion: number;
  readonly opset: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly TensorShape[];
  readonly outputs: readonly TensorShape[];
  /** It draws random numbers: the same input has not always the same answer. */
  readonly random: boolean;
}

const MAX_DEPTH = 32;
const MAX_FIELDS = 2_000_000;
const MAX_TEXT = 64 * 1024;
const RANDOM_OPERATORS = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);
const OWN_DOMAINS = new Set(['', 'ai.onnx', 'ai.onnx.ml']);

export function refuse(reason: QuarantineReason, message: string): ForesailError {
  return new ForesailError('MODEL_INVALID', 'terminal', message, { subject: reason });
}

interface Field {
  readonly number: number;
  readonly wire: number;
  /** Varint value (wire 0); lengths and 32/64-bit fields have none. */
  readonly value: number;
  /** Payload bounds (wire 2). */
  readonly start: number;
  readonly end: number;
}

class Reader {
  readonly bytes: Uint8Array;
  /** Where operators may come from. */
  readonly domains: ReadonlySet<string>;
  /** Set on the way through the nodes. */
  random = false;
  #fields = 0;

  constructor(bytes: Uint8Array, domains: ReadonlySet<string>) {
    this.bytes = bytes;
    this.domains = domains;
  }

  *fields(start: number, end: number, depth: number): Iterable<Field> {
    if (depth > MAX_DEPTH) throw refuse('NotOnnx', 'the graph is nested too deeply');
    let at = start;
    while (at < end) {
      if (++this.#fields > MAX_FIELDS) throw refuse('TooLarge', 'the file has too many parts');
      const tag = this.#varint(at, end);
      at = tag.next;
      const number = Math.floor(tag.value / 8);
      const wire = tag.value % 8;
      if (number === 0) throw refuse('NotOnnx', 'the file is not an ONNX model');
      if (wire === 0) {
        const { value, next } = this.#varint(at, end);
        yield { number, wire, value, start: at, end: next };
        at = next;
      } else if (wire === 2) {
        const { value, next } = this.#varint(at, end);
        if (value > end - next) throw refuse('Truncated', 'a part of the file is longer than the file');
        yield { number, wire, value: 0, start: next, end: next + value };
        at = next + value;
      } else if (wire === 1 || wire === 5) {
        const size = wire === 1 ? 8 : 4;
        if (size > end - at) throw refuse('Truncated', 'the file ends inside a number');
        yield { number, wire, value: 0, start: at, end: at + size };
        at += size;
      } else {
        throw refuse('NotOnnx', 'the file is not an ONNX model');
      }
    }
  }

  text(field: Field): string {
    if (field.wire !== 2 || field.end - field.start > MAX_TEXT)
      throw refuse('NotOnnx', 'a name is not a text');
    return Buffer.from(
      this.bytes.buffer,
      this.bytes.byteOffset + field.start,
      field.end - field.start,
    ).toString('utf8');
  }

  /** Values above 2^53 lose digits; only "large" matters there. Ten bytes is the longest. */
  #varint(start: number, end: number): { value: number; next: number } {
    let value = 0;
    let factor = 1;
    for (let at = start; at < end && at < start + 10; at++) {
      const byte = this.bytes[at] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return { value, next: at + 1 };
      factor *= 128;
    }
    throw end - start < 10
      ? refuse('Truncated', 'the file ends inside a number')
      : refuse('NotOnnx', 'a number is too long');
  }
}

/**
 * @param moreDomains operators that the runtime has built in besides the standard's
 * @throws MODEL_INVALID, its subject being the QuarantineReason
 */
export function summarise(bytes: Uint8Array, moreDomains: readonly string[] = []): OnnxSummary {
  if (bytes.length === 0) throw refuse('Empty', 'the file is empty');
  const reader = new Reader(bytes, new Set([...OWN_DOMAINS, ...moreDomains]));
  const metadata = new Map<string, string>();
  let irVersion = 0;
  let opset = 0;
  let graph: Field | undefined;
  for (const field of reader.fields(0, bytes.length, 0)) {
    if (field.number === 1 && field.wire === 0) irVersion = field.value;
    else if (field.number === 7 && field.wire === 2) graph = field;
    else if (field.number === 8 && field.wire === 2) opset = Math.max(opset, readOpset(reader, field));
    else if (field.number === 14 && field.wire === 2) {
      const [key, value] = readPair(reader, field);
      metadata.set(key, value);
    } else if (field.number === 25 && field.wire === 2) {
      throw refuse('CustomOperator', 'the model defines functions of its own');
    }
  }
  if (irVersion === 0 || opset === 0 || graph === undefined)
    throw refuse('NotOnnx', 'the file is not an ONNX model');
  const shapes = readGraph(reader, graph, 1);
  return { irVersion, opset, metadata, ...shapes, random: reader.random };
}

function readOpset(reader: Reader, field: Field): number {
  let domain = '';
  let version = 0;
  for (const part of reader.fields(field.start, field.end, 1)) {
    if (part.number === 1) domain = reader.text(part);
    if (part.number === 2) version = part.value;
  }
  if (!reader.domains.has(domain))
    throw refuse('CustomOperator', 'the model asks for operators of another domain');
  return domain === '' || domain === 'ai.onnx' ? version : 0;
}

function readPair(reader: Reader, field: Field): [string, string] {
  let key = '';
  let value = '';
  for (const part of reader.fields(field.start, field.end, 1)) {
    if (part.number === 1) key = reader.text(part);
    if (part.number === 2) value = reader.text(part);
  }
  return [key, value];
}

function readGraph(
  reader: Reader,
  graph: Field,
  depth: number,
): { inputs: TensorShape[]; outputs: TensorShape[] } {
  const inputs: TensorShape[] = [];
  const outputs: TensorShape[] = [];
  for (const field of reader.fields(graph.start, graph.end, depth)) {
    if (field.wire !== 2) continue;
    if (field.number === 1) checkNode(reader, field, depth + 1);
    else if (field.number === 5) checkTensor(reader, field, depth + 1);
    else if (field.number === 11) inputs.push(readValueInfo(reader, field, depth + 1));
    else if (field.number === 12) outputs.push(readValueInfo(reader, field, depth + 1));
    else if (field.number === 15) {
      for (const part of reader.fields(field.start, field.end, depth + 1)) {
        if (part.wire === 2 && part.number <= 2) checkTensor(reader, part, depth + 2);
      }
    }
  }
  return { inputs, outputs };
}

function checkNode(reader: Reader, node: Field, depth: number): void {
  for (const field of reader.fields(node.start, node.end, depth)) {
    if (field.number === 7 && !reader.domains.has(reader.text(field))) {
      throw refuse('CustomOperator', 'the model uses an operator of another domain');
    }
    if (field.number === 4 && RANDOM_OPERATORS.has(reader.text(field))) reader.random = true;
    if (field.number !== 5 || field.wire !== 2) continue;
    for (const part of reader.fields(field.start, field.end, depth + 1)) {
      if (part.wire !== 2) continue;
      if (part.number === 5 || part.number === 10) checkTensor(reader, part, depth + 2);
      if (part.number === 6 || part.number === 11) readGraph(reader, part, depth + 2);
    }
  }
}

function checkTensor(reader: Reader, tensor: Field, depth: number): void {
  for (const field of reader.fields(tensor.start, tensor.end, depth)) {
    if ((field.number === 14 && field.value === 1) || field.number === 13) {
      throw refuse('ExternalData', 'the model keeps tensors in another file');
    }
  }
}

function readValueInfo(reader: Reader, info: Field, depth: number): TensorShape {
  let name = '';
  let elementType = 0;
  const dims: number[] = [];
  for (const field of reader.fields(info.start, info.end, depth)) {
    if (field.number === 1) name = reader.text(field);
    if (field.number !== 2 || field.wire !== 2) continue;
    for (const type of reader.fields(field.start, field.end, depth + 1)) {
      if (type.number !== 1 || type.wire !== 2) continue;
      for (const part of reader.fields(type.start, type.end, depth + 2)) {
        if (part.number === 1) elementType = part.value;
        if (part.number === 2 && part.wire === 2) dims.push(...readDims(reader, part, depth + 3));
      }
    }
  }
  return { name, elementType, dims };
}

function readDims(reader: Reader, shape: Field, depth: number): number[] {
  const dims: number[] = [];
  for (const field of reader.fields(shape.start, shape.end, depth)) {
    if (field.number !== 1 || field.wire !== 2) continue;
    let size = -1;
    for (const part of reader.fields(field.start, field.end, depth + 1)) {
      if (part.number === 1 && part.wire === 0) size = part.value;
    }
    dims.push(size);
  }
  return dims;
}
