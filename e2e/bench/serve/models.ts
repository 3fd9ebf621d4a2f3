/** The models that are served: the box forecaster and two perceptrons of fixed seed, in one repository for everybody. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bytes,
  node,
  number,
  tensor,
  text,
  valueInfo,
} from '../../../operator/inference/testing/tiny-model.ts';
import { normal, type Random, seededRandom } from '../../../operator/simulate/generated.ts';

export interface Input {
  readonly name: string;
  /** Without the batch dimension. */
  readonly dims: readonly number[];
}

export interface BenchModel {
  readonly name: string;
  readonly title: string;
  readonly inputs: readonly Input[];
  readonly write: (path: string) => void;
}

const BOX = new URL('../../../models/loadcast/loadcast.onnx', import.meta.url);
const FLOAT = 1;
const OPSET = 18;

export const MODELS: readonly BenchModel[] = [
  {
    name: 'loadcast',
    title: 'box forecaster',
    inputs: [
      { name: 'context', dims: [512] },
      { name: 'seasonal', dims: [4, 128] },
    ],
    write: (path) => copyFileSync(BOX, path),
  },
  perceptron('mlp8k', 'MLP of 8 K parameters', [96, 48, 48, 24], 1),
  perceptron('mlp9m', 'MLP of 9 M parameters', [512, 2048, 2048, 1536, 540], 2),
];

export function elementsOf({ dims }: Input): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** `<folder>/<model>/1/model.onnx` */
export function writeRepository(folder: string): void {
  for (const { name, write } of MODELS) {
    mkdirSync(join(folder, name, '1'), { recursive: true });
    write(join(folder, name, '1', 'model.onnx'));
  }
}

function perceptron(name: string, title: string, widths: readonly number[], seed: number): BenchModel {
  const [width = 0] = widths;
  return {
    name,
    title,
    inputs: [{ name: 'x', dims: [width] }],
    write: (path) => writeFileSync(path, perceptronFile(widths, seededRandom(seed))),
  };
}

/** Layers x·W + b with ReLU between them; weights are normal, scaled by He so that values keep their size. */
function perceptronFile(widths: readonly number[], random: Random): Buffer {
  const layers = widths
    .slice(1)
    .map((to, i) => ({ from: widths[i] ?? 0, to, last: i === widths.length - 2 }));
  const parts = layers.flatMap(({ from, to, last }, i) => {
    const into = last ? 'y' : `h${i}`;
    const sum = last ? 'y' : `s${i}`;
    const scale = Math.sqrt(2 / from);
    return [
      node('Gemm', [i === 0 ? 'x' : `h${i - 1}`, `w${i}`, `b${i}`], [sum]),
      ...(last ? [] : [node('Relu', [sum], [into])]),
      tensor(
        5,
        `w${i}`,
        [from, to],
        FLOAT,
        floats(from * to, () => scale * normal(random)),
      ),
      tensor(
        5,
        `b${i}`,
        [to],
        FLOAT,
        floats(to, () => 0.01 * normal(random)),
      ),
    ];
  });
  const graph = [
    ...parts,
    text(2, 'perceptron'),
    valueInfo(11, 'x', FLOAT, ['batch', widths[0] ?? 0]),
    valueInfo(12, 'y', FLOAT, ['batch', widths.at(-1) ?? 0]),
  ];
  return Buffer.concat([number(1, 8), bytes(7, ...graph), bytes(8, text(1, ''), number(2, OPSET))]);
}

function floats(count: number, next: () => number): Uint8Array {
  return new Uint8Array(Float32Array.from({ length: count }, next).buffer);
}
