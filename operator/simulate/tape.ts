/**
 * Forecasts of one trace, made once: they depend neither on what was decided nor on start-up times, coverages and
 * objectives, so hundreds of runs share them. A model runs elsewhere (it is I/O for this room); here its windows are
 * cut and its answers kept, only as far ahead as the longest lead window needs.
 */
import { faultOf } from '../forecast/guard.ts';
import { ANCHORS } from '../forecast/horizons.ts';
import {
  type Forecaster,
  type ForecastWindow,
  MODEL_LEVELS,
  type ModelRef,
  type QuantileForecast,
} from '../forecast/types.ts';
import { buildWindow, knownSteps, lastKnown, type PastReader } from '../forecast/window.ts';
import { type Span, startOf, type Trace } from './trace.ts';

/** One forecaster's forecasts, by the step that was the newest known one. */
export interface TapeTrack {
  readonly by: string;
  /** Undefined where it could not forecast. */
  readonly at: (step: number) => QuantileForecast | undefined;
}

export interface ForecastTape {
  readonly trace: Trace;
  /** Steps ahead that are kept. */
  readonly horizon: number;
  /** In the order in which they serve: the first that has a forecast. */
  readonly tracks: readonly TapeTrack[];
}

export interface TapeOptions {
  /** Steps ahead that are needed at least. */
  readonly horizon: number;
  /** Forecasts are made for these origins; default: all. */
  readonly origins?: Span;
  /** Let all forecast from every origin, for the contest between them; default: a later one only where the ones before cannot. */
  readonly everyone?: boolean;
  /** Windows per call of the first forecaster; default 64. */
  readonly batch?: number;
  readonly onProgress?: (done: number, all: number) => void;
}

/** Fewer known steps than this are no history; as the operator's forecast service has it. */
const MIN_KNOWN = 16;
/** A window whose newest value is older than this many steps says nothing about now; as in the operator. */
const MAX_GAP_STEPS = 3;

/** A forecaster's windows lie on a grid of whole steps since the epoch; a trace that begins between them is moved there. */
function gridStart({ startMs, stepMs }: Trace): number {
  return Math.floor(startMs / stepMs) * stepMs;
}

/** Steps of a trace as the operator's history would give them: nothing beyond its end, nothing before its start. */
export function pastOf(trace: Trace): PastReader {
  const { values, stepMs } = trace;
  const startMs = gridStart(trace);
  return (endMs, _stepMs, count) => {
    const last = Math.floor((endMs - startMs) / stepMs);
    const out = new Float64Array(count).fill(Number.NaN);
    const from = Math.max(last - count + 1, 0);
    const to = Math.min(last + 1, values.length);
    if (to > from) out.set(values.subarray(from, to), from - (last - count + 1));
    return out;
  };
}

/**
 * @param forecasters in the order in which they serve while none has a better record: the first is asked for
 *   everything, in batches; each next one for what the ones before could not do, or for everything too
 */
export async function recordTape(
  trace: Trace,
  forecasters: readonly Forecaster[],
  options: TapeOptions,
  signal: AbortSignal,
): Promise<ForecastTape> {
  const {
    origins = { from: 0, to: trace.values.length },
    everyone = false,
    batch = 64,
    onProgress,
  } = options;
  const horizon = keptHorizon(options.horizon);
  const reels = forecasters.map((forecaster) => new Reel(forecaster.id, trace, horizon));
  const past = pastOf(trace);
  const first = gridStart(trace);
  for (let from = origins.from; from < origins.to; from += batch) {
    signal.throwIfAborted();
    const to = Math.min(from + batch, origins.to);
    let open: [step: number, window: ForecastWindow][] = [];
    for (let step = from; step < to; step++) {
      const window = buildWindow(trace.name, first + step * trace.stepMs, trace.stepMs, past);
      const newest = lastKnown(window);
      if (newest !== undefined && newest.age <= MAX_GAP_STEPS && knownSteps(window) >= MIN_KNOWN)
        open.push([step, window]);
    }
    for (const [i, forecaster] of forecasters.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- the next one is asked for what this one could not do
      const left = await record(forecaster, reels[i] as Reel, open, signal);
      if (!everyone) open = left;
    }
    onProgress?.(to - origins.from, origins.to - origins.from);
  }
  return { trace, horizon, tracks: reels };
}

/** Calibration learns at anchors, so the last step that is kept is an anchor. */
function keptHorizon(asked: number): number {
  return ANCHORS.find((steps) => steps >= asked) ?? ANCHORS.at(-1) ?? asked;
}

/** Memory of a tape on which so many forecasters speak at every step. */
export function tapeBytes({ values }: Trace, horizon: number, forecasters: number): number {
  return (
    forecasters * values.length * keptHorizon(horizon) * MODEL_LEVELS.length * Float32Array.BYTES_PER_ELEMENT
  );
}

/** @returns what was not recorded */
async function record(
  forecaster: Forecaster,
  reel: Reel,
  open: readonly [number, ForecastWindow][],
  signal: AbortSignal,
): Promise<[number, ForecastWindow][]> {
  if (open.length === 0) return [];
  const windows = open.map(([, window]) => window);
  const forecasts = await forecaster.forecast(windows, signal).catch(() => undefined);
  signal.throwIfAborted();
  if (forecasts === undefined && open.length > 1) {
    // One window without enough history must not cost the others theirs.
    const left: [number, ForecastWindow][] = [];
    // oxlint-disable-next-line no-await-in-loop -- in order
    for (const one of open) left.push(...(await record(forecaster, reel, [one], signal)));
    return left;
  }
  return open.filter(([step, window], i) => {
    const forecast = forecasts?.[i];
    if (forecast === undefined || faultOf(forecast, window) !== undefined) return true;
    reel.keep(step, forecast);
    return false;
  });
}

/** Forecasts of one forecaster in one block of memory, grown by need. */
class Reel implements TapeTrack {
  readonly by: string;
  readonly #trace: Trace;
  readonly #horizon: number;
  #levels: readonly number[] = [];
  #model: ModelRef | undefined;
  #values = new Float32Array(0);
  readonly #kept: Uint8Array;

  constructor(by: string, trace: Trace, horizon: number) {
    this.by = by;
    this.#trace = trace;
    this.#horizon = horizon;
    this.#kept = new Uint8Array(trace.values.length);
  }

  keep(step: number, { levels, values, model, horizon }: QuantileForecast): void {
    const size = this.#horizon * levels.length;
    if (this.#model === undefined) {
      this.#levels = levels;
      this.#model = model;
      this.#values = new Float32Array(size * this.#kept.length);
    }
    if (horizon < this.#horizon) return;
    this.#values.set(values.subarray(0, size), step * size);
    this.#kept[step] = 1;
  }

  readonly at = (step: number): QuantileForecast | undefined => {
    if (this.#model === undefined || this.#kept[step] !== 1) return undefined;
    const size = this.#horizon * this.#levels.length;
    return {
      originMs: startOf(this.#trace, step),
      stepMs: this.#trace.stepMs,
      horizon: this.#horizon,
      levels: this.#levels,
      values: this.#values.subarray(step * size, (step + 1) * size),
      model: this.#model,
    };
  };
}
