/**
 * Tensors as bytes between server and child. They go by their place in the model's signature, not by name:
 * `[u32 count][u32 0]`, per tensor `[u32 index][u32 rank][u32 bytes][u32 0][u32 dims…]`, padded to eight, then the data
 * of each, padded to eight. BYTES data is `u32 length, bytes` per element.
 */
import { DATATYPES, elementsOf, rawBytes, splitBytes, viewOf } from '../tensors.ts';
import type { Datatype, TensorData } from '../types.ts';
import { padded } from './frames.ts';

export interface BlockTensor {
  readonly index: number;
  readonly shape: readonly number[];
  /** Parts that follow one another: the rows of several requests become one tensor without a copy. */
  readonly parts: readonly Uint8Array[];
}

const MAX_RANK = 16;
const MAX_TENSORS = 1024;

export function encodeBlock(tensors: readonly BlockTensor[]): Uint8Array[] {
  let words = 2;
  for (const { shape } of tensors) words += 4 + shape.length;
  const head = new Uint32Array(padded(4 * words) / 4);
  head[0] = tensors.length;
  const buffers: Uint8Array[] = [new Uint8Array(head.buffer)];
  let at = 2;
  for (const { index, shape, parts } of tensors) {
    let bytes = 0;
    for (const part of parts) {
      bytes += part.byteLength;
      buffers.push(part);
    }
    head[at] = index;
    head[at + 1] = shape.length;
    head[at + 2] = bytes;
    head.set(shape, at + 4);
    at += 4 + shape.length;
    if (bytes % 8 > 0) buffers.push(new Uint8Array(8 - (bytes % 8)));
  }
  return buffers;
}

export interface DecodedTensor {
  readonly index: number;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/**
 * Views into `payload` from `offset` on; both must be multiples of eight in memory. Undefined for nonsense: the other
 * side may be a model that took its process over.
 */
export function decodeBlock(
  payload: Uint8Array,
  offset: number,
  datatypeOf: (index: number) => Datatype | undefined,
): DecodedTensor[] | undefined {
  const end = payload.byteLength;
  if (end - offset < 8) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, end);
  const count = view.getUint32(offset, true);
  if (count > MAX_TENSORS) return undefined;
  const heads: { index: number; shape: number[]; bytes: number }[] = [];
  let at = offset + 8;
  for (let i = 0; i < count; i++) {
    if (end - at < 16) return undefined;
    const rank = view.getUint32(at + 4, true);
    if (rank > MAX_RANK || end - at < 16 + 4 * rank) return undefined;
    const shape = Array.from({ length: rank }, (_, d) => view.getUint32(at + 16 + 4 * d, true));
    heads.push({ index: view.getUint32(at, true), shape, bytes: view.getUint32(at + 8, true) });
    at += 16 + 4 * rank;
  }
  at = offset + padded(at - offset);
  const tensors: DecodedTensor[] = [];
  for (const { index, shape, bytes } of heads) {
    const datatype = datatypeOf(index);
    if (datatype === undefined || bytes > end - at) return undefined;
    const data = dataOf(datatype, payload.subarray(at, at + bytes), elementsOf(shape));
    if (data === undefined) return undefined;
    tensors.push({ index, shape, data });
    at += padded(bytes);
  }
  return tensors;
}

function dataOf(datatype: Datatype, raw: Uint8Array, count: number): TensorData | undefined {
  if (datatype === 'BYTES') return count > raw.byteLength ? undefined : splitBytes(raw, count);
  if (raw.byteLength !== count * DATATYPES[datatype].size) return undefined;
  return viewOf(datatype, raw.buffer, raw.byteOffset, count);
}

/** One tensor in one part. */
export function blockTensor(index: number, shape: readonly number[], data: TensorData): BlockTensor {
  return { index, shape, parts: [rawBytes(data)] };
}
