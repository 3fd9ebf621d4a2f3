import { describe, expect, test } from '@jest/globals';
import type { BacktestReport, BacktestResult, FrontierCell } from '../../simulate/report-types.ts';
import { headline } from './headline.ts';
import { madeUpReport, result } from './testing/report.ts';

function reportOf(
  results: readonly BacktestResult[],
  frontier: readonly FrontierCell[] = [],
): BacktestReport {
  const { settings, traces, aggregate, skipped } = madeUpReport();
  return { settings, traces, aggregate, skipped, results, frontier };
}

function cell(trace: string, ratio: number | null, hpa: number | null = 100): FrontierCell {
  return {
    trace,
    startUpSeconds: 600,
    tauU: 0.5,
    comparedAtTauU: 0.5,
    replicaHours: ratio === null ? null : ratio * 100,
    hpaReplicaHoursAtSameTauU: hpa,
    ratio,
  };
}

const ours = { policy: 'foresail' } as const;

describe('against HPA at the same target', () => {
  test('adds up minutes, averages replica-hours, and names the trace with the least gain', () => {
    const { first } = headline(
      reportOf([
        result({ trace: 'a', underProvisionedMinutes: 100, replicaHours: 100 }),
        result({ trace: 'a', ...ours, underProvisionedMinutes: 20, replicaHours: 110 }),
        result({ trace: 'b', underProvisionedMinutes: 20, replicaHours: 100 }),
        result({ trace: 'b', ...ours, underProvisionedMinutes: 22, replicaHours: 100 }),
      ]),
    );
    expect(first).toBe(
      'Availability against HPA at the same target: 65 % less time short (42 min against 2 h) at +4.9 % replica-hours; worst: b at a start-up of 2 min, +10 % time short',
    );
  });

  test('says so when we lose, and when HPA was never short', () => {
    const lost = reportOf([
      result({ underProvisionedMinutes: 10 }),
      result({ ...ours, underProvisionedMinutes: 15 }),
    ]);
    expect(headline(lost).first).toContain('50 % more time short');
    const never = reportOf([
      result({ underProvisionedMinutes: 0 }),
      result({ ...ours, underProvisionedMinutes: 3 }),
    ]);
    expect(headline(never).first).toContain('short for 3 min, HPA never');
  });
});

describe('at equal time short', () => {
  test('comes first, with the worst cell and what is left out named', () => {
    const { first, rest } = headline(
      reportOf([], [cell('a', 0.5), cell('b', 1.1), cell('c', null, null), cell('d', null)]),
    );
    expect(first).toBe(
      'At the same time short, Foresail is 26 % cheaper than HPA tuned in hindsight (worst: b, 10 % dearer)',
    );
    expect(rest[0]).toBe(
      'Mean of 2 comparisons at tau_U 0.1, 0.5 and 1 %; worst at a start-up of 10 min and tau_U 0.5 %; ' +
        'more than 2 % dearer: 1; left out, since HPA reaches it at no target: 1; lost, since no coverage of ours reaches it: 1',
    );
  });

  test('says dearer when it is', () => {
    expect(headline(reportOf([], [cell('a', 1.3)])).first).toContain('30 % dearer than HPA');
  });
});
