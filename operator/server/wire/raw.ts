/**
 * Tensor bytes as they travel: little-endian, row-major, without padding; an element of BYTES is its length in four
 * bytes and then its content. The same form serves HTTP's binary extension and gRPC's raw contents.
 */
import { invalid } from '../core/errors.ts';
import { DATATYPES, splitBytes, viewOf } from '../core/tensors.ts';
import type { Datatype, TensorData } from '../core/types.ts';

/**
 * @param count elements that the shape asks for
 * @param bytes used in place where it is aligned, else copied
 * @throws INPUT_INVALID when the bytes are not exactly `count` elements
 */
export function readRaw(datatype: Datatype, count: number, bytes: Uint8Array, field: string): TensorData {
  if (datatype === 'BYTES') {
    // Each element takes four bytes at least; a shape of billions must not be believed before its bytes are there.
    const elements = count * 4 > bytes.byteLength ? undefined : splitBytes(bytes, count);
    if (elements !== undefined) return elements;
    throw invalid(field, `${field}: the lengths in its bytes do not add up to ${count} elements`);
  }
  const { size } = DATATYPES[datatype];
  if (bytes.byteLength !== count * size)
    throw invalid(field, `${field} has ${bytes.byteLength} bytes of data; its shape needs ${count * size}`);
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return viewOf(datatype, aligned.buffer, aligned.byteOffset, count);
}
