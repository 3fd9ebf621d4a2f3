/**
 * Tensor data as JSON. Flat or nested lists are read, the shape has the last word. JSON has neither NaN nor infinity:
 * an unknown value of a floating type is `null` in both directions, infinity travels as bytes only.
 */
import { invalid } from '../core/errors.ts';
import { DATATYPES, elementsOf, viewOf } from '../core/tensors.ts';
import type { Datatype, Tensor, TensorData } from '../core/types.ts';
import { floatsText } from './float-text.ts';

const INTEGER_RANGES = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
} as const;
const BIG_RANGES = {
  UINT64: [0n, 2n ** 64n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;

/** @throws INPUT_INVALID that names the element */
export function readJsonData(
  datatype: Datatype,
  shape: readonly number[],
  value: unknown,
  field: string,
): TensorData {
  if (!Array.isArray(value)) throw invalid(field, `${field} is not a list`);
  const count = elementsOf(shape);
  const values = Array.isArray(value[0]) ? flatten(value, shape, count, field) : (value as unknown[]);
  if (values.length !== count)
    throw invalid(field, `${field} has ${values.length} elements; its shape needs ${count}`);
  switch (datatype) {
    case 'FP32':
      return readFloats(new Float32Array(count), values, field);
    case 'FP64':
      return readFloats(new Float64Array(count), values, field);
    case 'FP16':
      throw invalid(field, `${field}: FP16 has no JSON form; send it as binary data`);
    case 'BYTES':
      return values.map((item, i) => {
        if (typeof item !== 'string') throw wrong(field, i, 'a string');
        return Buffer.from(item, 'utf8');
      });
    case 'BOOL':
      return Uint8Array.from(values, (item, i) => {
        if (typeof item !== 'boolean') throw wrong(field, i, 'true or false');
        return item ? 1 : 0;
      });
    case 'UINT64':
    case 'INT64':
      return readBigIntegers(datatype, values, field);
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return readIntegers(datatype, values, field);
  }
}

/** Nested lists have to mirror the shape: a ragged one with the right count is a mistake, not a tensor. */
function flatten(value: unknown, shape: readonly number[], count: number, field: string): unknown[] {
  const flat: unknown[] = [];
  const walk = (item: unknown, level: number): void => {
    if (level === shape.length) {
      flat.push(item);
      return;
    }
    if (!Array.isArray(item) || item.length !== shape[level])
      throw invalid(field, `${field} is nested unlike its shape [${shape.join(', ')}]`);
    for (const part of item as unknown[]) walk(part, level + 1);
  };
  // A zero among the dimensions ends every path above it, so the walk is bounded by what was sent.
  if (count > 0) walk(value, 0);
  return flat;
}

function readFloats<T extends Float32Array | Float64Array>(
  into: T,
  values: readonly unknown[],
  field: string,
): T {
  for (let i = 0; i < values.length; i++) {
    const item = values[i];
    if (typeof item === 'number') {
      into[i] = item;
      // Too large for the type, or written as 1e400: no number a caller could have meant.
      if (!Number.isFinite(into[i])) throw wrong(field, i, 'inside the range of its datatype');
    } else if (item === null) into[i] = Number.NaN;
    else throw wrong(field, i, 'a number');
  }
  return into;
}

function readIntegers(
  datatype: keyof typeof INTEGER_RANGES,
  values: readonly unknown[],
  field: string,
): TensorData {
  const [least, most] = INTEGER_RANGES[datatype];
  const into = numbersOf(datatype, values.length) as Int32Array;
  for (let i = 0; i < values.length; i++) {
    const item = values[i];
    if (typeof item !== 'number' || !Number.isInteger(item) || item < least || item > most)
      throw wrong(field, i, `a whole number from ${least} to ${most}`);
    into[i] = item;
  }
  return into;
}

function readBigIntegers(
  datatype: 'UINT64' | 'INT64',
  values: readonly unknown[],
  field: string,
): TensorData {
  const [least, most] = BIG_RANGES[datatype];
  const into = numbersOf(datatype, values.length) as BigInt64Array;
  for (let i = 0; i < values.length; i++) {
    const item = values[i];
    const whole =
      typeof item === 'bigint' ? item : Number.isSafeInteger(item) ? BigInt(item as number) : undefined;
    if (whole === undefined || whole < least || whole > most)
      throw wrong(field, i, `a whole number from ${least} to ${most}`);
    into[i] = whole;
  }
  return into;
}

function numbersOf(datatype: Exclude<Datatype, 'BYTES'>, count: number) {
  return viewOf(datatype, new ArrayBuffer(count * DATATYPES[datatype].size), 0, count);
}

function wrong(field: string, index: number, wanted: string) {
  return invalid(field, `${field}[${index}] is not ${wanted}`);
}

/**
 * The text of a flat JSON list.
 *
 * @throws INPUT_INVALID for what JSON cannot say: FP16, infinity, bytes that are not UTF-8
 */
export function writeJsonData({ name, datatype, data }: Tensor): string {
  const asBinary = (what: string) =>
    invalid('outputs', `output "${name}" ${what}; ask for it with binary_data`);
  if (datatype === 'FP16') throw asBinary('is FP16, which has no JSON form');
  if (datatype === 'BYTES') {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      return `[${(data as readonly Uint8Array[]).map((item) => JSON.stringify(decoder.decode(item))).join(',')}]`;
    } catch {
      throw asBinary('holds bytes that are not text');
    }
  }
  if (datatype === 'BOOL') return `[${Array.from(data as Uint8Array, (bit) => bit !== 0).join(',')}]`;
  if (datatype === 'FP32') {
    const text = floatsText(data as Float32Array);
    if (text === undefined) throw asBinary('holds infinity, which JSON cannot say');
    return text;
  }
  if (datatype !== 'FP64') return `[${(data as Int32Array).join(',')}]`;
  const text = (data as Float64Array).join(',');
  // Both rare words hold an N or an I, which no number does (the e of an exponent is small).
  if (!/[NI]/.test(text)) return `[${text}]`;
  if (text.includes('I')) throw asBinary('holds infinity, which JSON cannot say');
  return `[${text.replaceAll('NaN', 'null')}]`;
}
