/** An answer on its own: a run's answers are views into one larger buffer, which a kept view would keep as a whole. */
import type { InferAnswer, TensorData } from '../core/types.ts';

export function ownCopy({ model, version, outputs }: InferAnswer): InferAnswer {
  return { model, version, outputs: outputs.map((tensor) => ({ ...tensor, data: copied(tensor.data) })) };
}

function copied(data: TensorData): TensorData {
  return ArrayBuffer.isView(data)
    ? (data as Float32Array).slice()
    : (data as readonly Uint8Array[]).map((item) => Uint8Array.from(item));
}
