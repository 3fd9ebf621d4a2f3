import { describe, expect, test } from '@jest/globals';
import { lost, MINUTE, NOW, perPod, total } from '../fixtures.ts';
import type { OutlierState } from '../types.ts';
import { DEFAULT_OUTLIER_CONFIG, judge, levelOf } from './outlier.ts';

const usual = 500_000; // the present replicas are meant to carry 500

/** Feeds one sample a minute and tells which were believed. */
function believed(values: readonly number[], config = DEFAULT_OUTLIER_CONFIG): boolean[] {
  let state: OutlierState | undefined;
  return values.map((value, index) => {
    const judged = judge(total(value, NOW + index * MINUTE), state, usual, config);
    state = judged.state && (JSON.parse(JSON.stringify(judged.state)) as OutlierState);
    return judged.reading.kind === 'value';
  });
}

describe('the outlier guard', () => {
  test('believes the first sample and ordinary moves', () => {
    expect(believed([400, 2_000, 20_000, 900, 20, 600])).toEqual([true, true, true, true, true, true]);
  });

  test('does not believe one sample a hundred times too high, and forgets it', () => {
    expect(believed([400, 60_000, 410, 60_000, 420])).toEqual([true, false, true, false, true]);
  });

  test('nor when the replicas are idle by a third, as replicas mostly are', () => {
    expect(believed([340, 34_000, 340])).toEqual([true, false, true]);
    expect(believed([340, 340_000, 341_000, 342_000, 343_000])).toEqual([true, false, false, false, false]);
  });

  test('believes a step of load once further samples agree', () => {
    expect(believed([600, 70_000, 71_000, 69_000, 72_000])).toEqual([true, false, false, true, true]);
  });

  test('samples that do not agree with each other confirm nothing', () => {
    expect(believed([600, 70_000_000, 0, 70_000_000, 0, 70_000_000])).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  test('lets an idle service wake up at once, as long as the present replicas could nearly carry it', () => {
    expect(believed([0, 400, 450])).toEqual([true, true, true]);
    expect(believed([0.1, 24_000])).toEqual([true, true]);
    expect(believed([0.1, 26_000])).toEqual([true, false]);
  });

  test('a fall to zero is confirmed like a spike, not waited out like a change of unit', () => {
    expect(believed([400, 0, 0, 0])).toEqual([true, false, false, true]);
  });

  test('falls between next to nothing and nothing are ordinary', () => {
    expect(believed([1, 0, 0.5, 0])).toEqual([true, true, true, true]);
  });

  test('a change of unit must last as well', () => {
    const samples = [400, ...Array.from({ length: 40 }, () => 400_000 * 2)];
    const verdicts = believed(samples);
    expect(verdicts.indexOf(true, 1)).toBe(31); // 30 minutes after the first suspect
    expect(believed(samples.map((value, i) => (i === 0 ? 400_000 : value / 4000))).indexOf(true, 1)).toBe(31);
  });

  test('without a time it is not believed at all', () => {
    const { unitConfirmMs: _, ...never } = DEFAULT_OUTLIER_CONFIG;
    expect(believed([400, ...Array.from({ length: 200 }, () => 800_000)], never).indexOf(true, 1)).toBe(-1);
  });

  test('the same sample seen again counts once', () => {
    const first = judge(total(600), undefined, usual, DEFAULT_OUTLIER_CONFIG);
    let state = first.state;
    for (let look = 0; look < 10; look += 1) {
      const judged = judge(total(70_000, NOW + MINUTE), state, usual, DEFAULT_OUTLIER_CONFIG);
      expect(judged.reading).toMatchObject({
        kind: 'unknown',
        reason: 'OutOfRange',
        since: NOW + MINUTE,
      });
      state = judged.state;
    }
  });

  test('unknown passes through and keeps what was learned', () => {
    const state = { acceptedMilli: 1, acceptedAtMs: NOW };
    const reading = lost();
    expect(judge(reading, state, usual, DEFAULT_OUTLIER_CONFIG)).toEqual({ reading, state });
  });

  test('watches the average of a per-pod metric, so more pods are no spike', () => {
    const level = (count: number) => {
      const reading = perPod(Array.from({ length: count }, () => 50));
      return reading.kind === 'value' ? levelOf(reading.value) : undefined;
    };
    expect([level(1), level(200), level(0)]).toEqual([50, 50, undefined]);
  });
});
