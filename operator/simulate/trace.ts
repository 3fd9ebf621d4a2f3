/** A recorded or generated load: what the simulator and the evaluation of forecasts run on. */

export interface Trace {
  /** File name without .csv, or the name of a generated one. */
  readonly name: string;
  /** Start of values[0], milliseconds since the epoch. */
  readonly startMs: number;
  readonly stepMs: number;
  /** Load in its own unit, one value per step; NaN = unknown. */
  readonly values: Float64Array;
  /** 1 where a repair filled the value in. */
  readonly imputed?: Uint8Array;
}

/** Steps [from, to) of a trace. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Start of step `i`; `i` may lie outside the trace. */
export function startOf({ startMs, stepMs }: Trace, i: number): number {
  return startMs + i * stepMs;
}
