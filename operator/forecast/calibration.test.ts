import { describe, expect, test } from '@jest/globals';
import { Calibration } from './calibration.ts';
import { quantileAt } from './quantiles.ts';
import { dailyLoad, gaussian, MINUTE, seeded } from './testing/series.ts';
import { MODEL_LEVELS, type QuantileForecast } from './types.ts';
import { upperLoadPath } from './upper-path.ts';

const H = 8;

/** "As now", with a normal band of a given width that grows as a random walk: right or wrong on purpose. */
function forecastFrom(value: number, origin: number, sigma: number): QuantileForecast {
  const normal = [
    -2.326, -1.645, -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282, 1.645, 2.326,
  ];
  const values = new Float32Array(64 * 13);
  for (let h = 0; h < 64; h++) {
    normal.forEach((z, i) => {
      values[h * 13 + i] = value + z * sigma * Math.sqrt(h + 1);
    });
  }
  return {
    originMs: origin * MINUTE,
    stepMs: MINUTE,
    horizon: 64,
    levels: MODEL_LEVELS,
    values,
    model: { name: 'test', version: '1', digest: 'builtin' },
  };
}

/** Realised coverage H steps ahead over a load, after a warm-up, and of the last `tail` steps. */
function run(load: Float64Array, coverage: number, sigma: number, warmUp = 600) {
  const calibration = new Calibration({ stepMs: MINUTE, coverage });
  const upper = new Map<number, number>();
  const hits: boolean[] = [];
  const read = (atMs: number): number => load[Math.round(atMs / MINUTE)] ?? Number.NaN;
  for (let t = 0; t < load.length; t++) {
    calibration.settle(t * MINUTE, read);
    const asked = upper.get(t);
    if (asked !== undefined && t >= warmUp) hits.push((load[t] ?? 0) <= asked);
    const forecast = forecastFrom(load[t] ?? 0, t, sigma);
    calibration.issue(forecast);
    upper.set(t + H, calibration.upper(forecast, H));
  }
  const share = (list: readonly boolean[]): number => list.filter(Boolean).length / list.length;
  return { calibration, realised: share(hits), hits, share };
}

describe('realised coverage comes to the asked one', () => {
  test.each([
    ['a band that is right', 0.9, 4],
    ['a band four times too narrow', 0.9, 1],
    ['a band four times too wide', 0.9, 16],
    ['a narrow band at 0.99', 0.99, 1],
    ['no band at all', 0.95, 0],
  ])('%s, asked %p', (_, coverage, sigma) => {
    const { realised } = run(dailyLoad(6000, 3), coverage, sigma);
    expect(Math.abs(realised - coverage)).toBeLessThan(coverage === 0.99 ? 0.005 : 0.012);
  });

  test('across a change of level to threefold and of noise', () => {
    const noise = gaussian(seeded(9));
    const steady = dailyLoad(9000, 4, (minute) => (minute < 4500 ? 1 : 3));
    const load = steady.map((value, i) => Math.max(value + (i >= 4500 ? 15 * noise() : 0), 0));
    const { realised, hits, share } = run(load, 0.95, 3);
    expect(Math.abs(realised - 0.95)).toBeLessThan(0.01);
    // The day after the change as well, not only on average.
    expect(Math.abs(share(hits.slice(3900, 3900 + 1440)) - 0.95)).toBeLessThan(0.03);
  });
});

describe('feedback', () => {
  /** Settles a forecast of 100 per step at once with what `valueAt` says; the band's width above 100 per step. */
  function bands(steps: number, valueAt: (t: number, upper: number) => number): number[] {
    const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.95 });
    return Array.from({ length: steps }, (_, t) => {
      const forecast = forecastFrom(100, t, 1);
      const upper = calibration.upper(forecast, 1);
      calibration.issue(forecast);
      const value = valueAt(t, upper);
      calibration.settle((t + 1) * MINUTE, () => value);
      return upper - 100;
    });
  }

  test('widens the band with every miss, even when a long constant run has left no spread', () => {
    const widths = bands(1010, (t, upper) => (t < 1000 ? 100 : upper + 1)).slice(1000);
    const rises = widths.slice(1).map((width, i) => width - (widths[i] ?? 0));
    expect(Math.min(...rises)).toBeGreaterThan(0);
  });

  test('a run that cannot be missed does not sink the band without end: soon after, it holds again', () => {
    const noise = gaussian(seeded(2));
    const misses: number[] = [];
    bands(6000, (t, upper) => {
      const value = t >= 2000 && t < 4000 ? 0 : 100 + noise();
      if (t >= 4000 && value > upper) misses.push(t);
      return value;
    });
    expect(misses.filter((t) => t < 4060).length).toBeLessThan(30);
    expect(misses.filter((t) => t >= 4060).length / 1940).toBeLessThan(0.06);
  });

  test('answers a burst of misses far ahead with less than one right ahead', () => {
    const riseOf = (h: number): number => {
      const noise = gaussian(seeded(4));
      const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.95 });
      const load = Float64Array.from({ length: 700 }, (_, t) => (t < 650 ? 100 + noise() : 1000));
      const read = (atMs: number): number => load[Math.round(atMs / MINUTE)] ?? Number.NaN;
      const upper: number[] = [];
      for (let t = 0; t < 660; t++) {
        calibration.settle(t * MINUTE, read);
        const forecast = forecastFrom(100, t, 1 / Math.sqrt(h));
        upper.push(calibration.upper(forecast, h));
        calibration.issue(forecast);
      }
      return (upper[659] ?? 0) - (upper[649] ?? 0);
    };
    expect(riseOf(48)).toBeGreaterThan(0);
    expect(riseOf(48)).toBeLessThan(0.6 * riseOf(1));
  });

  test('what an older version stored, without a shift, is taken over', () => {
    const { calibration } = run(dailyLoad(2000, 6), 0.95, 2);
    const { horizons, ...rest } = calibration.toState();
    const older = { ...rest, horizons: horizons.map(({ shift: _, ...horizon }) => horizon) };
    const restored = Calibration.fromState(older, { stepMs: MINUTE, coverage: 0.95 });
    expect(restored.confidence(8)).toBe('Calibrated');
    expect(restored.upper(forecastFrom(120, 3000, 2), 8)).toBeGreaterThan(120);
  });
});

