/** One onnxruntime session inside the child: the checks of the file, its signature, and a run from bytes to bytes. */
import { Tensor } from 'onnxruntime-node';
// Not the package's promises: each of them takes a turn of the event loop, which costs as much as a small model's run.
import { type Binding, binding, initOrt } from 'onnxruntime-node/dist/binding.js';
import { describe, MAX_OPSET } from '../../../inference/contract.ts';
import { type OnnxSummary, refuse, summarise } from '../../../inference/onnx-file.ts';
import { DATATYPES, datatypeOfOnnx } from '../tensors.ts';
import type { Datatype, TensorData, TensorSpec } from '../types.ts';
import type { LoadOrder, Signature } from './protocol.ts';
import { blockTensor, decodeBlock, encodeBlock } from './tensor-block.ts';

// onnxruntime's binding knows float16 as 16 raw bits only; it takes them so where the language has no such array.
Reflect.deleteProperty(globalThis, 'Float16Array');

/** Built into onnxruntime; its own optimiser and quantiser write them into the files they make. */
const RUNTIME_DOMAINS = ['com.microsoft'];

export interface ChildSession {
  readonly signature: Signature;
  /**
   * @param payload `[u32 wanted outputs, 0 = all][u32 index…]` padded to eight, then a block of inputs
   * @returns parts of the answer: `[f64 milliseconds in the runtime]`, then a block of outputs
   */
  run(payload: Buffer): Uint8Array[];
}

/** @throws MODEL_INVALID, its subject saying which check failed */
export function openChildSession(bytes: Uint8Array, order: LoadOrder): ChildSession {
  const summary = summarise(bytes, RUNTIME_DOMAINS);
  if (summary.opset > MAX_OPSET) {
    throw refuse('OpsetUnsupported', `operator set ${summary.opset}, at most ${MAX_OPSET} is known`);
  }
  const forecast = forecastContract(summary, bytes.byteLength);
  const session = createSession(bytes, order);
  const inputs = specsOf('WrongInputs', session.inputMetadata);
  const outputs = specsOf('WrongOutputs', session.outputMetadata);
  const signature: Signature = {
    opset: summary.opset,
    random: summary.random,
    golden: summary.metadata.get('foresail.golden'),
    inputs,
    outputs,
    ...(forecast === undefined ? {} : { forecast }),
  };
  return { signature, run: (payload) => runBlock(session, inputs, outputs, payload, order.maxResultBytes) };
}

/** A file that names quantile levels wants to be a forecaster, and must then be a whole one. */
function forecastContract(summary: OnnxSummary, bytes: number): Signature['forecast'] {
  if (!summary.metadata.has('foresail.quantile_levels')) return undefined;
  const { name, version, horizon, levels } = describe(summary, '', bytes);
  return { name, version, horizon, levels: [...levels] };
}

function createSession(bytes: Uint8Array, order: LoadOrder): Binding.InferenceSession {
  initOrt();
  const session = new binding.InferenceSession();
  try {
    session.loadModel(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength, {
      executionProviders: order.provider === 'cpu' ? ['cpu'] : [order.provider, 'cpu'],
      // The default threads spin: twice the CPU for little gain.
      intraOpNumThreads: order.intraOpThreads,
      interOpNumThreads: order.interOpThreads,
      logSeverityLevel: 4,
    });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw refuse('LoadFailed', `the runtime refuses the model: ${(text.split('\n')[0] ?? '').slice(0, 200)}`);
  }
  return session;
}

function specsOf(
  reason: 'WrongInputs' | 'WrongOutputs',
  values: readonly Binding.ValueMetadata[],
): TensorSpec[] {
  return values.map(({ name, isTensor, type, shape }) => {
    const datatype = isTensor ? datatypeOfOnnx(type) : undefined;
    if (datatype === undefined) {
      const what = isTensor ? `of the ONNX type ${type}` : 'a sequence or map';
      throw refuse(reason, `"${name.slice(0, 64)}" is ${what}; only plain tensors are served`);
    }
    return { name, datatype, shape: [...shape] };
  });
}

function runBlock(
  session: Binding.InferenceSession,
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
  payload: Buffer,
  maxResultBytes: number,
): Uint8Array[] {
  const wanted = payload.readUInt32LE(0);
  const indexes = Array.from({ length: wanted }, (_, i) => payload.readUInt32LE(4 + 4 * i));
  const offset = Math.ceil((4 + 4 * wanted) / 8) * 8;
  const decoded = decodeBlock(payload, offset, (index) => inputs[index]?.datatype);
  if (decoded?.length !== inputs.length) throw new Error('the inputs do not fit the model');
  const feeds: Record<string, Tensor> = {};
  for (const { index, shape, data } of decoded) {
    const spec = inputs[index];
    if (spec !== undefined) feeds[spec.name] = toOrt(spec.datatype, data, shape);
  }
  const fetches = wanted === 0 ? outputs.map((_, i) => i) : indexes;
  const names = fetches.map((index) => outputs[index]?.name ?? '');
  const fetched: Record<string, null> = {};
  for (const name of names) fetched[name] = null;
  const started = performance.now();
  const results = session.run(feeds, fetched, {}) as Record<string, Tensor>;
  const elapsed = performance.now() - started;
  const blocks = fetches.map((index, i) => {
    const tensor = results[names[i] ?? ''];
    const datatype = outputs[index]?.datatype;
    if (tensor === undefined || datatype === undefined) throw new Error('the model gave no such output');
    return blockTensor(index, tensor.dims, fromOrt(datatype, tensor));
  });
  const size = blocks.reduce((sum, block) => sum + (block.parts[0]?.byteLength ?? 0), 0);
  if (size > maxResultBytes) {
    throw new Error(`the model answers ${size} bytes, at most ${maxResultBytes} are allowed`);
  }
  return [new Uint8Array(Float64Array.of(elapsed).buffer), ...encodeBlock(blocks)];
}

function toOrt(datatype: Datatype, data: TensorData, shape: readonly number[]): Tensor {
  if (datatype === 'BYTES') {
    const texts = Array.from(data as readonly Uint8Array[], (item) => Buffer.from(item).toString('utf8'));
    return new Tensor('string', texts, shape);
  }
  // The names of types are those of the table; the array's kind follows from the datatype.
  return new Tensor(DATATYPES[datatype].ort as 'float32', data as Float32Array, shape);
}

function fromOrt(datatype: Datatype, tensor: Tensor): TensorData {
  if (datatype !== 'BYTES') return tensor.data as TensorData;
  return Array.from(tensor.data as string[], (text) => Buffer.from(text));
}
