/** The highest load inside the window: replicas ordered now serve from its end, replicas dropped now are gone at its start. */
import type { LoadPath, LoadWindow } from '../types.ts';

export type Peak =
  | { readonly kind: 'peak'; readonly milli: number; readonly atMs: number }
  | { readonly kind: 'outside'; readonly message: string }
  | { readonly kind: 'invalid'; readonly message: string };

/**
 * Max over the steps that overlap [fromMs, toMs].
 *
 * @param strict ask for a path that reaches from the window's start to its end: an old forecast must not speak for a
 *   time that it did not look at. A fresh one may be cut off by its own horizon; the part that is there counts.
 * @returns `outside` when the path does not reach, `invalid` when a value inside is not a finite number ≥ 0.
 */
export function peakOf(
  { originMs, stepMs, loadMilli }: LoadPath,
  { fromMs, toMs }: LoadWindow,
  strict: boolean,
): Peak {
  const endMs = originMs + stepMs * loadMilli.length;
  const reaches = strict ? originMs <= fromMs && endMs >= toMs : originMs <= Math.max(toMs, fromMs);
  if (!(stepMs > 0) || !reaches || endMs <= fromMs) {
    return {
      kind: 'outside',
      message: `the path covers ${iso(originMs)} to ${iso(endMs)}, needed is ${iso(fromMs)} to ${iso(toMs)}`,
    };
  }
  const first = Math.max(0, Math.floor((fromMs - originMs) / stepMs));
  // A window that ends where a step begins does not touch that step.
  const last = Math.min(loadMilli.length, Math.max(first + 1, Math.ceil((toMs - originMs) / stepMs))) - 1;
  let milli = -1;
  let at = first;
  for (let step = first; step <= last; step += 1) {
    const value = loadMilli[step];
    if (value === undefined || !Number.isFinite(value) || value < 0) {
      return { kind: 'invalid', message: `the path holds ${value} at ${iso(originMs + step * stepMs)}` };
    }
    if (value > milli) {
      milli = value;
      at = step;
    }
  }
  return { kind: 'peak', milli, atMs: originMs + at * stepMs };
}

function iso(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
