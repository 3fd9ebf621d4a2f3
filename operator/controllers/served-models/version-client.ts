/**
 * One version of a ModelDeployment as a forecaster: the same windows and the same contract as a file that runs here,
 * asked over HTTP by the Open Inference Protocol with tensors as bytes. What answers is a pod of a tenant, so its
 * words are checked as a file's would be, and it gets loads alone: no credential, no redirect is followed.
 */
import { type Dispatcher, request } from 'undici';
import { ForesailError, isForesailError, messageOf } from '../../errors.ts';
import {
  CONTEXT_LENGTH,
  type Forecaster,
  type ForecastWindow,
  type QuantileForecast,
  SEASON_LAGS_DAYS,
  SEASON_WINDOW,
} from '../../forecast/types.ts';
import { INPUT_CONTEXT, INPUT_SEASONAL, OUTPUT_QUANTILES, readHead } from '../../inference/contract.ts';
import { type ForecastHead, forecastWith } from '../../inference/runner.ts';

export interface VersionAddress {
  /** Name of the ModelDeployment, which is the model's name on its server. */
  readonly model: string;
  readonly version: number;
  /** sha256 of the file in hex, as it was pinned: another file that answers is refused. */
  readonly digest: string;
  /** Without a slash at its end. */
  readonly baseUrl: string;
}

export interface VersionClientOptions {
  /** Guards addresses and bounds answers. */
  readonly dispatcher: Dispatcher;
  readonly timeoutMs: number;
}

const MAX_BATCH = 64;
const MOST_METADATA = 1024 * 1024;

/** The forecaster's id: no two versions share one, and none is that of a forecaster that is code. */
export function versionId(model: string, version: number): string {
  return `${model}@${version}`;
}

export class VersionClient implements Forecaster {
  readonly id: string;
  readonly #address: VersionAddress;
  readonly #options: VersionClientOptions;
  #head: ForecastHead | undefined;

  constructor(address: VersionAddress, options: VersionClientOptions) {
    this.id = versionId(address.model, address.version);
    this.#address = address;
    this.#options = options;
  }

  /** @throws MODEL_INVALID, MODEL_LOADING (it says that it is not ready), MODEL_TIMEOUT, MODEL_RUN_FAILED, or the signal's reason */
  async forecast(windows: readonly ForecastWindow[], signal: AbortSignal): Promise<QuantileForecast[]> {
    const head = (this.#head ??= await this.#askHead(signal));
    const run = (context: Float32Array, seasonal: Float32Array, batch: number) =>
      this.#run(head, context, seasonal, batch, signal);
    try {
      return await forecastWith(run, head, windows, MAX_BATCH, signal);
    } catch (error) {
      // Another pod may answer next time, with another file behind the same name.
      if (!isForesailError(error) || error.retry === 'terminal') this.#head = undefined;
      throw error;
    }
  }

  async #askHead(signal: AbortSignal): Promise<ForecastHead> {
    const { model, version, digest } = this.#address;
    const { body } = await this.#send('GET', '', {}, undefined, signal);
    if (body.length > MOST_METADATA) throw wrong('its metadata is too large');
    const metadata = parse(body);
    const properties = objectAt(metadata, 'properties');
    if (properties['sha256'] !== digest)
      throw wrong(`it serves the file ${String(properties['sha256'])}, not the pinned ${digest}`);
    if (properties['contract'] !== 'forecast') throw wrong('it does not forecast loads');
    const entries = Object.entries(properties).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    const { horizon, levels } = readHead(new Map(entries));
    return { name: model, version: String(version), digest: `sha256:${digest}`, horizon, levels };
  }

  async #run(
    { horizon, levels }: ForecastHead,
    context: Float32Array,
    seasonal: Float32Array,
    batch: number,
    signal: AbortSignal,
  ): Promise<Float32Array> {
    const inputs = [
      tensor(INPUT_CONTEXT, [batch, CONTEXT_LENGTH], context),
      tensor(INPUT_SEASONAL, [batch, SEASON_LAGS_DAYS.length, 2 * SEASON_WINDOW], seasonal),
    ];
    const outputs = [{ name: OUTPUT_QUANTILES, parameters: { binary_data: true } }];
    const json = Buffer.from(JSON.stringify({ inputs, outputs }));
    const headers = {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    };
    const asked = Buffer.concat([json, bytesOf(context), bytesOf(seasonal)]);
    const answer = await this.#send('POST', '/infer', headers, asked, signal);
    const jsonLength = Number(answer.headers['inference-header-content-length']);
    const size = batch * horizon * levels.length * Float32Array.BYTES_PER_ELEMENT;
    // Its own head says how long each part is; whatever does not add up is no answer.
    if (!(Number.isInteger(jsonLength) && answer.body.length === jsonLength + size))
      throw failed(`its answer is not ${size} bytes of quantiles`);
    const { model_version: version } = parse(answer.body.subarray(0, jsonLength));
    if (version !== String(this.#address.version)) throw failed(`version ${String(version)} answered`);
    // A copy, because a Float32Array must begin at a multiple of four.
    return new Float32Array(answer.body.buffer.slice(...rangeOf(answer.body, jsonLength)));
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    asked: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly headers: Record<string, unknown>; readonly body: Buffer }> {
    const { baseUrl, model, version } = this.#address;
    const { dispatcher, timeoutMs } = this.#options;
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(`${baseUrl}/v2/models/${model}/versions/${version}${path}`, {
        dispatcher,
        method,
        headers,
        signal: AbortSignal.any([signal, late]),
        ...(asked === undefined ? {} : { body: asked }),
      });
      const body = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode === 200) return { headers: answer.headers, body };
      throw refusal(answer.statusCode, body);
    } catch (error) {
      signal.throwIfAborted();
      if (isForesailError(error)) throw error;
      if (late.aborted)
        throw new ForesailError('MODEL_TIMEOUT', 'transient', `${this.id}: no answer within ${timeoutMs} ms`);
      throw failed(messageOf(error), error);
    }
  }
}

/** Not the server's whole text: it is a tenant's, and ends in a status that others read. */
function refusal(status: number, body: Buffer): ForesailError {
  const text = body
    .subarray(0, 200)
    .toString('utf8')
    .replaceAll(/[^\x20-\x7e]/g, ' ');
  const message = `its server answers ${status}: ${text}`;
  if (status === 404 || status === 503) return new ForesailError('MODEL_LOADING', 'transient', message);
  return failed(message);
}

function failed(message: string, cause?: unknown): ForesailError {
  return new ForesailError('MODEL_RUN_FAILED', 'transient', message, { cause });
}

function wrong(message: string): ForesailError {
  return new ForesailError('MODEL_INVALID', 'terminal', message, { subject: 'WrongMetadata' });
}

function tensor(name: string, shape: readonly number[], data: Float32Array) {
  return { name, shape, datatype: 'FP32', parameters: { binary_data_size: data.byteLength } };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function rangeOf(body: Buffer, from: number): [number, number] {
  return [body.byteOffset + from, body.byteOffset + body.length];
}

function parse(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw failed('its answer is not a JSON object');
}

function objectAt(value: Record<string, unknown>, key: string): Record<string, unknown> {
  const found = value[key];
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
}
