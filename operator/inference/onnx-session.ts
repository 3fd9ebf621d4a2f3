/**
 * One loaded model. `run` of onnxruntime-node is synchronous on the calling thread, so runs queue up behind each
 * other by nature; `close` waits for those under way, because ending the process inside one aborts it.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { CONTEXT_LENGTH, SEASON_LAGS_DAYS, SEASON_WINDOW } from '../forecast/types.ts';
import { INPUT_CONTEXT, INPUT_SEASONAL, OUTPUT_QUANTILES } from './contract.ts';
import { refuse } from './onnx-file.ts';
import type { ModelDescriptor } from './types.ts';

const SEASONAL = SEASON_LAGS_DAYS.length * 2 * SEASON_WINDOW;

export interface ModelSession {
  /**
   * @param context [batch, 512] and @param seasonal [batch, 4, 128], row-major float32 (float16 input is broken on
   * this Node), NaN = unknown
   * @returns [batch, horizon, levels]
   */
  run(context: Float32Array, seasonal: Float32Array, batch: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** @throws MODEL_INVALID (LoadFailed) when the runtime refuses the file */
export async function openSession(bytes: Uint8Array, descriptor: ModelDescriptor): Promise<ModelSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      // The default threads spin: twice the CPU for little gain on models of this size.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
  } catch (cause) {
    throw refuse('LoadFailed', `the runtime refuses the model: ${firstLine(cause)}`);
  }
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  const perWindow = descriptor.horizon * descriptor.levels.length;

  const runNow = async (
    context: Float32Array,
    seasonal: Float32Array,
    batch: number,
  ): Promise<Float32Array> => {
    const output = await session.run(
      {
        [INPUT_CONTEXT]: new Tensor('float32', context, [batch, CONTEXT_LENGTH]),
        [INPUT_SEASONAL]: new Tensor('float32', seasonal, [
          batch,
          SEASON_LAGS_DAYS.length,
          2 * SEASON_WINDOW,
        ]),
      },
      [OUTPUT_QUANTILES],
    );
    const quantiles = output[OUTPUT_QUANTILES];
    const data = quantiles?.type === 'float32' ? (quantiles.data as Float32Array) : undefined;
    if (data?.length !== batch * perWindow) {
      throw refuse('WrongOutputs', `the model answers ${data?.length ?? 0} values, not ${batch * perWindow}`);
    }
    return data;
  };

  return {
    run(context, seasonal, batch) {
      // A run that fails leaks memory in the runtime, so shapes are checked before it.
      if (closed) return Promise.reject(refuse('RunFailed', 'the model is closed'));
      if (batch < 1 || context.length !== batch * CONTEXT_LENGTH || seasonal.length !== batch * SEASONAL) {
        return Promise.reject(refuse('WrongInputs', `inputs do not fit a batch of ${batch}`));
      }
      const run = last.then(() => runNow(context, seasonal, batch));
      last = run.catch(() => undefined);
      return run;
    },
    async close() {
      if (closed) return;
      closed = true;
      await last;
      await session.release();
    },
  };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 200);
}
