/**
 * Golden vectors: questions with known answers that lie beside the model as `golden.json`, or, where a file travels
 * alone, in its own metadata. Two forms are read: tensors
 * in the Open Inference Protocol's JSON form for any model, and the trainer's form for forecasters (context, seasonal, and
 * the quantiles of some steps). They also serve as inputs for the warm-up, where made-up numbers would not do.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CONTEXT_LENGTH, SEASON_LAGS_DAYS, SEASON_WINDOW } from '../../../forecast/types.ts';
import { INPUT_CONTEXT, INPUT_SEASONAL, OUTPUT_QUANTILES } from '../../../inference/contract.ts';
import type { Signature } from '../child/protocol.ts';
import { refused } from '../errors.ts';
import { checkInputs, elementsOf, viewOf } from '../tensors.ts';
import type { Datatype, Tensor, TensorData, TensorSpec } from '../types.ts';

export interface GoldenCase {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly expected: readonly GoldenOutput[];
}

export interface GoldenOutput {
  readonly name: string;
  /** Undefined: the shape is not compared. */
  readonly shape: readonly number[] | undefined;
  /** Where the values stand in the flat output; undefined: all of it, in order. */
  readonly at: readonly number[] | undefined;
  /** null = NaN. */
  readonly values: readonly (number | string | null)[];
}

export interface Golden {
  /** |got - wanted| <= tolerance * max(1e-9, largest |number| among inputs and wanted). */
  readonly tolerance: number;
  readonly cases: readonly GoldenCase[];
}

const MAX_GOLDEN_BYTES = 8 * 1024 * 1024;
const MAX_CASES = 1000;

const value = z.union([z.number(), z.string(), z.null()]);
const dims = z.array(z.int().nonnegative()).max(16);
const common = {
  modelSha256: z.string().optional(),
  tolerance: z.number().nonnegative().max(1).default(1e-4),
};
const tensorForm = z.object({
  ...common,
  cases: z
    .array(
      z.object({
        name: z.string().default(''),
        inputs: z.array(z.object({ name: z.string(), shape: dims, data: z.array(value) })),
        outputs: z.array(z.object({ name: z.string(), shape: dims.optional(), data: z.array(value) })).min(1),
      }),
    )
    .min(1)
    .max(MAX_CASES),
});
const maybeNumbers = z.array(z.number().nullable());
const forecastForm = z.object({
  ...common,
  cases: z
    .array(
      z.object({
        name: z.string().default(''),
        context: maybeNumbers,
        seasonal: z.array(maybeNumbers),
        steps: z.array(z.int().nonnegative()).min(1),
        quantiles: z.array(z.array(z.number())).min(1),
      }),
    )
    .min(1)
    .max(MAX_CASES),
});

/** @throws MODEL_REFUSED (GoldenInvalid) */
export async function readGolden(path: string, signature: Signature, sha256: string): Promise<Golden> {
  const { size } = await stat(path);
  if (size > MAX_GOLDEN_BYTES) {
    throw wrong(`golden.json has ${size} bytes, at most ${MAX_GOLDEN_BYTES} are read`);
  }
  return parseText(await readFile(path, 'utf8'), signature, sha256);
}

/** Those in the metadata of the model file (`foresail.golden`), if any. @throws MODEL_REFUSED (GoldenInvalid) */
export function ownGolden(signature: Signature): Golden | undefined {
  return signature.golden === undefined ? undefined : parseText(signature.golden, signature, '');
}

function parseText(text: string, signature: Signature, sha256: string): Golden {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong('golden.json is not JSON', cause);
  }
  return parseGolden(json, signature, sha256);
}

/** @throws MODEL_REFUSED (GoldenInvalid) */
export function parseGolden(json: unknown, signature: Signature, sha256: string): Golden {
  const forecast = forecastForm.safeParse(json);
  const tensors = tensorForm.safeParse(json);
  const parsed = forecast.success ? forecast.data : tensors.data;
  if (parsed === undefined) {
    const [issue] = tensors.error?.issues ?? [];
    throw wrong(`golden.json: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not understood'}`);
  }
  if (parsed.modelSha256 !== undefined && parsed.modelSha256 !== sha256) {
    throw wrong('golden.json was written for another model file (modelSha256 differs)');
  }
  const cases = forecast.success
    ? forecast.data.cases.map((one) => fromForecast(one, signature))
    : (tensors.data?.cases ?? []).map((one) => fromTensors(one, signature));
  return { tolerance: parsed.tolerance, cases };
}

function fromTensors(one: z.infer<typeof tensorForm>['cases'][number], signature: Signature): GoldenCase {
  const inputs = one.inputs.map(({ name, shape, data }) => {
    const spec = signature.inputs.find((candidate) => candidate.name === name);
    if (spec === undefined) throw wrong(`golden.json, case "${one.name}": the model has no input "${name}"`);
    return tensorOf(spec, shape, data);
  });
  const expected = one.outputs.map(({ name, shape, data }) => ({ name, shape, at: undefined, values: data }));
  return checked({ name: one.name, inputs, expected }, signature);
}

