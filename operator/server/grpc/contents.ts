/** Tensor data in the typed lists of the protocol: one list for each family of datatypes. */
import { invalid } from '../core/errors.ts';
import type { Datatype, Tensor, TensorData } from '../core/types.ts';
import { readJsonData } from '../wire/json-data.ts';
import type { InferTensorContents } from './messages.ts';

const LISTS: Readonly<Record<Exclude<Datatype, 'FP16'>, keyof InferTensorContents>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

/** @throws INPUT_INVALID */
export function readContents(
  datatype: Datatype,
  shape: readonly number[],
  count: number,
  contents: InferTensorContents = {},
  field: string,
): TensorData {
  if (datatype === 'FP16') throw invalid(field, `${field}: FP16 travels in raw_input_contents only`);
  const list = `${field}.${LISTS[datatype]}`;
  const values = contents[LISTS[datatype]] ?? [];
  if (values.length !== count)
    throw invalid(list, `${list} has ${values.length} elements; its shape needs ${count}`);
  switch (datatype) {
    // Unlike JSON, these lists can say NaN.
    case 'FP32':
      return Float32Array.from(values as readonly number[]);
    case 'FP64':
      return Float64Array.from(values as readonly number[]);
    case 'BYTES':
      return values as readonly Uint8Array[];
    case 'INT64':
    case 'UINT64':
      return readJsonData(datatype, shape, (values as readonly string[]).map(BigInt), list);
    case 'BOOL':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
      return readJsonData(datatype, shape, values, list);
  }
}

/** Whether the datatype has a list at all. */
export function hasContents({ datatype }: Pick<Tensor, 'datatype'>): boolean {
  return datatype !== 'FP16';
}

export function writeContents({ datatype, data }: Tensor): InferTensorContents {
  if (datatype === 'FP16') return {};
  return { [LISTS[datatype]]: Array.from(data as Iterable<unknown>, forList(datatype)) };
}

function forList(datatype: Datatype): (item: unknown) => unknown {
  if (datatype === 'BOOL') return (item) => item !== 0;
  if (datatype === 'INT64' || datatype === 'UINT64') return String;
  return (item) => item;
}
