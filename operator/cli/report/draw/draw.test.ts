import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { band, heading, line, steps } from './marks.ts';
import { escaped, shortened } from './markup.ts';
import { brief, decades, linear, logarithmic, quarters, roundTop, roundUp, timeTicks } from './scale.ts';

describe('text', () => {
  test('cannot leave its element or its attribute, and has no character that XML forbids', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('<', '>', '"', "'", '&', ';', '#', 'a', '\u0000', 'é')),
        (characters) => {
          const any = characters.join('');
          const safe = escaped(any);
          expect(safe).not.toMatch(/[<>"']/);
          expect(safe).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
        },
      ),
    );
    expect(escaped('a\u0000b\u001f')).toBe('a\uFFFDb\uFFFD');
  });

  test('is shortened in its middle, to the length asked', () => {
    expect(shortened('nasa_http_1995_08_1m', 11)).toBe('nasa_…08_1m');
    expect(shortened('short', 11)).toBe('short');
  });
});

describe('scales', () => {
  test('map their ends to their pixels, a logarithmic one also what is below it', () => {
    expect([0, 5, 10].map(linear(0, 10, [100, 200]).at)).toEqual([100, 150, 200]);
    const log = logarithmic(0.01, 10, [0, 300]);
    expect([0, 0.01, 0.1, 10].map((value) => Math.round(log.at(value)))).toEqual([0, 0, 100, 300]);
    expect(linear(5, 5, [10, 20]).at(5)).toBe(10);
  });

  test('end at round numbers that hold the largest value', () => {
    expect([0, 0.5, 1, 7, 11, 23, 80, 99, 101].map(roundTop)).toEqual([1, 0.5, 1, 8, 12, 24, 80, 100, 120]);
    expect([0.03, 2, 11].map(roundUp)).toEqual([0.05, 2, 20]);
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (max) => {
        const top = roundTop(max);
        expect(top).toBeGreaterThanOrEqual(max * (1 - 1e-6));
        expect(top).toBeLessThan(max * 1.7);
      }),
    );
  });

  test('carry short labels', () => {
    expect([0.25, 7.5, 120, 3400, 12e6].map(brief)).toEqual(['0.25', '7.5', '120', '3.4k', '12M']);
    expect(decades(0.01, 10).map(({ label }) => label)).toEqual(['0.01', '0.1', '1', '10']);
    expect(quarters(24).map(({ label }) => label)).toEqual(['0', '6', '12', '18', '24']);
  });

  test('mark round hours or days, few enough to read', () => {
    const from = Date.UTC(1995, 7, 14, 21, 7);
    const hours = timeTicks(from, from + 8 * 3_600_000, 14);
    expect(hours.slice(0, 4).map(({ label }) => label)).toEqual(['22:00', '23:00', '15 Aug', '01:00']);
    const days = timeTicks(from, from + 40 * 86_400_000, 14);
    expect(days.length).toBeLessThanOrEqual(14);
    expect(days.every(({ value }) => value % 86_400_000 === 0)).toBe(true);
  });
});

describe('marks', () => {
  const gap = [
    [0, 1],
    [1, 2],
    [2, Number.NaN],
    [3, 4],
    [4, 4],
  ] as const;

  test('leave a gap where nothing is known', () => {
    expect(line(gap, 'load').match(/M/g)).toHaveLength(2);
    expect(steps(gap, 'load')).not.toContain('NaN');
    expect(line([[0, Number.NaN]], 'load')).toBe('');
  });

  test('a step is drawn only where the value changes', () => {
    const flat = Array.from({ length: 100 }, (_, i) => [i, i < 50 ? 1 : 2] as const);
    expect(steps(flat, 'ours')).toContain('d="M0 1H50V2H99"');
  });

  test('a level line is drawn from its first point to its last', () => {
    const level = Array.from({ length: 50 }, (_, i) => [i, 3] as const);
    expect(line(level, 'load')).toContain('d="M0 3L49 3"');
  });

  test('a band follows both of its edges in each run of known points', () => {
    const edges = [
      [0, 1, 5],
      [1, 2, 6],
      [2, Number.NaN, 6],
      [3, 3, 7],
      [4, 4, 8],
    ] as const;
    expect(band(edges, 'band')).toContain('d="M0 1L1 2L1 6L0 5ZM3 3L4 4L4 8L3 7Z"');
  });

  test('the entries of a legend stand side by side from the right', () => {
    const drawn = heading({ left: 0, right: 1000, top: 50 }, 'Title', [
      ['first', 'hpa'],
      ['second', 'ours'],
    ]);
    const at = (name: string) => Number(new RegExp(`<text x="([\\d.]+)"[^>]*>${name}<`).exec(drawn)?.[1]);
    expect(at('second')).toBe(1000);
    expect(at('first')).toBeLessThan(1000 - 50);
  });
});
