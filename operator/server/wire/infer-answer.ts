/** The answer of an inference in the protocol's HTTP form: a JSON object, and behind it the outputs asked for as bytes. */
import { rawBytes } from '../core/tensors.ts';
import type { InferAnswer, Tensor } from '../core/types.ts';
import { writeJsonData } from './json-data.ts';

export interface InferBody {
  readonly body: Buffer;
  /** Bytes of the JSON object when binary data follows it. */
  readonly jsonLength?: number;
}

/** @throws INPUT_INVALID when an output has no JSON form and was not asked for as bytes */
export function writeInferAnswer(
  answer: InferAnswer,
  id: string | undefined,
  asBinary: (output: string) => boolean,
): InferBody {
  const echo = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const json: (string | Buffer)[] = [
    `{"model_name":${JSON.stringify(answer.model)},"model_version":${JSON.stringify(answer.version)},${echo}"outputs":[`,
  ];
  const binary: Uint8Array[] = [];
  answer.outputs.forEach((tensor, i) => {
    const comma = i === 0 ? '' : ',';
    const head = writeHead(tensor);
    if (asBinary(tensor.name)) {
      const bytes = rawBytes(tensor.data);
      binary.push(bytes);
      json.push(`${comma}{${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`);
    } else {
      json.push(`${comma}{${head},"data":`, writeJsonData(tensor), '}');
    }
  });
  json.push(']}');
  const parts = json.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  const jsonLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const body = Buffer.concat([...parts, ...binary]);
  return binary.length === 0 ? { body } : { body, jsonLength };
}

function writeHead({ name, datatype, shape }: Tensor): string {
  return `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
}
