/** Hand-made ONNX files for tests of the server, written as protobuf without a library. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bytes,
  int64s,
  node,
  number,
  tensor,
  text,
  valueInfo,
} from '../../../inference/testing/tiny-model.ts';
import { DATATYPES } from '../tensors.ts';

type Part = Uint8Array;
type Dim = number | string;

export function model(opset: number, ...graph: readonly Part[]): Buffer {
  return Buffer.concat([
    number(1, 8),
    bytes(8, text(1, ''), number(2, opset)),
    bytes(7, ...graph, text(2, 'g')),
  ]);
}

const FLOAT = 1;
const floats = (...values: readonly number[]): Part => new Uint8Array(Float32Array.from(values).buffer);
const x = (dims: readonly Dim[], type = FLOAT): Part => valueInfo(11, 'x', type, dims);
const y = (dims: readonly Dim[], type = FLOAT): Part => valueInfo(12, 'y', type, dims);

/** y = x + offset over [batch, width]. */
export function addModel(offset = 1, width = 4): Buffer {
  return model(
    18,
    node('Add', ['x', 'offset'], ['y']),
    tensor(5, 'offset', [1], FLOAT, floats(offset)),
    x(['batch', width]),
    y(['batch', width]),
  );
}

/** y = gelu(x + 1), by an operator that only the runtime has. */
export function runtimeOperatorModel(): Buffer {
  const domain = text(7, 'com.microsoft');
  return Buffer.concat([
    model(
      18,
      node('BiasGelu', ['x', 'bias'], ['y'], domain),
      tensor(5, 'bias', [2], FLOAT, floats(1, 1)),
      x(['batch', 2]),
      y(['batch', 2]),
    ),
    bytes(8, text(1, 'com.microsoft'), number(2, 1)),
  ]);
}

/** One input and one output per datatype, each `[batch, 2]`, named as the datatype, the output with `_out`. */
export function everyTypeModel(): Buffer {
  const types = Object.entries(DATATYPES);
  return model(
    18,
    ...types.map(([name]) => node('Identity', [name], [`${name}_out`])),
    ...types.map(([name, { onnx }]) => valueInfo(11, name, onnx, ['batch', 2])),
    ...types.map(([name, { onnx }]) => valueInfo(12, `${name}_out`, onnx, ['batch', 2])),
  );
}

/** y = x - mean over the first dimension: free, but no batch. */
export function crossRowModel(): Buffer {
  return model(
    18,
    node('ReduceMean', ['x', 'axis'], ['mean']),
    node('Sub', ['x', 'mean'], ['y']),
    tensor(5, 'axis', [1], 7, int64s(0)),
    x(['n', 2]),
    y(['n', 2]),
  );
}

/** y = log(x): finite for the warm-up's numbers above 0, NaN below. */
export function nanModel(): Buffer {
  return model(
    18,
    node('Sub', ['x', 'two'], ['below']),
    node('Log', ['below'], ['y']),
    tensor(5, 'two', [1], FLOAT, floats(2)),
    x(['batch', 2]),
    y(['batch', 2]),
  );
}

/** The file with one entry more in its metadata. */
export function withMetadata(file: Buffer, key: string, value: string): Buffer {
  return Buffer.concat([file, bytes(14, text(1, key), text(2, value))]);
}

/** y = x + noise: another answer each time. */
export function randomModel(): Buffer {
  return model(
    18,
    node('RandomUniformLike', ['x'], ['noise']),
    node('Add', ['x', 'noise'], ['y']),
    x(['batch', 2]),
    y(['batch', 2]),
  );
}

/** Picks rows of a table of three by index: an index outside fails the run. */
export function gatherModel(): Buffer {
  return model(
    18,
    node('Gather', ['table', 'x'], ['y']),
    tensor(5, 'table', [3], FLOAT, floats(10, 20, 30)),
    x(['batch', 1], 7),
    y(['batch', 1]),
  );
}

/** Multiplies [batch, width] `layers` times with a matrix of ones over width: slow on purpose, linear in rows. */
export function slowModel(layers = 20, width = 256): Buffer {
  const matrix = new Float32Array(width * width).fill(1 / width);
  const steps = Array.from({ length: layers }, (_, i) =>
    node('MatMul', [i === 0 ? 'x' : `h${i}`, 'matrix'], [i === layers - 1 ? 'y' : `h${i + 1}`]),
  );
  return model(
    18,
    ...steps,
    tensor(5, 'matrix', [width, width], FLOAT, new Uint8Array(matrix.buffer)),
    x(['batch', width]),
    y(['batch', width]),
  );
}

/** Two inputs with free inner dimensions and two outputs: sum = a + b, difference = a - b. */
export function twoInTwoOutModel(): Buffer {
  const dims = ['batch', 'length'];
  return model(
    18,
    node('Add', ['a', 'b'], ['sum']),
    node('Sub', ['a', 'b'], ['difference']),
    valueInfo(11, 'a', FLOAT, dims),
    valueInfo(11, 'b', FLOAT, dims),
    valueInfo(12, 'sum', FLOAT, dims),
    valueInfo(12, 'difference', FLOAT, dims),
  );
}

/** The smallest graph that any provider can take; the probe carries its bytes. */
export function identityProbe(): Buffer {
  return model(18, node('Identity', ['x'], ['y']), x([1]), y([1]));
}

/** Puts a version into a repository; returns the folder of the version. */
export function putVersion(
  root: string,
  name: string,
  version: string,
  file: Uint8Array,
  golden?: unknown,
): string {
  const folder = join(root, name, version);
  mkdirSync(folder, { recursive: true });
  if (golden !== undefined) writeFileSync(join(folder, 'golden.json'), JSON.stringify(golden));
  writeFileSync(join(folder, 'model.onnx'), file);
  return folder;
}
