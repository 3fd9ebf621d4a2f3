/** A small made-up report: two days of a daily wave, HPA late on the way up, ours ahead of it. */

import {
  defaultCoverageAggregate,
  defaultCoverageCell,
  frontierAggregate,
  frontierCells,
  sweep,
} from '../../../simulate/frontier.ts';
import type {
  BacktestAggregate,
  BacktestReport,
  BacktestResult,
  BacktestSeries,
  FrontierSweep,
  ObjectiveName,
  PolicyName,
} from '../../../simulate/report-types.ts';
import { drawnSeries } from '../../../simulate/series.ts';

const STEP_MS = 15_000;
const PER_DAY = 5760;

export function result(parts: Partial<BacktestResult> = {}): BacktestResult {
  return {
    trace: 'wave',
    startUpSeconds: 120,
    objective: 'availability',
    policy: 'hpa',
    thetaU: 0.5,
    thetaO: 100,
    tauU: 2,
    tauO: 95,
    underProvisionedMinutes: 100,
    replicaMinutesShort: 180,
    replicaHours: 400,
    actionsPerDay: 90,
    eps: 1,
    coverageAsked: null,
    coverageRealised: null,
    coverageRealisedTopDecile: null,
    ...parts,
  };
}

export function aggregate(parts: Partial<BacktestAggregate> = {}): BacktestAggregate {
  return {
    startUpSeconds: 120,
    objective: 'availability',
    policy: 'foresail',
    traces: 1,
    underProvisionedMinutesVsHpa: -0.6,
    replicaHoursVsHpa: 0.05,
    worstTrace: 'wave',
    worstUnderProvisionedMinutesVsHpa: -0.6,
    tracesWithoutHpaMinutes: 0,
    worstReplicaHoursTrace: 'wave',
    worstReplicaHoursVsHpa: 0.05,
    coverageError: 0.003,
    worstCoverageTrace: 'wave',
    worstCoverageError: 0.003,
    ...parts,
  };
}

export interface MadeUp {
  readonly traces?: readonly string[];
  readonly startUps?: readonly number[];
  readonly objective?: ObjectiveName;
  readonly days?: number;
}

export function madeUpSeries({
  traces = ['wave'],
  startUps = [120],
  objective = 'availability',
  days = 2,
}: MadeUp = {}): BacktestSeries[] {
  return traces.flatMap((trace) =>
    startUps.flatMap((startUpSeconds) => {
      const length = days * PER_DAY;
      const each = (of: (i: number) => number) => Float64Array.from({ length }, (_, i) => of(i));
      // Noise without a random source: the same in every run.
      const noise = (i: number) => Math.sin(Math.floor(i / 4) * 12.9898) * 25;
      const wave = (i: number) => 200 + 120 * Math.sin((2 * Math.PI * i) / PER_DAY);
      const load = each((i) => Math.max(wave(i) + noise(i), 0));
      const demanded = each((i) => Math.max(1, Math.ceil((load[i] ?? 0) / 15)));
      const late = startUpSeconds / 15 + 12;
      return drawnSeries({
        trace,
        startUpSeconds,
        objective,
        capacity: 15,
        startMs: Date.UTC(2025, 6, 12),
        stepMs: STEP_MS,
        load,
        demanded,
        median: each(wave),
        upper: each((i) => wave(i) + 30),
        ready: {
          hpa: each((i) => Math.ceil((wave(i - late * 6) + 18) / 15)),
          foresail: each((i) => Math.ceil((wave(i) + 22) / 15)),
        },
      });
    }),
  );
}

export function madeUpSweep(trace: string, startUpSeconds: number, share = 0.8): FrontierSweep {
  const late = 1 + startUpSeconds / 200;
  return sweep({ trace, startUpSeconds, steps: 2 * PER_DAY, defaultCoverage: 0.99 }, (policy, parameter) =>
    policy === 'hpa'
      ? { tauU: late * 10 ** ((parameter - 0.8) / 0.2), replicaHours: 300 / parameter }
      : {
          tauU: 12 * late * (1 - parameter),
          replicaHours: (share * 300) / (0.8 + 0.2 * Math.log10(12 * (1 - parameter))),
        },
  );
}

export function madeUpReport({ traces = ['wave'], startUps = [120] }: MadeUp = {}): BacktestReport {
  const sweeps = traces.flatMap((trace) =>
    startUps.map((startUpSeconds) => madeUpSweep(trace, startUpSeconds)),
  );
  const cells = sweeps.flatMap(frontierCells);
  const ours = {
    policy: 'foresail' as const satisfies PolicyName,
    coverageAsked: 0.99,
    coverageRealised: 0.987,
  };
  const results = traces.flatMap((trace) =>
    startUps.flatMap((startUpSeconds) => [
      result({ trace, startUpSeconds }),
      result({ trace, startUpSeconds, ...ours, underProvisionedMinutes: 40, replicaHours: 420, eps: 1.4 }),
    ]),
  );
  return {
    results,
    aggregate: startUps.map((startUpSeconds) =>
      aggregate({ startUpSeconds, traces: traces.length, worstTrace: traces[0] ?? null }),
    ),
    frontier: cells,
    frontierAggregate: frontierAggregate(cells),
    frontierDefault: sweeps.map(defaultCoverageCell),
    frontierDefaultAggregate: defaultCoverageAggregate(sweeps),
    frontierSweeps: sweeps,
    settings: {
      startUpSeconds: startUps,
      metricDelaySeconds: 60,
      target: 0.7,
      capacity: 'p95/20',
      coverage: 0.99,
      policies: ['hpa', 'foresail'],
      objectives: ['availability'],
      model: 'loadcast 1 (sha256:0123)',
    },
    traces: traces.map((trace) => ({
      trace,
      stepSeconds: 60,
      capacity: 15,
      from: '2025-07-12T00:00:00.000Z',
      to: '2025-07-14T00:00:00.000Z',
      days: 2,
    })),
    skipped: [],
  };
}
