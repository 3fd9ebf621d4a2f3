/** The messages of inference.proto as the loader makes them: absent fields are undefined, 64-bit integers are texts. */
import type { Scalar } from '../wire/fields.ts';

/** A oneof; exactly one is there, or none. */
export interface InferParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: string;
  readonly string_param?: string;
  readonly double_param?: number;
  readonly uint64_param?: string;
}

export type InferParameters = Readonly<Record<string, InferParameter>>;

export interface InferTensorContents {
  readonly bool_contents?: readonly boolean[];
  readonly int_contents?: readonly number[];
  readonly int64_contents?: readonly string[];
  readonly uint_contents?: readonly number[];
  readonly uint64_contents?: readonly string[];
  readonly fp32_contents?: readonly number[];
  readonly fp64_contents?: readonly number[];
  readonly bytes_contents?: readonly Uint8Array[];
}

export interface TensorMessage {
  readonly name?: string;
  readonly datatype?: string;
  readonly shape?: readonly string[];
  readonly parameters?: InferParameters;
  readonly contents?: InferTensorContents;
}

export interface ModelInferRequest {
  readonly model_name?: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly parameters?: InferParameters;
  readonly inputs?: readonly TensorMessage[];
  readonly outputs?: readonly { readonly name?: string; readonly parameters?: InferParameters }[];
  readonly raw_input_contents?: readonly Buffer[];
}

export interface ModelInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly contents?: InferTensorContents;
  }[];
  readonly raw_output_contents?: readonly Uint8Array[];
}

export interface ModelName {
  readonly name?: string;
  readonly version?: string;
}

export interface RepositoryIndexRequest {
  readonly repository_name?: string;
  readonly ready?: boolean;
}

export interface RepositoryModelRequest {
  readonly repository_name?: string;
  readonly model_name?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** As the JSON form has them; 64-bit integers stay texts. */
export function scalars(parameters: InferParameters = {}): ReadonlyMap<string, Scalar> {
  return new Map(
    Object.entries(parameters).flatMap(([key, value]) => {
      const scalar =
        value.bool_param ??
        value.int64_param ??
        value.string_param ??
        value.double_param ??
        value.uint64_param;
      return scalar === undefined ? [] : [[key, scalar] as const];
    }),
  );
}
