/**
 * Says whether the forecasts of one metric have become worse than they were. It is fed with what the forecasts missed
 * by, in widths of their own band, and never with the load: a load that moves as forecast does not drift, however far.
 * A few microseconds and O(log n) memory per error; what it knows cannot be read anywhere again, so it is checkpointed.
 */
import { Adwin, type AdwinOptions, type AdwinState } from './adwin.ts';
import { type ClingingState, cling, independentShare, LOOSE } from './clinging.ts';
import {
  BLOCK_MS,
  bounded,
  ErrorBlocks,
  type ErrorBlocksState,
  meanSize,
  unbounded,
} from './error-blocks.ts';
import { populationStabilityIndex } from './psi.ts';
import { adwinSign, DOWN, type DriftSign, pinnedSign, psiSign, type SignState } from './signs.ts';

/** A cut needs an hour of errors on its newer side; the window holds two weeks of them. */
const ADWIN: AdwinOptions = { delta: 0.002, minPart: 12, maxWidth: 4096 };
/** Blocks of reference (two days) before distributions are compared. */
const REFERENCE_BLOCKS = 8;
/** Memory of the present size of the errors: about as many of them as in one block. */
const SIZE_MEMORY_MS = BLOCK_MS / 2;
/** Distributions of whole days need no comparison with each error. */
const PSI_EVERY_MS = 3_600_000;

export interface DriftReport {
  readonly drifting: boolean;
  /** The sign that came first, and when (load time); absent while nothing drifts. */
  readonly by?: DriftSign;
  readonly sinceMs?: number;
  /** All signs that are up. */
  readonly signs: readonly DriftSign[];
  /** False while too little was seen to judge errors; Pinned is judged from the first hour on. */
  readonly judged: boolean;
  /** Typical size of the error in widths of the band, now and in the week before; undefined while not known. */
  readonly error: { readonly recent: number | undefined; readonly reference: number | undefined };
  readonly psi: number | undefined;
}

/** Plain JSON, at most about 10 KB. */
export interface DriftState {
  /** Absent before the first error. */
  readonly lastMs?: number;
  readonly spacingMs: number;
  /** Mean bounded size of the errors of the last hours. */
  readonly size: number;
  /** Of the errors with their sign, and of their sizes. */
  readonly clinging: ClingingState;
  readonly sizesClinging: ClingingState;
  readonly adwin: AdwinState;
  readonly blocks: ErrorBlocksState;
  readonly signs: Readonly<Record<DriftSign, SignState>>;
}

export class DriftMonitor {
  #adwin = new Adwin(ADWIN);
  #blocks = new ErrorBlocks();
  #signs: Record<DriftSign, SignState> = { Adwin: DOWN, Psi: DOWN, Pinned: DOWN };
  #lastMs = Number.NEGATIVE_INFINITY;
  /** Usual time between two errors. */
  #spacingMs = 0;
  #size = 0;
  #clinging = LOOSE;
  #sizesClinging = LOOSE;
  #psi: number | undefined;
  #psiAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param atMs load time of the value that was missed; an error that is not newer than the last one is left out
   * @param error (value - median) / width of the band; the caller spaces errors so that they do not overlap
   */
  observe(atMs: number, error: number): void {
    if (!(atMs > this.#lastMs) || Number.isNaN(error)) return;
    const gap = atMs - this.#lastMs;
    if (Number.isFinite(gap)) this.#spacingMs = this.#spacingMs === 0 ? gap : Math.min(gap, this.#spacingMs);
    this.#lastMs = atMs;
    const value = bounded(error);
    const size = Math.abs(value);
    this.#size += (1 - Math.exp(-gap / SIZE_MEMORY_MS)) * (size - this.#size);
    this.#clinging = cling(this.#clinging, value);
    this.#sizesClinging = cling(this.#sizesClinging, size);
    this.#blocks.add(atMs, error);
    const cut = this.#adwin.add(size, independentShare(this.#sizesClinging));
    this.#signs.Adwin = adwinSign(this.#signs.Adwin, {
      atMs,
      cut,
      size: this.#size,
      windowFromMs: atMs - (this.#adwin.width - 1) * this.#spacingMs,
      past: this.#blocks.past,
    });
    if (atMs - this.#psiAtMs >= PSI_EVERY_MS) this.#compare(atMs);
  }

  /** Whether the calibration stands at its clip; told at every look. */
  observePinned(atMs: number, pinned: boolean): void {
    this.#signs.Pinned = pinnedSign(this.#signs.Pinned, atMs, pinned);
  }

  report(): DriftReport {
    const up = Object.entries(this.#signs)
      .flatMap(([sign, { upSinceMs }]) =>
        upSinceMs === undefined ? [] : [{ sign: sign as DriftSign, upSinceMs }],
      )
      .sort((a, b) => a.upSinceMs - b.upSinceMs);
    const [first] = up;
    const size = (mean: number | undefined) => (mean === undefined ? undefined : unbounded(mean));
    const { reference, recent } = this.#blocks;
    return {
      drifting: first !== undefined,
      ...(first === undefined ? {} : { by: first.sign, sinceMs: first.upSinceMs }),
      signs: up.map(({ sign }) => sign),
      judged: this.#blocks.past.length >= REFERENCE_BLOCKS / 2,
      error: { recent: size(meanSize(recent)), reference: size(meanSize(reference)) },
      psi: this.#psi,
    };
  }

  toState(): DriftState {
    return {
      ...(Number.isFinite(this.#lastMs) ? { lastMs: this.#lastMs } : {}),
      spacingMs: this.#spacingMs,
      size: this.#size,
      clinging: this.#clinging,
      sizesClinging: this.#sizesClinging,
      adwin: this.#adwin.toState(),
      blocks: this.#blocks.toState(),
      signs: { ...this.#signs },
    };
  }

  static fromState(state: DriftState): DriftMonitor {
    const monitor = new DriftMonitor();
    monitor.#lastMs = state.lastMs ?? Number.NEGATIVE_INFINITY;
    monitor.#spacingMs = state.spacingMs;
    monitor.#size = state.size;
    monitor.#clinging = state.clinging;
    monitor.#sizesClinging = state.sizesClinging;
    monitor.#adwin = Adwin.fromState(state.adwin, ADWIN);
    monitor.#blocks = ErrorBlocks.fromState(state.blocks);
    monitor.#signs = { ...state.signs };
    return monitor;
  }

  #compare(atMs: number): void {
    const { reference, recent } = this.#blocks;
    this.#psiAtMs = atMs;
    this.#psi =
      reference.blocks < REFERENCE_BLOCKS
        ? undefined
        : populationStabilityIndex(reference.cells, recent.cells, independentShare(this.#clinging));
    this.#signs.Psi = psiSign(this.#signs.Psi, {
      atMs,
      psi: this.#psi,
      recentSize: meanSize(recent),
      referenceSize: meanSize(reference),
    });
  }
}
