/** From a forecast request to its answer: windows, one run over all series, and what each of them gets. */
import { randomUUID } from 'node:crypto';
import { faultOf } from '../../forecast/guard.ts';
import {
  CONTEXT_LENGTH,
  type ForecastWindow,
  type QuantileForecast,
  SEASON_LAGS_DAYS,
  SEASON_WINDOW,
} from '../../forecast/types.ts';
import { INPUT_CONTEXT, INPUT_SEASONAL, OUTPUT_QUANTILES } from '../../inference/contract.ts';
import { forecastWith } from '../../inference/runner.ts';
import type { CallInfo } from '../around/infer.ts';
import { backend } from '../core/errors.ts';
import { type InferAnswer, PROPERTY, type Tensor } from '../core/types.ts';
import { unsupported } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';
import { checkReach, contentOf, type ForecastContent } from './answer.ts';
import { headOf } from './models.ts';
import type { ForecastRequest } from './request.ts';
import { windowOf } from './windows.ts';

export interface ForecastError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly type: string;
}

export interface ForecastOutput {
  readonly type: 'time_series_forecast';
  readonly id: string;
  readonly status: 'completed' | 'error';
  readonly content: readonly ForecastContent[];
  readonly error: ForecastError | null;
}

export interface ForecastAnswer {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created_at: number;
  readonly status: 'completed' | 'partial' | 'error';
  readonly error: null;
  readonly model: string;
  readonly model_version: string;
  /** One per series, in their order. */
  readonly outputs: readonly ForecastOutput[];
}

export async function forecast(
  { engine, infer, clock }: Pick<Wire, 'engine' | 'infer' | 'clock'>,
  request: ForecastRequest,
  call: CallInfo,
  signal: AbortSignal,
): Promise<ForecastAnswer> {
  const metadata = engine.metadata(request.model);
  const head = headOf(metadata);
  if (head === undefined) throw unsupported(`the model ${request.model} does not forecast series`);
  checkReach(request, head);
  // Named, so that the head read above is the head that answers, whatever is loaded meanwhile.
  const version = metadata.versions.at(-1) ?? '';
  const windows = request.series.map(windowOf);
  const run = async (context: Float32Array, seasonal: Float32Array, batch: number) => {
    const inputs = [
      fp32(INPUT_CONTEXT, [batch, CONTEXT_LENGTH], context),
      fp32(INPUT_SEASONAL, [batch, ...SEASONAL], seasonal),
    ];
    const answer = await infer(
      { model: request.model, version, inputs, outputs: [OUTPUT_QUANTILES] },
      call,
      signal,
    );
    call.span?.answered(answer);
    return quantilesOf(answer, batch * head.horizon * head.levels.length);
  };
  const ref = { name: request.model, version, digest: metadata.properties[PROPERTY.digest] ?? '' };
  const forecasts = await forecastWith(run, { ...head, ...ref }, windows, windows.length, signal);
  const nowMs = clock.now();
  const outputs = forecasts.map((one, i) => outputOf(one, windows[i] as ForecastWindow, request, i, nowMs));
  const failed = outputs.filter(({ status }) => status === 'error').length;
  return {
    id: randomUUID(),
    created_at: Math.floor(nowMs / 1_000),
    status: failed === 0 ? 'completed' : failed === outputs.length ? 'error' : 'partial',
    error: null,
    model: request.model,
    model_version: version,
    outputs,
  };
}

function outputOf(
  one: QuantileForecast,
  window: ForecastWindow,
  request: ForecastRequest,
  i: number,
  nowMs: number,
): ForecastOutput {
  const series = request.series[i];
  const fault = faultOf(one, window);
  const sound = series !== undefined && fault === undefined;
  return {
    type: 'time_series_forecast',
    id: randomUUID(),
    status: sound ? 'completed' : 'error',
    content: sound ? [contentOf(series, one, request, nowMs)] : [],
    error: sound
      ? null
      : { code: '500', message: `the forecast ${fault}`, param: `inputs[${i}]`, type: 'forecast_rejected' },
  };
}

const SEASONAL = [SEASON_LAGS_DAYS.length, 2 * SEASON_WINDOW] as const;

function fp32(name: string, shape: readonly number[], data: Float32Array): Tensor {
  return { name, datatype: 'FP32', shape, data };
}

function quantilesOf({ outputs }: InferAnswer, length: number): Float32Array {
  const [tensor] = outputs;
  if (tensor?.datatype !== 'FP32' || tensor.data.length !== length)
    throw backend(`the model's quantiles are not ${length} numbers`);
  return tensor.data as Float32Array;
}
