import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { applied, leverage, Moments } from './moments.ts';
import { gaussian, seeded } from './testing/series.ts';

const noise = gaussian(seeded(1));
const rows = Array.from({ length: 400 }, () => {
  const x = Float64Array.of(noise(), 5 * noise() + 3);
  return { x, y: 3 * (x[0] ?? 0) - 2 * (x[1] ?? 0) + 7 + 0.1 * noise() };
});

function fitted(from: readonly (typeof rows)[number][], keep = 1): Moments {
  const moments = new Moments(2);
  for (const { x, y } of from) moments.add(x, y, 1, keep);
  return moments;
}

test('finds the weights that made the data', () => {
  const fit = fitted(rows).solve(1e-6)?.fit;
  if (fit === undefined) throw new Error('no fit');
  expect((fit.weights[0] ?? 0) / (fit.deviation[0] ?? 1)).toBeCloseTo(3, 1);
  expect((fit.weights[1] ?? 0) / (fit.deviation[1] ?? 1)).toBeCloseTo(-2, 1);
  expect(applied(fit, [1, 1])).toBeCloseTo(8, 1);
});

test('an error divided by one less its leverage is the error of a fit without that row', () => {
  const few = rows.slice(0, 30);
  const all = fitted(few).solve(0);
  const without = fitted(few.slice(1)).solve(0);
  const [row] = few;
  if (all === undefined || without === undefined || row === undefined) throw new Error('no fit');
  const own = row.y - applied(all.fit, row.x);
  expect(own / (1 - leverage(all, row.x))).toBeCloseTo(row.y - applied(without.fit, row.x), 6);
});

test('follows weights that change, as old rows fade', () => {
  const moments = fitted(rows, 0.95);
  for (let i = 0; i < 200; i++) {
    const x = Float64Array.of(noise(), noise());
    moments.add(x, -4 * (x[0] ?? 0), 1, 0.95);
  }
  const fit = moments.solve(1e-3)?.fit;
  expect(fit && applied(fit, [1, 0])).toBeCloseTo(-4, 1);
});

test('stays finite over constant, huge and degenerate rows', () => {
  const value = fc.oneof(fc.constant(0), fc.double({ min: -1e9, max: 1e9, noNaN: true }));
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 50 }), (some) => {
      const moments = new Moments(2);
      for (const [a, b, y] of some) moments.add([a, b], y, 1, 0.99);
      const fit = moments.solve(1 / 600)?.fit;
      expect(fit !== undefined && Number.isFinite(applied(fit, [1, 1]))).toBe(true);
    }),
  );
  expect(new Moments(2).solve(1)).toBeUndefined();
});
