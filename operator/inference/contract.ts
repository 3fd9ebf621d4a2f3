/** What a forecasting model must look like, checked before its first run; the trainer's `contract.py` says the same. */
import { CONTEXT_LENGTH, SEASON_LAGS_DAYS, SEASON_WINDOW } from '../forecast/types.ts';
import { type OnnxSummary, refuse, type TensorShape } from './onnx-file.ts';
import type { ModelDescriptor } from './types.ts';

export const INPUT_CONTEXT = 'context';
export const INPUT_SEASONAL = 'seasonal';
export const OUTPUT_QUANTILES = 'quantiles';

/** Newest operator set that the pinned onnxruntime-node loads. */
export const MAX_OPSET = 26;
export const MAX_MODEL_BYTES = 64 * 1024 * 1024;
const FLOAT32 = 1;
const MAX_HORIZON = 1024;
const MAX_LEVELS = 101;
type Metadata = ReadonlyMap<string, string>;

const TEXT = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;

/** @throws MODEL_INVALID, its subject being the QuarantineReason */
export function describe(summary: OnnxSummary, digest: string, bytes: number): ModelDescriptor {
  if (summary.opset > MAX_OPSET) {
    throw refuse(
      'OpsetUnsupported',
      `the model needs operator set ${summary.opset}, at most ${MAX_OPSET} is known`,
    );
  }
  const { metadata } = summary;
  const { horizon, levels } = readHead(metadata);
  const contextLength = integer(metadata, 'foresail.context_length', 1, 1 << 16);
  const seasonWindow = integer(metadata, 'foresail.season_window', 1, 1 << 16);
  const seasonLagsDays = numbers(metadata, 'foresail.season_lags_days');
  if (contextLength !== CONTEXT_LENGTH)
    throw refuse('WrongMetadata', `foresail.context_length is not ${CONTEXT_LENGTH}`);
  if (seasonWindow !== SEASON_WINDOW)
    throw refuse('WrongMetadata', `foresail.season_window is not ${SEASON_WINDOW}`);
  if (seasonLagsDays.join() !== SEASON_LAGS_DAYS.join()) {
    throw refuse('WrongMetadata', `foresail.season_lags_days is not ${SEASON_LAGS_DAYS.join()}`);
  }
  if (summary.inputs.length !== 2)
    throw refuse('WrongInputs', `the model has ${summary.inputs.length} inputs, not 2`);
  const lags = SEASON_LAGS_DAYS.length;
  expectTensor('WrongInputs', summary.inputs, INPUT_CONTEXT, [CONTEXT_LENGTH]);
  expectTensor('WrongInputs', summary.inputs, INPUT_SEASONAL, [lags, 2 * SEASON_WINDOW]);
  expectTensor('WrongOutputs', summary.outputs, OUTPUT_QUANTILES, [horizon, levels.length]);
  return {
    name: text(metadata, 'foresail.name'),
    version: text(metadata, 'foresail.version'),
    digest,
    contextLength,
    horizon,
    levels,
    seasonLagsDays,
    seasonWindow,
    bytes,
  };
}

/**
 * What a model of the contract answers, as its metadata says it: also over the wire, where the server has checked the
 * rest.
 *
 * @throws MODEL_INVALID, its subject being the QuarantineReason
 */
export function readHead(metadata: Metadata): Pick<ModelDescriptor, 'horizon' | 'levels'> {
  const horizon = integer(metadata, 'foresail.horizon', 1, MAX_HORIZON);
  const levels = numbers(metadata, 'foresail.quantile_levels');
  if (levels.length < 3 || levels.length > MAX_LEVELS || !increasing(levels)) {
    throw refuse('WrongMetadata', 'foresail.quantile_levels must increase inside (0, 1), 3 to 101 of them');
  }
  return { horizon, levels };
}

/** Dimensions after the batch; the batch itself must be free. */
function expectTensor(
  reason: 'WrongInputs' | 'WrongOutputs',
  tensors: readonly TensorShape[],
  name: string,
  dims: readonly number[],
): void {
  const tensor = tensors.find((candidate) => candidate.name === name);
  if (tensor === undefined) throw refuse(reason, `the model has no "${name}"`);
  if (tensor.elementType !== FLOAT32) throw refuse(reason, `"${name}" is not float32`);
  const [batch, ...rest] = tensor.dims;
  // An output's inner dimensions may be unknown to the exporter; the size of what comes back is checked at each run.
  const fits =
    rest.length === dims.length &&
    rest.every((d, i) => d === dims[i] || (reason === 'WrongOutputs' && d === -1));
  if (batch !== -1 || !fits) throw refuse(reason, `"${name}" is not [batch, ${dims.join(', ')}]`);
}

function text(metadata: Metadata, key: string): string {
  const value = metadata.get(key) ?? '';
  if (!TEXT.test(value)) throw refuse('WrongMetadata', `${key} is missing or not a plain name`);
  return value;
}

function integer(metadata: Metadata, key: string, least: number, most: number): number {
  const value = metadata.get(key) ?? '';
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most))
    throw refuse('WrongMetadata', `${key} is not between ${least} and ${most}`);
  return number;
}

function numbers(metadata: Metadata, key: string): number[] {
  let list: unknown;
  try {
    list = JSON.parse(metadata.get(key) ?? '');
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'number')) {
    throw refuse('WrongMetadata', `${key} is not a list of numbers`);
  }
  return list;
}

function increasing(levels: readonly number[]): boolean {
  return levels.every((level, i) => level > (i === 0 ? 0 : (levels[i - 1] ?? 1)) && level < 1);
}
