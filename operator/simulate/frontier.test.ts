import { describe, expect, test } from '@jest/globals';
import {
  COVERAGES,
  defaultCoverageAggregate,
  defaultCoverageCell,
  frontierAggregate,
  frontierCells,
  geometricMean,
  HPA_TARGETS,
  type SweepRun,
  sweep,
} from './frontier.ts';
import type { FrontierCell, FrontierSweep } from './report-types.ts';

const SUBJECT = { trace: 'web', startUpSeconds: 120, steps: 100_000, defaultCoverage: 0.99 };

/** HPA is short for 10 % of the time at target 0.95 and ten times less with every 0.25 below; ours costs a share of it. */
function world(share: number, shortest = 0): SweepRun {
  const hpaTauU = (target: number) => Math.max(10 ** (1 + (target - 0.95) / 0.25), shortest);
  return (policy, parameter) => {
    if (policy === 'hpa') return { tauU: hpaTauU(parameter), replicaHours: 100 / parameter };
    const tauU = 20 * (1 - parameter);
    const target = 0.95 + 0.25 * (Math.log10(tauU) - 1);
    return { tauU, replicaHours: (share * 100) / target };
  };
}

function cell(trace: string, ratio: number | null, parts: Partial<FrontierCell> = {}): FrontierCell {
  return {
    trace,
    startUpSeconds: 30,
    tauU: 0.5,
    comparedAtTauU: 0.5,
    replicaHours: ratio,
    hpaReplicaHoursAtSameTauU: ratio === null ? null : 1,
    ratio,
    ...parts,
  };
}

