/**
 * The three signs of drift, each with its own way to end. What is compared is the forecast's error in widths of its
 * own band, never the load. A sign that is up stays up for an hour at least; a level of error that has lasted for a
 * week is what this load is like now, and no drift any more.
 */
import type { Cut } from './adwin.ts';
import { BLOCK_MS, type Block, meanSize } from './error-blocks.ts';

export type DriftSign = 'Adwin' | 'Psi' | 'Pinned';

const HOUR_MS = 3_600_000;
const SHORTEST_MS = HOUR_MS;
const NEW_NORMAL_MS = 7 * 24 * HOUR_MS;

/** Plain JSON. */
export interface SignState {
  /** Load time since which it is up. */
  readonly upSinceMs?: number;
  /** Adwin: mean size that the errors have to come back to; set from the first cut on. */
  readonly usual?: number;
  readonly suspectSinceMs?: number;
  /** Pinned: since when the calibration is at its clip, and since when it was last off it. */
  readonly pinnedSinceMs?: number;
  readonly freeSinceMs?: number;
}

export const DOWN: SignState = {};

/** The errors have become larger: this much above the worst quarter of a day before. */
const CLEARLY_WORSE = 1.15;
/** Quarters of a day that must be known before any error is called unusual, and errors in each. */
const QUARTERS_OF_A_DAY = 4;
const ERRORS_PER_BLOCK = 12;
/** A change that has not grown clear by then is left alone. */
const SUSPECT_MS = 24 * HOUR_MS;

export interface AdwinLook {
  readonly atMs: number;
  readonly cut: Cut | undefined;
  /** Mean size of the errors of the last hours. */
  readonly size: number;
  /** About when the window begins. */
  readonly windowFromMs: number;
  readonly past: readonly Block[];
}

/**
 * ADWIN says that the size of the errors has changed; it is a drift when it has grown beyond the worst quarter of a
 * day that was seen before the change. A cut alone is not enough: on loads with a rhythm the errors have one too.
 */
export function adwinSign(before: SignState, look: AdwinLook): SignState {
  const { atMs, cut, size } = look;
  let state = before;
  if (cut !== undefined && cut.after > cut.before && state.usual === undefined) {
    const usual = worstQuarter(look.past, look.windowFromMs);
    if (usual !== undefined) state = { usual, suspectSinceMs: atMs };
  }
  const { usual, upSinceMs, suspectSinceMs = atMs } = state;
  if (usual === undefined) return DOWN;
  if (upSinceMs === undefined) {
    if (size > CLEARLY_WORSE * usual) return { usual, upSinceMs: atMs };
    return atMs - suspectSinceMs < SUSPECT_MS ? state : DOWN;
  }
  const over = size <= usual && atMs - upSinceMs >= SHORTEST_MS;
  return over || atMs - upSinceMs >= NEW_NORMAL_MS ? DOWN : state;
}

/** Largest mean size of a whole block before a time; undefined when less than a day is known. */
function worstQuarter(past: readonly Block[], beforeMs: number): number | undefined {
  const means = past
    .filter(({ index, count }) => (index + 1) * BLOCK_MS <= beforeMs && count >= ERRORS_PER_BLOCK)
    .map((block) => meanSize(block) ?? 0);
  return means.length < QUARTERS_OF_A_DAY ? undefined : Math.max(...means);
}

export interface PsiLook {
  readonly atMs: number;
  readonly psi: number | undefined;
  readonly recentSize: number | undefined;
  readonly referenceSize: number | undefined;
}

/** By custom: above 0.25 the distribution is another one, below 0.1 it is the same. */
const PSI_ANOTHER = 0.25;
const PSI_SAME = 0.1;

/** Errors that became smaller have another distribution too, and wake nobody. */
export function psiSign(before: SignState, { atMs, psi, recentSize, referenceSize }: PsiLook): SignState {
  const { upSinceMs } = before;
  const known = psi !== undefined && recentSize !== undefined && referenceSize !== undefined;
  const worse = known && recentSize > referenceSize;
  if (upSinceMs === undefined) return worse && psi > PSI_ANOTHER ? { upSinceMs: atMs } : DOWN;
  const over = known && (psi < PSI_SAME || !worse) && atMs - upSinceMs >= SHORTEST_MS;
  return over || atMs - upSinceMs >= NEW_NORMAL_MS ? DOWN : before;
}

/** The calibration asks for more width than it may have, for an hour; it ends when it asked for less for an hour. */
export function pinnedSign(before: SignState, atMs: number, pinned: boolean): SignState {
  const { upSinceMs } = before;
  const up = upSinceMs === undefined ? {} : { upSinceMs };
  if (pinned) {
    const pinnedSinceMs = before.pinnedSinceMs ?? atMs;
    if (upSinceMs !== undefined || atMs - pinnedSinceMs < HOUR_MS) return { ...up, pinnedSinceMs };
    return { upSinceMs: atMs, pinnedSinceMs };
  }
  if (upSinceMs === undefined) return DOWN;
  const freeSinceMs = before.freeSinceMs ?? atMs;
  return atMs - freeSinceMs >= HOUR_MS ? DOWN : { ...up, freeSinceMs };
}
