/**
 * A fake of the engine, for the wire's tests alone: it answers inputs as outputs, so that every datatype can be sent
 * through both protocols, and its other models fail in each way that an engine may. The tests of the server as a whole
 * run the real engine.
 */
import { backend, notFound, notReady, overloaded, pastDeadline } from '../core/errors.ts';
import type { Engine, InferAnswer, InferRequest, ModelMetadata, ModelState } from '../core/types.ts';

export interface FakeEngine extends Engine {
  /** Requests that reached it, newest last. */
  readonly requests: readonly InferRequest[];
  /** Calls of `load` and `unload`. */
  readonly control: readonly string[];
  /** How many requests ended because their signal did. */
  readonly aborted: number;
  setReady(ready: boolean): void;
}

const VERSIONS = ['1', '2'];

const echo: ModelMetadata = {
  name: 'echo',
  versions: VERSIONS,
  platform: 'onnxruntime_onnx',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  properties: { sha256: 'abc', contract: 'generic' },
};

const states: readonly ModelState[] = [
  { name: 'echo', version: '1', state: 'READY', reason: '' },
  { name: 'echo', version: '2', state: 'READY', reason: '' },
  { name: 'warming', version: '1', state: 'LOADING', reason: 'warm-up' },
];

export function fakeEngine(): FakeEngine {
  const requests: InferRequest[] = [];
  const control: string[] = [];
  let aborted = 0;
  let ready = true;

  async function answer(request: InferRequest, signal: AbortSignal): Promise<InferAnswer> {
    switch (request.model) {
      case 'echo': {
        const version = request.version ?? '2';
        if (!VERSIONS.includes(version)) throw notFound('echo', version);
        const outputs =
          request.outputs === undefined
            ? request.inputs
            : request.inputs.filter(({ name }) => request.outputs?.includes(name));
        return { model: 'echo', version, outputs };
      }
      case 'warming':
        throw notReady('warming', 'warm-up');
      case 'busy':
        throw overloaded('the queue is full', 1_500);
      case 'late':
        throw pastDeadline(5);
      case 'broken':
        throw backend('the model process ended');
      case 'bug':
        throw new Error('/secret/path is not readable');
      case 'hanging':
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted++;
            reject(signal.reason as Error);
          });
        });
      default:
        throw notFound(request.model);
    }
  }

  return {
    requests,
    control,
    get aborted() {
      return aborted;
    },
    setReady(value) {
      ready = value;
    },
    live: () => true,
    ready: () => ready,
    modelReady: (model, version = '2') => model === 'echo' && VERSIONS.includes(version),
    metadata(model, version) {
      if (model === 'warming') throw notReady('warming', 'warm-up');
      if (model !== 'echo' || (version !== undefined && !VERSIONS.includes(version)))
        throw notFound(model, version);
      return echo;
    },
    infer(request, signal) {
      requests.push(request);
      return answer(request, signal);
    },
    refuseEarly: (model) => {
      if (model === 'crowded') throw overloaded('the queue is full', 1_500);
    },
    index: (readyOnly) => states.filter(({ state }) => !readyOnly || state === 'READY'),
    async load(model) {
      control.push(`load ${model}`);
    },
    async unload(model) {
      control.push(`unload ${model}`);
    },
    statistics: (model) => {
      if (model !== undefined && model !== 'echo') throw notFound(model);
      const none = { count: 0, ns: 0 };
      return VERSIONS.map((version) => ({
        name: 'echo',
        version,
        last_inference: 1_700_000_000_000,
        inference_count: 8,
        execution_count: 3,
        inference_stats: {
          success: { count: 5, ns: 5_000_000 },
          fail: none,
          queue: none,
          compute_input: none,
          compute_infer: { count: 3, ns: 3_000_000 },
          compute_output: none,
        },
        batch_stats: [],
      }));
    },
    gauges: () => [
      { model: 'echo', version: '2', pendingRequests: 0, runningRequests: 0, instancesReady: 1, restarts: 0 },
    ],
    async settled() {},
    async close() {},
  };
}
