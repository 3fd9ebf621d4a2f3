/** The history in memory: one ring per series, bounded in points per series and in series. */
import { ForesailError } from '../errors.ts';
import type { LoadSeries } from '../observation.ts';
import { Ring } from './ring.ts';
import type {
  AppendOutcome,
  HistoryHealth,
  HistoryStore,
  SeriesKey,
  SeriesOptions,
  SeriesSpan,
} from './types.ts';

const DAY_MS = 86_400_000;

export interface MemoryHistoryOptions {
  /** Load time now; readings ahead of it are refused. */
  readonly now: () => number;
  /** Default 15 days: the longest season lag of a model (14 days) and its window. */
  readonly retainMs?: number;
  /** Upper bound of steps per series; default 43,200 (15 days at 30 s), 173 KB. */
  readonly maxPoints?: number;
  /** Upper bound of series; default 20,000. */
  readonly maxSeries?: number;
  /** How far ahead of the clock a reading may be; default 2 minutes. */
  readonly futureToleranceMs?: number;
}

/** A run of steps that has changed since it was last taken; values are copies. */
export interface DirtyRun {
  readonly key: SeriesKey;
  readonly stepMs: number;
  readonly startMs: number;
  readonly values: Float32Array;
}

export class MemoryHistory implements HistoryStore {
  readonly #options: Required<MemoryHistoryOptions>;
  readonly #rings = new Map<SeriesKey, Ring>();

