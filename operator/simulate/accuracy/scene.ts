/**
 * One load as a forecaster sees it and as it really was, on whole steps. The two differ where a repair made values up
 * (never scored, never seen) and where a scenario disturbs what is seen.
 */
import type { ForecastWindow } from '../../forecast/types.ts';
import { buildWindow } from '../../forecast/window.ts';
import type { Trace } from '../trace.ts';

export interface Scene {
  readonly name: string;
  /** A multiple of the step. */
  readonly startMs: number;
  readonly stepMs: number;
  /** NaN = unknown to a forecaster. */
  readonly seen: Float64Array;
  /** NaN = not scored. */
  readonly truth: Float64Array;
}

export function sceneOf({ name, startMs, stepMs, values, imputed }: Trace): Scene {
  const known = values.map((value, i) => (imputed?.[i] === 1 ? Number.NaN : value));
  return { name, startMs: Math.floor(startMs / stepMs) * stepMs, stepMs, seen: known, truth: known };
}

/**
 * What the operator would hand to a forecaster when step `origin` was the last complete one. Steps after it read as
 * unknown whatever is asked for, so that no forecaster can look ahead.
 */
export function windowAt({ name, startMs, stepMs, seen }: Scene, origin: number): ForecastWindow {
  return buildWindow(name, startMs + origin * stepMs, stepMs, (endMs, _stepMs, count) => {
    const last = Math.round((endMs - startMs) / stepMs);
    const first = last - count + 1;
    const out = new Float64Array(count).fill(Number.NaN);
    const from = Math.max(first, 0);
    const to = Math.min(last, origin, seen.length - 1) + 1;
    if (from < to) out.set(seen.subarray(from, to), from - first);
    return out;
  });
}
