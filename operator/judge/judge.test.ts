import { describe, expect, test } from '@jest/globals';
import { isForesailError } from '../errors.ts';
import { seededRandom } from '../simulate/generated.ts';
import { JUDGE_DEFAULTS, Judge, type JudgeOptions } from './judge.ts';
import type { PairedLoss } from './pool.ts';

const OPTIONS: JudgeOptions = { ...JUDGE_DEFAULTS, leads: [1] };

/** Losses of two versions that err together, one of which loses `worse` more. */
function pairs(random: () => number, worse: number, names = ['a', 'b', 'c']): PairedLoss[] {
  return names.map((series, i) => {
    const common = 10 ** i * (1 + random());
    return {
      series,
      stable: common * (0.9 + 0.2 * random()),
      canary: common * (0.9 + 0.2 * random() + worse),
    };
  });
}

function judged(worse: number, steps: number, options = OPTIONS): Judge {
  const judge = new Judge(options);
  const random = seededRandom(11);
  for (let t = 0; t < steps; t++) for (const lead of options.leads) judge.take(t, lead, pairs(random, worse));
  return judge;
}

describe('the verdict', () => {
  test('knows nothing without labels', () => {
    expect(new Judge(OPTIONS).verdict()).toMatchObject({
      verdict: 'Inconclusive',
      reason: 'NoLabels',
      labels: 0,
      eWorse: 1,
      effect: Number.NaN,
    });
  });

  test('rolls back a canary that loses more, and says how much and where', () => {
    const verdict = judged(0.2, 400).verdict();
    expect(verdict).toMatchObject({ verdict: 'Rollback', reason: 'CanaryWorse', labels: 1200 });
    expect(verdict.eWorse).toBeGreaterThanOrEqual(1 / OPTIONS.rollbackError);
    expect(verdict.effect).toBeCloseTo(0.2, 1);
    expect(verdict.interval.low).toBeGreaterThan(0);
    expect(verdict.interval.high).toBeGreaterThan(0.2);
    expect(verdict.worstSeries.map(({ series }) => series).sort()).toEqual(['a', 'b', 'c']);
  });

  test('promotes one that is as good, once enough is labelled', () => {
    expect(judged(0, 800).verdict()).toMatchObject({ verdict: 'Promote', reason: 'CanaryNotWorse' });
    expect(judged(0, 800, { ...OPTIONS, minLabels: 10_000 }).verdict()).toMatchObject({
      verdict: 'Inconclusive',
      reason: 'MoreLabelsNeeded',
    });
  });

  test('holds while neither is shown', () => {
    expect(judged(0, 30).verdict()).toMatchObject({ verdict: 'Inconclusive', reason: 'NotDecided' });
  });

  test('a lead at which canary is worse is not outvoted by one at which it is better', () => {
    const judge = new Judge({ ...OPTIONS, leads: [1, 2] });
    const random = seededRandom(5);
    for (let t = 0; t < 800; t++) {
      judge.take(t, 1, pairs(random, -0.3));
      judge.take(t, 2, pairs(random, 0.05));
    }
    expect(judge.verdict().verdict).not.toBe('Promote');
  });

  test('a NaN loss neither passes nor fails', () => {
    const judge = new Judge(OPTIONS);
    for (let t = 0; t < 500; t++)
      judge.take(t, 1, [
        { series: 'a', stable: 1, canary: t % 2 === 0 ? Number.NaN : Number.POSITIVE_INFINITY },
      ]);
    expect(judge.verdict()).toMatchObject({ verdict: 'Inconclusive', reason: 'NoLabels' });
  });

  test('a canary that explodes once is not promoted for it, and what comes after is still seen', () => {
    for (const explosion of [1e9, 1e200, 1e308]) {
      const judge = new Judge({ ...OPTIONS, minLabels: 0 });
      const random = seededRandom(7);
      for (let t = 0; t < 1200; t++) {
        const step = pairs(random, 0.2);
        const exploded = step.map((pair) => ({ ...pair, canary: pair.canary * explosion }));
        judge.take(t, 1, t === 120 ? exploded : step);
        expect(judge.verdict().verdict).not.toBe('Promote');
      }
      expect(judge.verdict().verdict).toBe('Rollback');
    }
  });

  test('several leads share the error of a rollback, whatever they have in common', () => {
    const alone = judged(0.2, 100);
    const random = seededRandom(11);
    const shared = new Judge({ ...OPTIONS, leads: [1, 12, 24, 36] });
    for (let t = 0; t < 100; t++) shared.take(t, 1, pairs(random, 0.2));
    expect(shared.verdict().eWorse).toBeCloseTo(alone.verdict().eWorse / 4, 9);
  });

  test('shows the effect of a lead that is known, not of one that is not', () => {
    const judge = new Judge({ ...OPTIONS, leads: [12, 1] });
    const random = seededRandom(2);
    for (let t = 0; t < 100; t++) judge.take(t, 1, pairs(random, 0.2));
    expect(judge.verdict().effect).toBeCloseTo(0.2, 1);
  });

  test('goes on from its state', () => {
    const random = seededRandom(3);
    const steps = Array.from({ length: 300 }, () => pairs(random, 0.1));
    const whole = new Judge(OPTIONS);
    steps.forEach((step, t) => whole.take(t, 1, step));
    const first = new Judge(OPTIONS);
    steps.slice(0, 150).forEach((step, t) => first.take(t, 1, step));
    const second = new Judge(OPTIONS, JSON.parse(JSON.stringify(first.state)));
    steps.slice(150).forEach((step, t) => second.take(150 + t, 1, step));
    expect(second.verdict()).toEqual(whole.verdict());
  });

  test.each([
    ['margin', { margin: -0.1 }],
    ['leads', { leads: [] }],
    ['leads', { leads: [0] }],
    ['minLabels', { minLabels: Number.NaN }],
    ['rollbackError', { rollbackError: 0 }],
    ['promoteError', { promoteError: 1 }],
  ])('%s that makes no sense is refused by name', (subject, wrong) => {
    const make = (): unknown => new Judge({ ...OPTIONS, ...wrong });
    expect(make).toThrow(subject);
    try {
      make();
    } catch (error) {
      expect(isForesailError(error, 'JUDGE_OPTION_INVALID')).toBe(true);
    }
  });
});
