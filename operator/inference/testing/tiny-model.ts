/**
 * Hand-made ONNX files for tests, written as protobuf without a library: a model that keeps the contract by taking
 * the last value of the context and adding one offset per horizon and level, and faults put into it.
 */
import { CONTEXT_LENGTH, MODEL_HORIZON, MODEL_LEVELS } from '../../forecast/types.ts';

export type Part = Uint8Array;

function varint(value: number): Part {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

export const number = (field: number, value: number): Part =>
  Buffer.concat([varint(field * 8), varint(value)]);
export const bytes = (field: number, ...parts: readonly Part[]): Part => {
  const payload = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(payload.length), payload]);
};
export const text = (field: number, value: string): Part => bytes(field, Buffer.from(value));

export interface TinyModel {
  readonly offset?: number;
  /** Elements of the offsets that are NaN. */
  readonly nan?: boolean;
  readonly opset?: number;
  readonly contextName?: string;
  readonly outputName?: string;
  readonly contextType?: number;
  readonly contextDims?: readonly (number | string)[];
  readonly metadata?: Readonly<Record<string, string | undefined>>;
  readonly domain?: string;
  readonly external?: boolean;
  /** A loop of 2^40 rounds in front of the answer. */
  readonly endless?: boolean;
  /** Asks for a tensor of this many floats, so the child runs out of memory when it runs. */
  readonly blowUp?: number;
}

const METADATA = {
  'foresail.name': 'tiny',
  'foresail.version': '1',
  'foresail.context_length': String(CONTEXT_LENGTH),
  'foresail.horizon': String(MODEL_HORIZON),
  'foresail.quantile_levels': JSON.stringify(MODEL_LEVELS),
  'foresail.season_lags_days': '[1, 2, 7, 14]',
  'foresail.season_window': '64',
};

export function valueInfo(
  field: number,
  name: string,
  type: number,
  dims: readonly (number | string)[],
): Part {
  const shape = bytes(
    2,
    ...dims.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : text(2, dim))),
  );
  return bytes(field, text(1, name), bytes(2, bytes(1, number(1, type), shape)));
}

export function tensor(
  field: number,
  name: string,
  dims: readonly number[],
  type: number,
  raw: Part,
  extra: Part[] = [],
): Part {
  return bytes(
    field,
    ...dims.map((d) => number(1, d)),
    number(2, type),
    text(8, name),
    bytes(9, raw),
    ...extra,
  );
}

export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...rest: readonly Part[]
): Part {
  return bytes(1, ...inputs.map((i) => text(1, i)), ...outputs.map((o) => text(2, o)), text(4, op), ...rest);
}

export function int64s(...values: readonly number[]): Part {
  const buffer = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => buffer.writeBigInt64LE(BigInt(value), 8 * i));
  return buffer;
}

/** Endless: Loop(2^40, true) whose body hands its condition through. */
function endlessLoop(): Part[] {
  const body = Buffer.concat([
    node('Identity', ['go'], ['go_on']),
    text(2, 'body'),
    valueInfo(11, 'round', 7, []),
    valueInfo(11, 'go', 9, []),
    valueInfo(12, 'go_on', 9, []),
    node('Identity', ['carried'], ['carried_on']),
    valueInfo(11, 'carried', 1, ['n', 1]),
    valueInfo(12, 'carried_on', 1, ['n', 1]),
  ]);
  return [
    node(
      'Loop',
      ['rounds', 'yes', 'last'],
      ['looped'],
      bytes(5, text(1, 'body'), bytes(6, body), number(20, 5)),
    ),
    tensor(5, 'rounds', [], 7, int64s(2 ** 40)),
    tensor(5, 'yes', [], 9, Uint8Array.of(1)),
  ];
}

export function tinyModel(options: TinyModel = {}): Buffer {
  const {
    offset = 1,
    contextName = 'context',
    outputName = 'quantiles',
    contextType = 1,
    opset = 18,
  } = options;
  const size = MODEL_HORIZON * MODEL_LEVELS.length;
  const offsets = Float32Array.from({ length: size }, (_, i) =>
    options.nan === true ? Number.NaN : offset + (i % MODEL_LEVELS.length) / 10,
  );
  const looped = options.endless === true;
  const blown = options.blowUp !== undefined;
  const graph = bytes(
    7,
    // last = context[:, 511:512]; plus offsets, as [batch, 64, 13]
    node('Slice', [contextName, 'from', 'to', 'axis'], ['last']),
    ...(looped ? endlessLoop() : []),
    ...(blown
      ? [
          tensor(5, 'huge', [1], 7, int64s(options.blowUp ?? 0)),
          node('ConstantOfShape', ['huge'], ['zeros']),
          tensor(5, 'zero_axis', [1], 7, int64s(0)),
          node('ReduceSum', ['zeros', 'zero_axis'], ['nothing']),
          node('Add', ['last', 'nothing'], ['fuller']),
        ]
      : []),
    node(
      'Add',
      [blown ? 'fuller' : looped ? 'looped' : 'last', 'offsets'],
      ['flat'],
      ...(options.domain === undefined ? [] : [text(7, options.domain)]),
    ),
    node('Reshape', ['flat', 'shape'], ['shaped']),
    // The seasons are used, or the runtime would drop the input.
    node('ReduceSum', ['seasonal', 'both'], ['season_sum']),
    node('Sub', ['season_sum', 'season_sum'], ['maybe_nan']),
    node('IsNaN', ['maybe_nan'], ['is_nan']),
    node('Cast', ['is_nan'], ['flag'], bytes(5, text(1, 'to'), number(3, 1), number(20, 2))),
    node('Mul', ['flag', 'none'], ['zero']),
    node('Add', ['shaped', 'zero'], [outputName]),
    text(2, 'tiny'),
    tensor(5, 'from', [1], 7, int64s(CONTEXT_LENGTH - 1)),
    tensor(5, 'to', [1], 7, int64s(CONTEXT_LENGTH)),
    tensor(5, 'axis', [1], 7, int64s(1)),
    tensor(5, 'both', [2], 7, int64s(1, 2)),
    tensor(5, 'shape', [3], 7, int64s(-1, MODEL_HORIZON, MODEL_LEVELS.length)),
    tensor(5, 'none', [1, 1, 1], 1, new Uint8Array(4)),
    tensor(
      5,
      'offsets',
      [1, size],
      1,
      new Uint8Array(offsets.buffer),
      options.external === true
        ? [number(14, 1), bytes(13, text(1, 'location'), text(2, '/etc/passwd'))]
        : [],
    ),
    valueInfo(11, contextName, contextType, options.contextDims ?? ['batch', CONTEXT_LENGTH]),
    valueInfo(11, 'seasonal', 1, ['batch', 4, 128]),
    valueInfo(12, outputName, 1, ['batch', MODEL_HORIZON, MODEL_LEVELS.length]),
  );
  const metadata = Object.entries({ ...METADATA, ...options.metadata })
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .map(([key, value]) => bytes(14, text(1, key), text(2, value)));
  return Buffer.concat([number(1, 10), bytes(8, text(1, ''), number(2, opset)), graph, ...metadata]);
}
