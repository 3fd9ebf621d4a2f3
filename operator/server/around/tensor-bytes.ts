/** What the data of some tensors takes in memory, about: what is kept or waits is bounded by it. */
import type { Tensor } from '../core/types.ts';

/** A small array of its own beside its bytes. */
const ITEM_BYTES = 64;

export function tensorBytes(tensors: readonly Pick<Tensor, 'data'>[]): number {
  let bytes = 0;
  for (const { data } of tensors)
    if (ArrayBuffer.isView(data)) bytes += data.byteLength;
    else for (const item of data) bytes += item.byteLength + ITEM_BYTES;
  return bytes;
}
