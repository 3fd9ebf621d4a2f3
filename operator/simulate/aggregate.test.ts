import { describe, expect, test } from '@jest/globals';
import { aggregate } from './aggregate.ts';
import type { BacktestResult } from './report-types.ts';

function result(change: Partial<BacktestResult>): BacktestResult {
  return {
    trace: 'a',
    startUpSeconds: 30,
    objective: 'availability',
    policy: 'hpa',
    thetaU: 1,
    thetaO: 1,
    tauU: 1,
    tauO: 1,
    underProvisionedMinutes: 100,
    replicaMinutesShort: 1,
    replicaHours: 100,
    actionsPerDay: 1,
    eps: 1,
    coverageAsked: null,
    coverageRealised: null,
    coverageRealisedTopDecile: null,
    ...change,
  };
}

const ours = (trace: string, underProvisionedMinutes: number, replicaHours: number, realised?: number) =>
  result({
    trace,
    policy: 'foresail',
    underProvisionedMinutes,
    replicaHours,
    ...(realised === undefined ? {} : { coverageAsked: 0.99, coverageRealised: realised }),
  });

const line = (results: readonly BacktestResult[]) =>
  aggregate(results).find(({ policy }) => policy === 'foresail');

describe('the aggregate', () => {
  test('adds minutes up, averages replica-hours geometrically, and names the worst', () => {
    const found = line([
      result({ trace: 'a', underProvisionedMinutes: 1000, replicaHours: 100 }),
      result({ trace: 'b', underProvisionedMinutes: 10, replicaHours: 50 }),
      ours('a', 200, 110, 0.985),
      ours('b', 30, 45, 0.996),
    ]);
    expect(found).toMatchObject({
      traces: 2,
      worstTrace: 'b',
      worstReplicaHoursTrace: 'a',
      worstCoverageTrace: 'b',
      tracesWithoutHpaMinutes: 0,
    });
    expect(found?.underProvisionedMinutesVsHpa).toBeCloseTo(230 / 1010 - 1, 12);
    expect(found?.worstUnderProvisionedMinutesVsHpa).toBeCloseTo(2, 12);
    expect(found?.replicaHoursVsHpa).toBeCloseTo(Math.sqrt(1.1 * 0.9) - 1, 12);
    expect(found?.worstReplicaHoursVsHpa).toBeCloseTo(0.1, 12);
    expect(found?.coverageError).toBeCloseTo(0.0055, 12);
  });

  test('against no minutes there is no ratio: null, counted, and never the worst', () => {
    const found = line([
      result({ trace: 'a', underProvisionedMinutes: 0 }),
      result({ trace: 'b', underProvisionedMinutes: 10 }),
      ours('a', 5, 100),
      ours('b', 5, 100),
    ]);
    expect(found).toMatchObject({ tracesWithoutHpaMinutes: 1, worstTrace: 'b' });
    const none = line([result({ underProvisionedMinutes: 0 }), ours('a', 5, 100)]);
    expect(none).toMatchObject({
      underProvisionedMinutesVsHpa: null,
      worstTrace: null,
      worstUnderProvisionedMinutesVsHpa: null,
      tracesWithoutHpaMinutes: 1,
      coverageError: null,
    });
  });

  test('start-up times and objectives stand apart, and each meets its own HPA', () => {
    const lines = aggregate([
      result({}),
      result({ startUpSeconds: 600, underProvisionedMinutes: 400 }),
      result({ policy: 'foresail', underProvisionedMinutes: 50 }),
      result({ policy: 'foresail', startUpSeconds: 600, underProvisionedMinutes: 100 }),
      result({ policy: 'foresail', objective: 'efficiency' }),
    ]);
    expect(
      lines
        .filter(({ policy }) => policy === 'foresail')
        .map((one) => [one.startUpSeconds, one.objective, one.underProvisionedMinutesVsHpa]),
    ).toEqual([
      [30, 'availability', -0.5],
      [600, 'availability', -0.75],
      [30, 'efficiency', null],
    ]);
  });
});
