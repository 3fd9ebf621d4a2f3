/**
 * Finds stretches of the test part among the training data, wherever in time and under whatever name they lie there. A
 * stretch is told by its form (scaled to its own range), so a copy that was multiplied or lifted is found as well; one
 * that also stands in the history before the test part repeats itself and is no leak.
 */
import type { FolderSeries } from './series-folder.ts';

/** Steps of a stretch. */
const LENGTH = 24;
/** Of its range: finer than any real coincidence, coarser than the rounding of float32. */
const GRAIN = 1 / 4096;
/** Stretches of fewer different heights are alike by chance. */
const LEAST_HEIGHTS = 10;
const MOST_STRETCHES = 400_000;

export interface Copies {
  /** Stretches of the test part that could be looked for. */
  readonly stretches: number;
  /** Those that were found among the training data. */
  readonly found: number;
  /** A series of the test part that is copied, and where it lies in training. */
  readonly example:
    | { readonly series: string; readonly training: string; readonly aheadMs: number }
    | undefined;
}

export function copiesOf(
  tested: readonly FolderSeries[],
  history: readonly FolderSeries[],
  training: readonly FolderSeries[],
): Copies {
  const all = tested.reduce((sum, { values }) => sum + values.length, 0);
  const stride = Math.max(1, Math.ceil(all / MOST_STRETCHES));
  const wanted = new Map<number, { readonly series: FolderSeries; readonly at: number }>();
  for (const series of tested)
    eachForm(series.values, stride, (form, at) => {
      if (!wanted.has(form) && !isPlain(series.values, at)) wanted.set(form, { series, at });
    });
  for (const { values } of history) eachForm(values, 1, (form) => void wanted.delete(form));
  const stretches = wanted.size;
  let example: Copies['example'];
  for (const series of training) {
    if (wanted.size === 0) break;
    eachForm(series.values, 1, (form, at) => {
      const source = wanted.get(form);
      if (source === undefined) return;
      wanted.delete(form);
      const aheadMs =
        source.series.startMs + source.at * source.series.stepMs - (series.startMs + at * series.stepMs);
      example ??= { series: source.series.name, training: series.name, aheadMs };
    });
  }
  return { stretches, found: stretches - wanted.size, example };
}

// Looked up once: the loops below run millions of times.
const { imul, round } = Math;
const { isNaN } = Number;

/** Calls with a 53-bit hash of the form of each stretch that is known and not flat. */
function eachForm(values: Float64Array, stride: number, use: (form: number, at: number) => void): void {
  for (let at = 0; at + LENGTH <= values.length; at += stride) {
    let low = values[at] ?? 0;
    let high = low;
    for (let i = 1; i < LENGTH; i++) {
      const value = values[at + i] ?? 0;
      if (value < low) low = value;
      else if (value > high) high = value;
      else if (isNaN(value)) low = value;
    }
    const range = high - low;
    // Not so where a value is unknown.
    if (!(range > 0)) continue;
    let a = 0x811c9dc5;
    let b = 0x2166136f;
    for (let i = 0; i < LENGTH; i++) {
      const height = round(((values[at + i] ?? 0) - low) / range / GRAIN);
      a = imul(a ^ height, 0x01000193);
      b = imul(b ^ (height + 0x9e37), 0x85ebca6b) ^ (b >>> 13);
    }
    use((a >>> 0) * 0x200000 + ((b >>> 0) & 0x1fffff), at);
  }
}

function isPlain(values: Float64Array, at: number): boolean {
  return new Set(values.subarray(at, at + LENGTH)).size < LEAST_HEIGHTS;
}
