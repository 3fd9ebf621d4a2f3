import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { BLOCK_MS, bounded, ErrorBlocks, meanSize, unbounded } from './error-blocks.ts';

const MINUTE = 60_000;

/** One error every five minutes for some days. */
function filled(days: number, error: (i: number) => number): ErrorBlocks {
  const blocks = new ErrorBlocks();
  for (let i = 0; i < days * 288; i++) blocks.add(i * 5 * MINUTE, error(i));
  return blocks;
}

describe('the bounded error', () => {
  test('is half at one width of the band, and comes back', () => {
    expect(bounded(1)).toBe(0.5);
    expect(bounded(-3)).toBe(-0.75);
    expect(unbounded(Math.abs(bounded(-3)))).toBeCloseTo(3, 12);
  });

  test('keeps any error inside (-1, 1), in order', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (a, b) => {
        expect(Math.abs(bounded(a))).toBeLessThanOrEqual(1);
        if (a < b) expect(bounded(a)).toBeLessThanOrEqual(bounded(b));
      }),
    );
  });
});

describe('blocks', () => {
  test('keep the last day apart from the week before it, and nothing older', () => {
    const blocks = filled(20, () => 1);
    expect(blocks.recent.blocks).toBe(5);
    expect(blocks.reference.blocks).toBe(28);
    expect(blocks.reference.count).toBe((28 * BLOCK_MS) / (5 * MINUTE));
    expect(meanSize(blocks.recent)).toBeCloseTo(0.5, 12);
    expect(blocks.past).toHaveLength(32);
  });

  test('give each part its own errors', () => {
    const blocks = filled(8, (i) => (i < 6.5 * 288 ? 0.1 : 4));
    expect(meanSize(blocks.reference)).toBeLessThan(0.15);
    expect(meanSize(blocks.recent)).toBeGreaterThan(0.75);
  });

  test('are gone after a week without an error', () => {
    const blocks = filled(8, () => 0.1);
    blocks.add(40 * 86_400_000, 1);
    expect(blocks.reference.count).toBe(0);
    expect(blocks.recent.count).toBe(1);
  });

  test('are the same after a restart', () => {
    const before = filled(6, (i) => Math.sin(i));
    const after = ErrorBlocks.fromState(JSON.parse(JSON.stringify(before.toState())));
    expect(after.recent.cells).toEqual(before.recent.cells);
    expect(after.reference.cells).toEqual(before.reference.cells);
    expect(meanSize(after.recent)).toBeCloseTo(meanSize(before.recent) ?? Number.NaN, 4);
  });
});

test('nothing has no size', () => {
  expect(meanSize(new ErrorBlocks().recent)).toBeUndefined();
});