  constructor(options: MemoryHistoryOptions) {
    this.#options = {
      retainMs: 15 * DAY_MS,
      maxPoints: 43_200,
      maxSeries: 20_000,
      futureToleranceMs: 120_000,
      ...options,
    };
  }

  get size(): number {
    return this.#rings.size;
  }

  /** Bytes held by the rings. */
  get bytes(): number {
    let sum = 0;
    for (const ring of this.#rings.values()) sum += ring.bytes;
    return sum;
  }

  declare(key: SeriesKey, options: SeriesOptions): void {
    const { stepMs } = options;
    if (!Number.isInteger(stepMs) || stepMs < 1000 || stepMs > DAY_MS) {
      throw new ForesailError(
        'HISTORY_STEP_INVALID',
        'terminal',
        `step of ${stepMs} ms is outside 1 s to 1 day`,
        {
          subject: key,
        },
      );
    }
    if (key.length === 0 || Buffer.byteLength(key) > 512) {
      throw new ForesailError('HISTORY_KEY_INVALID', 'terminal', 'a series key takes 1 to 512 bytes', {
        subject: key.slice(0, 64),
      });
    }
    const points = Math.ceil((options.retainMs ?? this.#options.retainMs) / stepMs);
    const capacity = Math.min(Math.max(points, 1), this.#options.maxPoints);
    const existing = this.#rings.get(key);
    if (existing?.stepMs === stepMs && existing.capacity === capacity) return;
    if (existing === undefined && this.#rings.size >= this.#options.maxSeries) {
      throw new ForesailError('HISTORY_FULL', 'transient', `more than ${this.#options.maxSeries} series`, {
        subject: key,
      });
    }
    const ring = new Ring(stepMs, capacity);
    if (existing !== undefined) rebin(existing, ring);
    this.#rings.set(key, ring);
  }

  append(key: SeriesKey, atMs: number, value: number): AppendOutcome {
    const ring = this.#rings.get(key);
    if (ring === undefined) return 'undeclared';
    if (!isLoad(value) || !Number.isFinite(atMs)) return 'notANumber';
    if (atMs > this.#options.now() + this.#options.futureToleranceMs) return 'future';
    return ring.append(atMs, value);
  }

  fill(key: SeriesKey, series: LoadSeries): number {
    const ring = this.#rings.get(key);
    return ring === undefined ? 0 : this.#put(ring, series.startMs, series.stepMs, series.values);
  }

  window(key: SeriesKey, endMs: number, stepMs: number, count: number): Float64Array {
    const out = new Float64Array(count).fill(Number.NaN);
    const ring = this.#rings.get(key);
    if (ring === undefined) return out;
    if (stepMs === ring.stepMs) {
      const last = ring.slotOf(endMs);
      for (let i = 0; i < count; i++) out[i] = ring.at(last - count + 1 + i);
      return out;
    }
    const lastStep = Math.floor(endMs / stepMs);
    for (let i = 0; i < count; i++) {
      const fromMs = (lastStep - count + 1 + i) * stepMs;
      out[i] = meanOf(ring, ring.slotOf(fromMs), ring.slotOf(fromMs + stepMs - 1));
    }
    return out;
  }

  span(key: SeriesKey): SeriesSpan | undefined {
    const ring = this.#rings.get(key);
    const bounds = ring?.bounds();
    if (ring === undefined || bounds === undefined) return undefined;
    let known = 0;
    for (let s = bounds.first; s <= bounds.last; s++) if (!Number.isNaN(ring.at(s))) known++;
    return {
      stepMs: ring.stepMs,
      firstMs: bounds.first * ring.stepMs,
      lastMs: bounds.last * ring.stepMs,
      known,
    };
  }

  forget(key: SeriesKey): void {
    this.#rings.delete(key);
  }

  keys(): IterableIterator<SeriesKey> {
    return this.#rings.keys();
  }

  has(key: SeriesKey): boolean {
    return this.#rings.has(key);
  }

  health(): HistoryHealth {
    return {
      persistent: false,
      reason: 'MemoryOnly',
      message: 'history is kept in memory only',
      lastFlushMs: undefined,
      quarantined: 0,
    };
  }

  /** What changed since the last call, as copies; at most `maxSteps` steps, the rest stays for the next call. */
  takeDirty(maxSteps: number): DirtyRun[] {
    const runs: DirtyRun[] = [];
    let left = maxSteps;
    for (const [key, ring] of this.#rings) {
      if (left <= 0) break;
      const from = ring.takeDirty();
      const bounds = ring.bounds();
      if (from === undefined || bounds === undefined) continue;
      const first = Math.max(from, bounds.first);
      const last = Math.min(bounds.last, first + left - 1);
      if (last < bounds.last) ring.markDirty(last + 1);
      const values = new Float32Array(Math.max(last - first + 1, 0));
      for (let s = first; s <= last; s++) values[s - first] = ring.at(s);
      left -= values.length;
      if (values.length > 0) runs.push({ key, stepMs: ring.stepMs, startMs: first * ring.stepMs, values });
    }
    return runs;
  }

  /** After a failed write: the runs count as unwritten again. */
  giveBack(runs: readonly DirtyRun[]): void {
    for (const run of runs) {
      const ring = this.#rings.get(run.key);
      if (ring?.stepMs === run.stepMs) ring.markDirty(run.startMs / run.stepMs);
    }
  }

  /** As `fill`, for what was read from disk: it need not be written again. */
  restore(run: DirtyRun): number {
    const ring = this.#rings.get(run.key);
    if (ring === undefined) return 0;
    const dirty = ring.takeDirty();
    const filled = this.#put(ring, run.startMs, run.stepMs, run.values);
    ring.takeDirty();
    if (dirty !== undefined) ring.markDirty(dirty);
    return filled;
  }

  /** Newest first, so that the ring makes room once and what is too old drops out by itself. */
  #put(ring: Ring, startMs: number, stepMs: number, values: ArrayLike<number>): number {
    const limit = this.#options.now() + this.#options.futureToleranceMs;
    let filled = 0;
    for (let i = values.length - 1; i >= 0; i--) {
      const atMs = startMs + i * stepMs;
      const value = values[i] ?? Number.NaN;
      if (atMs > limit || !isLoad(value)) continue;
      const first = ring.slotOf(atMs);
      const last = lastSlotUnder(ring, atMs, stepMs);
      for (let slot = last; slot >= first; slot--) if (ring.fillGap(slot, value)) filled++;
    }
    return filled;
  }

  flush(signal: AbortSignal): Promise<void> {
    return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function isLoad(value: number): boolean {
  return Number.isFinite(value) && value >= 0 && value <= 3e38;
}

/**
 * The last step of the ring that a value of a series covers. A value of the same or a finer step belongs to the step
 * its time lies in; a coarser one repeats over the steps under it.
 */
function lastSlotUnder(ring: Ring, atMs: number, stepMs: number): number {
  return stepMs <= ring.stepMs ? ring.slotOf(atMs) : ring.slotOf(atMs + stepMs - 1);
}

function meanOf(ring: Ring, first: number, last: number): number {
  let sum = 0;
  let known = 0;
  for (let s = first; s <= last; s++) {
    const value = ring.at(s);
    if (Number.isNaN(value)) continue;
    sum += value;
    known++;
  }
  return known === 0 ? Number.NaN : sum / known;
}

function rebin(from: Ring, to: Ring): void {
  const bounds = from.bounds();
  if (bounds === undefined) return;
  for (let s = bounds.last; s >= bounds.first; s--) {
    const value = from.at(s);
    if (Number.isNaN(value)) continue;
    const atMs = s * from.stepMs;
    for (let t = lastSlotUnder(to, atMs, from.stepMs); t >= to.slotOf(atMs); t--) to.fillGap(t, value);
  }
}
