/** Inputs to warm a model up with: the forecast contract's own probe, or made-up numbers that fit the signature. */
import { CONTEXT_LENGTH, SEASON_LAGS_DAYS, SEASON_WINDOW } from '../../../forecast/types.ts';
import { INPUT_CONTEXT } from '../../../inference/contract.ts';
import { probeInputs } from '../../../inference/runner.ts';
import type { Signature } from '../child/protocol.ts';
import { elementsOf, viewOf } from '../tensors.ts';
import type { Datatype, Tensor, TensorData, TensorSpec } from '../types.ts';

/** Sizes to try for dimensions that the model leaves open behind the first: convolutions need some room. */
const OPEN_SIZES = [1, 8, 64];

/**
 * Candidates, best first; each is one row for a batched model. A second row that differs from the first is
 * `sampleInputs(signature, 1)`.
 */
export function sampleInputs(signature: Signature, seed: number): Tensor[][] {
  if (signature.forecast !== undefined) return [forecastProbe(signature.inputs, seed)];
  const open = signature.inputs.some((spec) => spec.shape.includes(-1, 1));
  return (open ? OPEN_SIZES : [1]).map((size) =>
    signature.inputs.map((spec) => {
      const shape = spec.shape.map((dim, i) => (dim !== -1 ? dim : i === 0 ? 1 : size));
      return { ...spec, shape, data: numbers(spec.datatype, elementsOf(shape), seed) };
    }),
  );
}

/** Row 0: a ramp without seasons; row 1: a flat week. Every sound forecaster answers both with finite numbers. */
function forecastProbe(inputs: readonly TensorSpec[], row: number): Tensor[] {
  const probe = probeInputs();
  return inputs.map(({ name, datatype }) => {
    const [source, shape] =
      name === INPUT_CONTEXT
        ? [probe.context, [1, CONTEXT_LENGTH]]
        : [probe.seasonal, [1, SEASON_LAGS_DAYS.length, 2 * SEASON_WINDOW]];
    const width = elementsOf(shape);
    return { name, datatype, shape, data: source.slice(row * width, (row + 1) * width) };
  });
}

/** Floats inside [0, 1), whole numbers 0 and 1 (they may be indexes into something small), short texts. */
function numbers(datatype: Datatype, count: number, seed: number): TensorData {
  if (datatype === 'BYTES') return Array.from({ length: count }, () => Buffer.from('a'));
  const data = viewOf(datatype, new ArrayBuffer(count * 8), 0, count);
  let state = 12_345 + 7919 * seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const unit = (state >>> 8) / 2 ** 24;
    const bit = unit >= 0.5 ? 1 : 0;
    if (datatype === 'FP32' || datatype === 'FP64') data[i] = unit;
    else if (datatype === 'FP16') data[i] = bit === 1 ? 0x3800 : 0x3400;
    else if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(bit);
    else data[i] = bit;
  }
  return data;
}
