import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '../simulate/generated.ts';
import { EProcess } from './e-process.ts';

const RUNS = 100;
const STEPS = 600;

/** Moving sums of `lead` shocks, as the errors of forecasts that far ahead are. */
function differences(lead: number, mean: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const shocks = Float64Array.from({ length: STEPS + lead }, () => 2 * random() - 1);
  return Float64Array.from({ length: STEPS }, (_, t) =>
    shocks.subarray(t, t + lead).reduce((sum, shock) => sum + shock / Math.sqrt(lead), mean),
  );
}

function shareFound(lead: number, mean: number, error: number): number {
  let found = 0;
  for (let run = 0; run < RUNS; run++) {
    const process = new EProcess(lead);
    differences(lead, mean, run + 1).forEach((difference, t) => process.take(t, difference));
    if (process.evidence >= 1 / error) found++;
  }
  return found / RUNS;
}

describe('the evidence of an e-process', () => {
  test.each([1, 2, 12])('is rarely misled, however often it is looked at, %i steps ahead', (lead) => {
    // 100 runs at a true rate of 0.05 show more than 13 with a chance below 0.001.
    expect(shareFound(lead, 0, 0.05)).toBeLessThanOrEqual(0.13);
  });

  test('grows where differences are above 0, and not where they are below', () => {
    expect(shareFound(1, 0.2, 0.05)).toBe(1);
    expect(shareFound(1, -0.2, 0.05)).toBe(0);
    expect(shareFound(12, 1, 0.05)).toBeGreaterThan(0.9);
  });

  test('does not depend on the unit', () => {
    const [one, thousand] = [new EProcess(2), new EProcess(2)];
    differences(2, 0.1, 7).forEach((difference, t) => {
      one.take(t, difference);
      thousand.take(t, 1000 * difference);
    });
    expect(thousand.evidence).toBeCloseTo(one.evidence, 6);
  });

  test('an unknown difference says nothing', () => {
    const [with_, without] = [new EProcess(1), new EProcess(1)];
    differences(1, 0.1, 3).forEach((difference, t) => {
      with_.take(t, difference);
      with_.take(t, Number.NaN);
      without.take(t, difference);
    });
    expect(with_.evidence).toBe(without.evidence);
  });

  test('differences of 0 are no evidence', () => {
    const process = new EProcess(1);
    for (let t = 0; t < 1000; t++) process.take(t, 0);
    expect(process.evidence).toBe(1);
  });

  test('goes on from its state where it stood', () => {
    const all = differences(3, 0.3, 5);
    const whole = new EProcess(3);
    all.forEach((difference, t) => whole.take(t, difference));
    const first = new EProcess(3);
    all.subarray(0, 401).forEach((difference, t) => first.take(t, difference));
    const second = new EProcess(3, JSON.parse(JSON.stringify(first.state)));
    all.subarray(401).forEach((difference, t) => second.take(401 + t, difference));
    expect(second.evidence).toBe(whole.evidence);
  });
});