function fromForecast(one: z.infer<typeof forecastForm>['cases'][number], signature: Signature): GoldenCase {
  const width = signature.forecast?.levels.length;
  if (width === undefined) throw wrong("golden.json is a forecaster's, the model is not one");
  if (one.quantiles.length !== one.steps.length || one.quantiles.some((row) => row.length !== width)) {
    throw wrong(`golden.json, case "${one.name}": quantiles are not [steps, ${width}]`);
  }
  const floats = (values: readonly (number | null)[]): Float32Array =>
    Float32Array.from(values, (item) => item ?? Number.NaN);
  const inputs: Tensor[] = [
    {
      name: INPUT_CONTEXT,
      datatype: 'FP32',
      shape: [1, CONTEXT_LENGTH],
      data: floats(one.context),
    },
    {
      name: INPUT_SEASONAL,
      datatype: 'FP32',
      shape: [1, SEASON_LAGS_DAYS.length, 2 * SEASON_WINDOW],
      data: floats(one.seasonal.flat()),
    },
  ];
  const at = one.steps.flatMap((step) => Array.from({ length: width }, (_, i) => step * width + i));
  const expected = [{ name: OUTPUT_QUANTILES, shape: undefined, at, values: one.quantiles.flat() }];
  return checked({ name: one.name, inputs, expected }, signature);
}

function checked(one: GoldenCase, signature: Signature): GoldenCase {
  try {
    const outputs = one.expected.map((output) => output.name);
    const { inputs } = checkInputs({ inputs: one.inputs, outputs }, signature.inputs, signature.outputs);
    return { ...one, inputs };
  } catch (cause) {
    throw wrong(`golden.json, case "${one.name}": ${cause instanceof Error ? cause.message : ''}`, cause);
  }
}

function tensorOf(
  { name, datatype }: TensorSpec,
  shape: readonly number[],
  values: readonly (number | string | null)[],
): Tensor {
  try {
    return { name, datatype, shape, data: dataOf(datatype, shape, values) };
  } catch (cause) {
    throw wrong(`golden.json: the data of "${name}" is not ${datatype}`, cause);
  }
}

function dataOf(
  datatype: Datatype,
  shape: readonly number[],
  values: readonly (number | string | null)[],
): TensorData {
  if (datatype === 'BYTES') return values.map((item) => Buffer.from(String(item ?? '')));
  if (datatype === 'FP16') throw new TypeError('FP16 has no JSON form');
  const count = elementsOf(shape);
  if (values.length !== count) throw new RangeError(`${values.length} values for ${count} elements`);
  const data = viewOf(datatype, new ArrayBuffer(count * 8), 0, count);
  values.forEach((item, i) => {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(item ?? '');
    else data[i] = item === null ? Number.NaN : Number(item);
  });
  return data;
}

/** The first difference in words, or undefined. Numbers are compared within the tolerance, texts exactly. */
export function firstDifference(
  one: GoldenCase,
  tolerance: number,
  answers: readonly Tensor[],
): string | undefined {
  const allowed = tolerance * scaleOf(one);
  for (const { name, shape, at, values } of one.expected) {
    const tensor = answers.find((candidate) => candidate.name === name);
    if (tensor === undefined) return `"${name}" is missing`;
    if (shape !== undefined && shape.join() !== tensor.shape.join()) {
      return `"${name}" has the shape [${tensor.shape.join(', ')}], not [${shape.join(', ')}]`;
    }
    const count = at === undefined ? tensor.data.length : values.length;
    if (count !== values.length) return `"${name}" has ${count} values, not ${values.length}`;
    for (let i = 0; i < values.length; i++) {
      const wanted = values[i] ?? null;
      const place = at?.[i] ?? i;
      const got = tensor.data[place];
      if (!same(got, wanted, allowed)) {
        return `"${name}"[${place}] is ${text(got)}, expected ${wanted === null ? 'NaN' : wanted} +- ${allowed.toPrecision(3)}`;
      }
    }
  }
  return undefined;
}

function same(
  got: number | bigint | Uint8Array | undefined,
  wanted: number | string | null,
  allowed: number,
): boolean {
  if (got === undefined) return false;
  if (typeof got === 'object') return Buffer.from(got).toString('utf8') === wanted;
  if (wanted === null) return Number.isNaN(got);
  return Math.abs(Number(got) - Number(wanted)) <= allowed;
}

function scaleOf({ inputs, expected }: GoldenCase): number {
  let scale = 1e-9;
  const look = (item: unknown): void => {
    const size = typeof item === 'number' || typeof item === 'bigint' ? Math.abs(Number(item)) : 0;
    if (Number.isFinite(size) && size > scale) scale = size;
  };
  for (const { data } of inputs) for (const item of data) look(item);
  for (const { values } of expected) for (const item of values) look(item);
  return scale;
}

function text(got: number | bigint | Uint8Array | undefined): string {
  return typeof got === 'object' ? `"${Buffer.from(got).toString('utf8').slice(0, 40)}"` : String(got);
}

function wrong(message: string, cause?: unknown): Error {
  return refused('GoldenInvalid', message.slice(0, 300), cause);
}
