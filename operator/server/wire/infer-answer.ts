/** The answer of an inference in the protocol's HTTP form: a JSON object, and behind it the outputs asked for as bytes. */
import { rawBytes } from '../core/tensors.ts';
import type { InferAnswer, Tensor } from '../core/types.ts';
import { writeJsonData } from './json-data.ts';

export interface InferBody {
  readonly body: Buffer | string;
  /** Bytes of the JSON object when binary data follows it. */
  readonly jsonLength?: number;
}

/** @throws INPUT_INVALID when an output has no JSON form and was not asked for as bytes */
export function writeInferAnswer(
  answer: InferAnswer,
  id: string | undefined,
  asBinary: (output: string) => boolean,
): InferBody {
  const binary: Uint8Array[] = [];
  const outputs = answer.outputs.map((tensor) => {
    const head = writeHead(tensor);
    if (!asBinary(tensor.name)) return `{${head},"data":${writeJsonData(tensor)}}`;
    const bytes = rawBytes(tensor.data);
    binary.push(bytes);
    return `{${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`;
  });
  const echo = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const json =
    `{"model_name":${JSON.stringify(answer.model)},"model_version":${JSON.stringify(answer.version)},` +
    `${echo}"outputs":[${outputs.join(',')}]}`;
  if (binary.length === 0) return { body: json };
  const head = Buffer.from(json, 'utf8');
  return { body: Buffer.concat([head, ...binary]), jsonLength: head.byteLength };
}

function writeHead({ name, datatype, shape }: Tensor): string {
  return `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
}
