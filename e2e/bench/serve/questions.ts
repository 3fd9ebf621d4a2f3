/**
 * What is asked, in the words of each server: the Open Inference Protocol as JSON, with binary tensors and over gRPC, and
 * BentoML's own JSON. Before a server is measured its answer is compared with the model's.
 */
import { Client, credentials } from '@grpc/grpc-js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { loadService } from '../../../operator/server/grpc/server.ts';
import { normal, seededRandom } from '../../../operator/simulate/generated.ts';
import { type BenchModel, elementsOf } from './models.ts';

export type Wire = 'HTTP JSON' | 'HTTP binary' | 'gRPC';
export const WIRES: readonly Wire[] = ['HTTP JSON', 'HTTP binary', 'gRPC'];

/** One row: the inputs in the order of the model. */
export type Row = readonly Float32Array[];

export interface Question {
  readonly wire: 'http' | 'grpc';
  /** Of HTTP, or the whole method of gRPC. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Buffer[];
  /** The first output's numbers in an answer. */
  readonly read: (answer: Answer) => readonly number[];
}

export interface Answer {
  readonly body: Buffer;
  readonly headers: Headers;
}

export const ROWS = 8;
const METHOD = '/inference.GRPCInferenceService/ModelInfer';
const LENGTH = 'inference-header-content-length';
const BY_JSON = { 'content-type': 'application/json' };
const infer = loadService()['ModelInfer'];

/** Like counts of requests a minute: positive, and with the three decimals that a rate has. */
export function rowsFor(model: BenchModel): Row[] {
  const random = seededRandom(7);
  return Array.from({ length: ROWS }, () =>
    model.inputs.map((input) =>
      Float32Array.from({ length: elementsOf(input) }, () =>
        Number((100 * Math.exp(0.2 * normal(random))).toFixed(3)),
      ),
    ),
  );
}

export async function expectedAnswer(modelPath: string, model: BenchModel, row: Row): Promise<Float32Array> {
  const session = await InferenceSession.create(modelPath, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const feeds = Object.fromEntries(
    model.inputs.map(({ name, dims }, i) => [name, new Tensor('float32', row[i] ?? [], [1, ...dims])]),
  );
  const results = await session.run(feeds);
  const answer = results[session.outputNames[0] ?? '']?.data;
  await session.release();
  return answer as Float32Array;
}

/** The Open Inference Protocol. */
export function protocolQuestion(model: BenchModel, rows: readonly Row[], wire: Wire): Question {
  const path = `/v2/models/${model.name}/infer`;
  switch (wire) {
    case 'HTTP JSON':
      return {
        wire: 'http',
        path,
        headers: BY_JSON,
        bodies: rows.map((row) => Buffer.from(JSON.stringify({ inputs: described(model, row, dataOf) }))),
        read: ({ body }) => JSON.parse(body.toString()).outputs[0].data.flat(3),
      };
    case 'HTTP binary': {
      const bodies = rows.map((row) => binaryBody(model, row));
      return {
        wire: 'http',
        path,
        // The JSON part is as long for every row.
        headers: { 'content-type': 'application/octet-stream', [LENGTH]: String(bodies[0]?.jsonLength) },
        bodies: bodies.map(({ body }) => body),
        read: ({ body, headers }) => floatsOf(body.subarray(Number(headers.get(LENGTH)))),
      };
    }
    case 'gRPC':
      if (infer === undefined) throw new Error('the protocol has no ModelInfer');
      return {
        wire: 'grpc',
        path: METHOD,
        headers: {},
        bodies: rows.map((row) =>
          infer.requestSerialize({
            model_name: model.name,
            inputs: described(model, row, () => ({})),
            raw_input_contents: row.map(bytesOf),
          }),
        ),
        read: ({ body }) => {
          const answer = infer.responseDeserialize(body) as {
            outputs: { contents?: { fp32_contents?: number[] } }[];
            raw_output_contents?: Buffer[];
          };
          const [raw] = answer.raw_output_contents ?? [];
          return raw === undefined ? (answer.outputs[0]?.contents?.fp32_contents ?? []) : floatsOf(raw);
        },
      };
  }
}

/** BentoML's own: the service's one argument, all inputs of a row behind each other. */
export function bentoQuestion(model: BenchModel, rows: readonly Row[]): Question {
  return {
    wire: 'http',
    path: `/${model.name}`,
    headers: BY_JSON,
    bodies: rows.map((row) =>
      Buffer.from(JSON.stringify({ inputs: [row.flatMap((values) => shortest(values))] })),
    ),
    read: ({ body }) => JSON.parse(body.toString()).flat(3),
  };
}

/** Asks once. @throws when the answer is not the model's */
export async function check(
  question: Question,
  address: string,
  expected: Float32Array,
  signal: AbortSignal,
): Promise<void> {
  const [body = Buffer.alloc(0)] = question.bodies;
  const answer =
    question.wire === 'grpc'
      ? { body: await askGrpc(address, question.path, body), headers: new Headers() }
      : await askHttp(`http://${address}${question.path}`, question.headers, body, signal);
  const values = question.read(answer);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const far = values.findIndex(
    (value, i) => !(Math.abs(value - (expected[i] ?? Number.NaN)) <= 1e-4 * scale),
  );
  if (values.length !== expected.length || far >= 0)
    throw new Error(
      `the answer is not the model's: ${values.length} numbers of ${expected.length}, [${far}] is ${values[far]}`,
    );
}

async function askHttp(
  url: string,
  headers: Question['headers'],
  body: Buffer,
  signal: AbortSignal,
): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body), signal });
  const answer = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`status ${response.status}: ${answer.toString().slice(0, 300)}`);
  return { body: answer, headers: response.headers };
}

async function askGrpc(address: string, method: string, body: Buffer): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const deadline = Date.now() + 10_000;
  try {
    // A server that is ready by HTTP may need another moment for this.
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(deadline, (error) => (error === undefined ? resolve() : reject(error))),
    );
    return await new Promise<Buffer>((resolve, reject) =>
      client.makeUnaryRequest(method, same, same, body, { deadline }, (error, value) =>
        error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no answer')),
      ),
    );
  } finally {
    client.close();
  }
}

function described(model: BenchModel, row: Row, more: (values: Float32Array) => object): object[] {
  return model.inputs.map(({ name, dims }, i) => ({
    name,
    datatype: 'FP32',
    shape: [1, ...dims],
    ...more(row[i] ?? new Float32Array()),
  }));
}

const dataOf = (values: Float32Array) => ({ data: shortest(values) });

/** The shortest decimals that are the same float32: what a careful client writes. */
function shortest(values: Float32Array): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(7)));
}

function binaryBody(model: BenchModel, row: Row): { body: Buffer; jsonLength: number } {
  const inputs = described(model, row, (values) => ({
    parameters: { binary_data_size: values.byteLength },
  }));
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return { body: Buffer.concat([json, ...row.map(bytesOf)]), jsonLength: json.byteLength };
}

const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** A copy: the bytes need not be aligned where they lie. */
function floatsOf(bytes: Buffer): readonly number[] {
  return [...new Float32Array(new Uint8Array(bytes).buffer)];
}
