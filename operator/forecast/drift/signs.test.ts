import { describe, expect, test } from '@jest/globals';
import { BLOCK_MS, type Block } from './error-blocks.ts';
import { type AdwinLook, adwinSign, DOWN, pinnedSign, psiSign } from './signs.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 10 * DAY;

/** Blocks of 72 errors with these mean sizes, the last one just before `NOW`. */
const pastOf = (...sizes: number[]): Block[] =>
  sizes.map((size, i) => ({
    index: NOW / BLOCK_MS - sizes.length + i,
    count: 72,
    sum: 72 * size,
    cells: [],
  }));

const WEEK = pastOf(0.3, 0.4, 0.3, 0.2, 0.3, 0.4, 0.3, 0.2);
const RISE = { before: 0.3, after: 0.5, width: 50 };

function look(changed: Partial<AdwinLook>): AdwinLook {
  return { atMs: NOW, cut: RISE, size: 0.5, windowFromMs: NOW, past: WEEK, ...changed };
}

describe('Adwin', () => {
  test('is up when the errors grow beyond the worst quarter of a day before', () => {
    expect(adwinSign(DOWN, look({}))).toEqual({ usual: 0.4, upSinceMs: NOW });
  });

  test.each([
    ['no cut', { cut: undefined }],
    ['smaller errors', { cut: { before: 0.5, after: 0.3, width: 50 } }],
    ['errors as they are every day at this hour', { size: 0.42 }],
    ['less than a day to compare with', { past: WEEK.slice(0, 3) }],
    ['blocks of a handful of errors', { past: WEEK.map((block) => ({ ...block, count: 3 })) }],
  ])('is not up for %s', (_, changed) => {
    expect(adwinSign(DOWN, look(changed)).upSinceMs).toBeUndefined();
  });

  test('waits a day for a change to grow clear', () => {
    const suspect = adwinSign(DOWN, look({ size: 0.42 }));
    const later = (atMs: number, size: number) => look({ atMs, size, cut: undefined });
    expect(adwinSign(suspect, later(NOW + 5 * HOUR, 0.47)).upSinceMs).toBe(NOW + 5 * HOUR);
    expect(adwinSign(suspect, later(NOW + DAY, 0.42))).toEqual(DOWN);
  });

  test('does not take what has changed already for what was usual', () => {
    const worse = pastOf(0.3, 0.3, 0.3, 0.3, 0.6, 0.6);
    expect(adwinSign(DOWN, look({ past: worse, windowFromMs: NOW - 12 * HOUR })).usual).toBe(0.3);
  });

  test('goes when the errors are as before, after an hour at least', () => {
    const up = adwinSign(DOWN, look({}));
    const at = (hours: number, size: number) => look({ atMs: NOW + hours * HOUR, size, cut: undefined });
    expect(adwinSign(up, at(0.5, 0.2))).toBe(up);
    expect(adwinSign(up, at(5, 0.43))).toBe(up);
    expect(adwinSign(up, at(5, 0.39))).toEqual(DOWN);
  });

  test('goes after a week: that is what the errors are like now', () => {
    const up = adwinSign(DOWN, look({}));
    expect(adwinSign(up, look({ atMs: NOW + 7 * DAY, cut: undefined }))).toEqual(DOWN);
  });
});

describe('Psi', () => {
  const seen = (psi: number | undefined, recentSize = 0.5, atMs = NOW) => ({
    atMs,
    psi,
    recentSize,
    referenceSize: 0.3,
  });

  test('is up above 0.25 when the errors are larger, and only then', () => {
    expect(psiSign(DOWN, seen(0.26)).upSinceMs).toBe(NOW);
    expect(psiSign(DOWN, seen(0.24))).toEqual(DOWN);
    expect(psiSign(DOWN, seen(0.9, 0.2))).toEqual(DOWN);
    expect(psiSign(DOWN, seen(undefined))).toEqual(DOWN);
  });

  test('goes below 0.1, when the errors are smaller again, or after a week', () => {
    const up = { upSinceMs: NOW };
    const later = NOW + 2 * HOUR;
    expect(psiSign(up, seen(0.2, 0.5, later))).toBe(up);
    expect(psiSign(up, seen(undefined, 0.5, later))).toBe(up);
    expect(psiSign(up, seen(0.05, 0.5, later))).toEqual(DOWN);
    expect(psiSign(up, seen(0.9, 0.2, later))).toEqual(DOWN);
    expect(psiSign(up, seen(0.9, 0.5, NOW + 7 * DAY))).toEqual(DOWN);
  });
});

describe('Pinned', () => {
  test('is up after an hour at the clip without a break', () => {
    let sign = pinnedSign(DOWN, NOW, true);
    sign = pinnedSign(sign, NOW + 0.9 * HOUR, true);
    expect(sign.upSinceMs).toBeUndefined();
    expect(pinnedSign(sign, NOW + HOUR, true).upSinceMs).toBe(NOW + HOUR);
    sign = pinnedSign(sign, NOW + 0.95 * HOUR, false);
    expect(pinnedSign(sign, NOW + HOUR, true).upSinceMs).toBeUndefined();
  });

  test('goes after an hour off the clip without a break', () => {
    const up = { upSinceMs: NOW, pinnedSinceMs: NOW - HOUR };
    let sign = pinnedSign(up, NOW + HOUR, false);
    sign = pinnedSign(sign, NOW + 1.5 * HOUR, true);
    sign = pinnedSign(sign, NOW + 1.75 * HOUR, false);
    expect(pinnedSign(sign, NOW + 2 * HOUR, false).upSinceMs).toBe(NOW);
    expect(pinnedSign(sign, NOW + 2.75 * HOUR, false)).toEqual(DOWN);
  });
});