describe('the sweep', () => {
  test('covers HPA from 0.2 to 0.95 and ours from 0.7 to 0.999, and halves around each mark', () => {
    expect([HPA_TARGETS[0], HPA_TARGETS.at(-1)]).toEqual([0.2, 0.95]);
    expect([COVERAGES[0], COVERAGES.at(-1)]).toEqual([0.7, 0.999]);
    const swept = sweep(SUBJECT, world(0.8));
    const target = 0.95 - 0.25;
    // 1 % lies exactly at target 0.70; 0.5 % between 0.60 and 0.65, which 0.625 and one more narrow down.
    const between = swept.hpa.filter(({ parameter }) => parameter > 0.6 && parameter < 0.65);
    expect(between.map(({ parameter }) => parameter)).toContainEqual(expect.closeTo(0.625, 10));
    expect(between.length).toBeGreaterThanOrEqual(2);
    expect(swept.hpa.some(({ parameter }) => Math.abs(parameter - target) < 1e-9)).toBe(true);
    expect(swept.hpa.map(({ parameter }) => parameter)).toEqual(
      swept.hpa.map(({ parameter }) => parameter).toSorted((a, b) => a - b),
    );
  });

  test('runs no setting twice', () => {
    const seen = new Map<string, number>();
    sweep(SUBJECT, (policy, parameter) => {
      const key = `${policy} ${parameter}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return world(0.8)(policy, parameter);
    });
    expect(Math.max(...seen.values())).toBe(1);
    expect(seen.size).toBeLessThanOrEqual(HPA_TARGETS.length + COVERAGES.length + 2 * (3 + 4));
  });
});

describe('the comparison', () => {
  test('finds the share that ours costs at equal tau_U', () => {
    for (const { ratio, tauU, comparedAtTauU } of frontierCells(sweep(SUBJECT, world(0.75)))) {
      expect(comparedAtTauU).toBe(tauU);
      expect(ratio).toBeCloseTo(0.75, 2);
    }
  });

  test('has no ratio where HPA cannot reach the mark, and keeps what ours costs there', () => {
    const cells = frontierCells(sweep(SUBJECT, world(0.75, 0.3)));
    expect(cells.map(({ hpaReplicaHoursAtSameTauU }) => hpaReplicaHoursAtSameTauU === null)).toEqual([
      true,
      false,
      false,
    ]);
    expect(cells[0]).toMatchObject({ ratio: null, replicaHours: expect.any(Number) });
  });

  test('does not let HPA pay for a sweep that ended: both are compared where its cheapest target stands', () => {
    const quiet: FrontierSweep = {
      ...SUBJECT,
      untouched: { parameter: 0.99, tauU: 0.05, replicaHours: 100 },
      hpa: [
        { parameter: 0.5, tauU: 0.01, replicaHours: 200 },
        { parameter: 0.95, tauU: 0.2, replicaHours: 100 },
      ],
      ours: [
        { parameter: 0.99, tauU: 0.05, replicaHours: 100 },
        { parameter: 0.9, tauU: 0.2, replicaHours: 80 },
        { parameter: 0.7, tauU: 1, replicaHours: 40 },
      ],
    };
    expect(frontierCells(quiet)[2]).toMatchObject({
      tauU: 1,
      comparedAtTauU: 0.2,
      replicaHours: 80,
      ratio: 0.8,
    });
  });

  test('a constant load, on which nobody is ever short, is compared at the cheapest of both', () => {
    const swept = sweep(SUBJECT, (policy, parameter) => ({
      tauU: 0,
      replicaHours: policy === 'hpa' ? 100 / parameter : 100,
    }));
    for (const { ratio } of frontierCells(swept)) expect(ratio).toBeCloseTo(0.95, 10);
    expect(defaultCoverageCell(swept).ratio).toBeCloseTo(0.95, 10);
  });
});

describe('the default coverage, untouched', () => {
  test('is compared with HPA tuned to the tau_U that it realised', () => {
    const found = defaultCoverageCell(sweep(SUBJECT, world(0.9)));
    expect(found).toMatchObject({ coverage: 0.99, trace: 'web', startUpSeconds: 120 });
    expect(found.tauU).toBeCloseTo(0.2, 10);
    expect(found.ratio).toBeCloseTo(0.9, 2);
  });

  test('tells a tau_U that HPA cannot reach from one that it never falls to', () => {
    const tighter = sweep({ ...SUBJECT, trace: 'tighter' }, world(0.9, 1));
    const worse = sweep({ ...SUBJECT, trace: 'worse' }, (policy, parameter) =>
      policy === 'hpa'
        ? { tauU: 0.01 * parameter, replicaHours: 100 / parameter }
        : world(0.9)(policy, parameter),
    );
    const fair = sweep({ ...SUBJECT, trace: 'fair' }, world(0.9));
    expect(defaultCoverageAggregate([tighter, worse, fair])).toEqual([
      {
        startUpSeconds: 120,
        coverage: 0.99,
        ratio: expect.closeTo(0.9, 2),
        worstTrace: 'fair',
        worstRatio: expect.closeTo(0.9, 2),
        traces: 1,
        hpaUnreachable: 1,
        hpaNeverAsShort: 1,
      },
    ]);
  });
});

describe('the aggregate', () => {
  test('is a geometric mean with the worst trace named, per start-up time and mark', () => {
    const cells = [
      cell('a', 0.5),
      cell('b', 2),
      cell('c', null),
      cell('d', null, { hpaReplicaHoursAtSameTauU: 3 }),
      cell('a', 0.7, { tauU: 1 }),
    ];
    expect(frontierAggregate(cells)).toEqual([
      {
        startUpSeconds: 30,
        tauU: 0.5,
        ratio: expect.closeTo(1, 10),
        worstTrace: 'b',
        worstRatio: 2,
        traces: 2,
        hpaUnreachable: 1,
        oursUnreachable: 1,
      },
      expect.objectContaining({
        tauU: 1,
        ratio: expect.closeTo(0.7, 10),
        worstTrace: 'a',
        hpaUnreachable: 0,
      }),
    ]);
  });

  test('of nothing is nothing, and of unreachable cells alone has no ratio', () => {
    expect(frontierAggregate([])).toEqual([]);
    expect(frontierAggregate([cell('c', null)])[0]).toMatchObject({
      ratio: null,
      worstTrace: null,
      traces: 0,
    });
    expect(geometricMean([])).toBeNull();
  });
});
