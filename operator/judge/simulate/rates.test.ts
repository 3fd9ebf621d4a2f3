import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '../../simulate/generated.ts';
import { JUDGE_DEFAULTS } from '../judge.ts';
import { flawedBy, type JudgeRate, ratesOf, upperBound } from './rates.ts';
import { mannWhitney, threshold } from './rivals.ts';
import { DEFECTS, flawOf, lossesOf, type SeriesForecasts } from './versions.ts';

const LEVELS = [0.1, 0.5, 0.9, 0.95];
/** Quantiles of a uniform load in [50, 150). */
function uniformSeries(name: string, steps: number): SeriesForecasts {
  const random = seededRandom(name.length * 7 + steps);
  const rows = (wider: number): Float64Array =>
    Float64Array.from(
      { length: steps * LEVELS.length },
      (_, i) => 50 + wider * 100 * (LEVELS[i % LEVELS.length] ?? 0),
    );
  return {
    name,
    levels: LEVELS,
    truth: Float64Array.from({ length: steps }, () => 50 + 100 * random()),
    quantiles: rows(1),
    poorer: rows(1.5),
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe('versions of known quality', () => {
  const series = uniformSeries('a', 3000);
  const all = { from: 0, to: 3000 };

  test.each(DEFECTS)('%s loses as much more as asked', (defect) => {
    const flaw = flawOf(series, defect, 0.1);
    expect(flaw).toBeDefined();
    if (flaw === undefined) return;
    const good = mean(lossesOf(series, all, { ...flaw, weight: 0 }, seededRandom(9)));
    expect(mean(lossesOf(series, all, flaw, seededRandom(9))) / good).toBeCloseTo(1.1, 1);
  });

  test('a defect that cannot be that bad is not made', () => {
    const same = { ...series, poorer: series.quantiles };
    expect(flawOf(same, 'poorer', 0.1)).toBeUndefined();
  });

  test('two good ones differ, and not on average', () => {
    const one = lossesOf(series, all, { defect: 'noisy', weight: 0 }, seededRandom(1));
    const other = lossesOf(series, all, { defect: 'noisy', weight: 0 }, seededRandom(2));
    expect(one).not.toEqual(other);
    expect(mean(one) / mean(other)).toBeCloseTo(1, 1);
  });
});

describe('rates', () => {
  const series = ['a', 'bb', 'ccc'].map((name) => uniformSeries(name, 2000));
  const rates = (delta: number, runs = 24): JudgeRate[] => {
    const plan = { lead: 1, series: 2, delta, runs, steps: 800, stepMs: 300_000, seed: 1 };
    return ratesOf(flawedBy(delta, series), plan, JUDGE_DEFAULTS);
  };

  test('a bad version is caught, a good one is not, and the hours are told', () => {
    const bad = rates(0.4);
    const [ours] = bad;
    expect(ours).toMatchObject({ judge: 'foresail', delta: 0.4, runs: 24, caught: 1, promoted: 0 });
    expect(ours?.medianHours).toBeGreaterThan(0);
    expect(ours?.medianHours).toBeLessThan((800 * 300) / 3600);
    expect(ours).not.toHaveProperty('falseRollback');
    const [same] = rates(0);
    expect(same?.falseRollback).toBeLessThanOrEqual(0.1);
    expect(same?.upper95).toBeGreaterThan(same?.falseRollback ?? 1);
    expect(same).not.toHaveProperty('caught');
  });

  test('the same seed gives the same table', () => {
    const again = (): unknown => rates(0.1, 4);
    expect(again()).toEqual(again());
  });
});

describe('other judges', () => {
  const random = seededRandom(4);
  const stable = Float64Array.from({ length: 600 }, () => 1 + random());

  test('find a canary that loses far more', () => {
    const canary = stable.map((loss) => 2 * loss);
    expect(mannWhitney({ stable, canary })).toBe(60);
    expect(threshold({ stable, canary })).toBe(60);
  });

  test('leave the very same losses alone', () => {
    expect(mannWhitney({ stable, canary: stable })).toBeUndefined();
    expect(threshold({ stable, canary: stable })).toBeUndefined();
  });
});

describe('the bound of a rate', () => {
  // Exact: 1 - 0.05^(1/n) for none in n ("rule of three"), and tables of the binomial distribution.
  test.each([
    [0, 100, 1 - 0.05 ** 0.01],
    [0, 400, 1 - 0.05 ** (1 / 400)],
    [5, 400, 0.0261],
    [400, 400, 1],
  ])('%i of %i', (count, runs, bound) => {
    expect(upperBound(count, runs)).toBeCloseTo(bound, 4);
  });
});
