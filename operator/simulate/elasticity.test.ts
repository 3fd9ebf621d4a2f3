import { describe, expect, test } from '@jest/globals';
import {
  demanded,
  type Elasticity,
  ElasticityMeter,
  elasticityOf,
  elasticSpeedUp,
  type Tick,
} from './elasticity.ts';

/** One tick a minute; capacity of one replica is 10. */
const ticks = (...states: [load: number, ready: number, ordered: number][]): Tick[] =>
  states.map(([load, ready, ordered], i) => ({ atMs: i * 60_000, load, ready, ordered }));

describe('elasticity', () => {
  test('shortage, surplus and cost are counted per minute of load time', () => {
    // demanded: 2, 4, 4, 1
    const result = elasticityOf(ticks([20, 2, 2], [40, 2, 4], [35, 4, 4], [5, 4, 4], [5, 1, 1]), 10);
    expect(result.underProvisionedMinutes).toBe(1);
    expect(result.replicaMinutesShort).toBe(2);
    expect(result.tauU).toBe(25);
    expect(result.thetaU).toBe(12.5);
    expect(result.tauO).toBe(25);
    expect(result.thetaO).toBe(75);
    expect(result.replicaHours).toBeCloseTo((2 + 4 + 4 + 4) / 60);
    expect(result.actions).toBe(2);
    expect(result.actionsPerDay).toBeCloseTo((2 * 1440) / 4);
    expect(result.minutes).toBe(4);
  });

  test('no load still needs one replica', () => {
    expect(demanded(0, 10)).toBe(1);
    expect(elasticityOf(ticks([0, 0, 1], [0, 1, 1]), 10).underProvisionedMinutes).toBe(1);
  });

  test('stretches of unequal length weigh as long as they last', () => {
    const meter = new ElasticityMeter();
    meter.add(4, 3, 3, 3);
    meter.add(4, 6, 6, 1);
    expect(meter.result()).toMatchObject({ thetaU: (100 * 0.25 * 3) / 4, tauU: 75, thetaO: 12.5, tauO: 25 });
  });

  test('nothing that was scored is 0, not NaN', () => {
    expect(Object.values(elasticityOf([], 10)).every((value) => value === 0)).toBe(true);
  });
});

describe('elastic speed-up', () => {
  const of = (thetaU: number, thetaO: number, tauU: number, tauO: number): Elasticity => ({
    ...elasticityOf([], 1),
    thetaU,
    thetaO,
    tauU,
    tauO,
  });

  test('is the geometric mean of the four ratios', () => {
    expect(elasticSpeedUp(of(1, 50, 2, 90), of(2, 100, 8, 90))).toBeCloseTo((2 * 2 * 4 * 1) ** 0.25, 12);
    expect(elasticSpeedUp(of(1, 50, 2, 90), of(1, 50, 2, 90))).toBe(1);
  });

  test('a perfect number counts as a hundredth of a per cent', () => {
    expect(elasticSpeedUp(of(0, 50, 0, 90), of(1, 50, 1, 90))).toBeCloseTo((100 * 100) ** 0.25, 9);
  });
});