describe('confidence', () => {
  test('none: the model’s own band; few: wider; enough: calibrated', () => {
    const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.95 });
    const noise = gaussian(seeded(5));
    const load = Float64Array.from({ length: 200 }, () => 100 + noise());
    const own = (forecast: QuantileForecast): number => quantileAt(forecast.levels, forecast.values, 0, 0.95);
    const seen: string[] = [];
    for (let t = 0; t < 100; t++) {
      calibration.settle(t * MINUTE, (atMs) => load[atMs / MINUTE] ?? Number.NaN);
      const forecast = forecastFrom(100, t, 1);
      const confidence = calibration.confidence(1);
      if (confidence === 'None') expect(calibration.upper(forecast, 1)).toBeCloseTo(own(forecast), 4);
      if (confidence === 'Low') expect(calibration.upper(forecast, 1)).toBeGreaterThan(own(forecast));
      if (seen.at(-1) !== confidence) seen.push(confidence);
      calibration.issue(forecast);
    }
    expect(seen).toEqual(['None', 'Low', 'Calibrated']);
  });

  test('unknown values are neither hits nor misses', () => {
    const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.95 });
    for (let t = 0; t < 200; t++) {
      expect(calibration.settle(t * MINUTE, () => Number.NaN)).toBe(0);
      calibration.issue(forecastFrom(100, t, 1));
    }
    expect(calibration.realised(1)).toEqual({ asked: 0.95, realised: undefined, settled: 0 });
  });

  test('several forecasts in one step count once', () => {
    const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.95 });
    for (let i = 0; i < 4; i++) calibration.issue(forecastFrom(100, 0, 1));
    calibration.settle(MINUTE, () => 100);
    expect(calibration.realised(1).settled).toBe(1);
  });
});

test.each([0.49, 1, Number.NaN])('a coverage of %p is refused by name', (coverage) => {
  expect(() => new Calibration({ stepMs: MINUTE, coverage })).toThrow(
    expect.objectContaining({ subject: 'spec.forecast.coverage' }),
  );
});

test('a restored calibration answers as the one it was taken from', () => {
  const { calibration } = run(dailyLoad(2000, 6), 0.95, 2);
  const state = JSON.parse(JSON.stringify(calibration.toState()));
  const restored = Calibration.fromState(state, { stepMs: MINUTE, coverage: 0.95 });
  const forecast = forecastFrom(120, 3000, 2);
  for (const h of [1, 5, 20, 64]) {
    expect(restored.upper(forecast, h)).toBeCloseTo(calibration.upper(forecast, h), 1);
  }
  expect(restored.realised(8)).toEqual(calibration.realised(8));
});

describe('the upper load path', () => {
  const calibration = new Calibration({ stepMs: MINUTE, coverage: 0.9 });
  const forecast = forecastFrom(100, 10, 1);
  const from = (steps: number, window: number) =>
    upperLoadPath(forecast, calibration, { fromMs: (10 + steps) * MINUTE, windowMs: window * MINUTE });

  test('covers every step that the window touches, in thousandths', () => {
    const path = from(1.5, 2);
    expect(path).toMatchObject({ fromMs: 11 * MINUTE, stepMs: MINUTE, truncated: false, confidence: 'None' });
    expect(path?.loadMilli).toHaveLength(3);
    expect(path?.loadMilli[0]).toBeCloseTo(1000 * calibration.upper(forecast, 1), 6);
    expect(path?.loadMilli[2]).toBeCloseTo(1000 * calibration.upper(forecast, 3), 6);
  });

  test('of an older forecast starts where the decision is, and ends with the horizon', () => {
    expect(from(60, 10)).toMatchObject({ truncated: true, fromMs: 70 * MINUTE });
    expect(from(60, 10)?.loadMilli).toHaveLength(5);
    expect(from(65, 1)).toBeUndefined();
  });

  test('is never below zero', () => {
    const sinking = forecastFrom(-50, 10, 1);
    const path = upperLoadPath(sinking, calibration, { fromMs: 11 * MINUTE, windowMs: 5 * MINUTE });
    expect([...(path?.loadMilli ?? [])].every((load) => load === 0)).toBe(true);
  });
});
