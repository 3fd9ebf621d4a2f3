/**
 * Opens a model file. The bytes are read once, hashed, and those same bytes are loaded: by this process only when
 * their digest is the one compiled in for the model in the box, else by a child.
 */
import { open } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import type { ForecastWindow, QuantileForecast } from '../forecast/types.ts';
import { BOX_MODEL } from './box-model.ts';
import { ChildModel, type ChildModelOptions, notReady } from './child-model.ts';
import { MAX_MODEL_BYTES } from './contract.ts';
import { digestOf, type LoadedModel, loadModel } from './load.ts';
import { refuse } from './onnx-file.ts';
import { forecastWith } from './runner.ts';
import type { ModelSource, ModelState, OnnxModel, QuarantineReason } from './types.ts';

export interface OpenModelOptions extends ChildModelOptions {
  readonly clock: Clock;
}

/** Never rejects for a bad file: its `state` says what is wrong, and its `forecast` rejects with that. */
export async function openModel(source: ModelSource, options: OpenModelOptions): Promise<OnnxModel> {
  try {
    const bytes = await readModelFile(source.path);
    const digest = digestOf(bytes);
    if (source.sha256 !== undefined && source.sha256 !== digest) {
      throw refuse('DigestMismatch', `the file has sha256 ${digest}`);
    }
    if (digest === BOX_MODEL.sha256)
      return new InProcessModel(await loadModel(bytes), options.maxBatch ?? 64);
    const child = new ChildModel(`onnx:${digest.slice(0, 12)}`, bytes, options);
    await child.settled();
    return child;
  } catch (error) {
    const reason = isForesailError(error, 'MODEL_INVALID')
      ? (error.subject as QuarantineReason)
      : 'LoadFailed';
    return new RefusedModel({ phase: 'quarantined', reason, message: messageOf(error) });
  }
}

/** @throws MODEL_INVALID (Missing, Empty, TooLarge) */
async function readModelFile(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new ForesailError('MODEL_INVALID', 'terminal', 'the model file cannot be opened', {
      subject: 'Missing',
      cause,
    });
  });
  try {
    const info = await file.stat();
    if (!info.isFile()) throw refuse('Missing', 'the model is not a file');
    if (info.size === 0) throw refuse('Empty', 'the file is empty');
    if (info.size > MAX_MODEL_BYTES) {
      throw refuse('TooLarge', `the file has ${info.size} bytes, at most ${MAX_MODEL_BYTES}`);
    }
    // Not more than was announced, however the file grows meanwhile.
    const bytes = Buffer.alloc(info.size);
    const { bytesRead } = await file.read(bytes, 0, info.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The model in the box: fast enough (about 10 ms for 64 forecasts) to run between two events of the loop. */
class InProcessModel implements OnnxModel {
  readonly id: string;
  readonly #loaded: LoadedModel;
  readonly #maxBatch: number;
  #state: ModelState;

  constructor(loaded: LoadedModel, maxBatch: number) {
    this.id = loaded.descriptor.name;
    this.#loaded = loaded;
    this.#maxBatch = maxBatch;
    this.#state = { phase: 'ready', descriptor: loaded.descriptor, place: 'inProcess' };
  }

  get state(): ModelState {
    return this.#state;
  }

  async forecast(windows: readonly ForecastWindow[], signal: AbortSignal): Promise<QuantileForecast[]> {
    const { session, descriptor } = this.#loaded;
    try {
      return await forecastWith(
        (context, seasonal, batch) => session.run(context, seasonal, batch),
        descriptor,
        windows,
        this.#maxBatch,
        signal,
      );
    } catch (cause) {
      signal.throwIfAborted();
      throw new ForesailError('MODEL_RUN_FAILED', 'transient', messageOf(cause), { cause });
    }
  }

  async close(): Promise<void> {
    this.#state = { phase: 'loading', message: 'the model is closed' };
    await this.#loaded.session.close();
  }
}

class RefusedModel implements OnnxModel {
  readonly id = 'onnx';
  readonly state: Extract<ModelState, { phase: 'quarantined' }>;

  constructor(state: Extract<ModelState, { phase: 'quarantined' }>) {
    this.state = state;
  }

  forecast(): Promise<never> {
    return Promise.reject(notReady(this.state));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
